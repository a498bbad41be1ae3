"""Queues: the CloudWatch metric of the number of messages, and queues of an emulator that had another port.

AWS: SQS reports ApproximateNumberOfMessagesVisible of each queue once a minute.

ministack 1.5.33: has no metrics of SQS. This module writes a point as soon as the number changes, so that tests do not
wait for a minute. And ministack finds a queue by a URL with its own port: after a start with another port, it reads no
messages of the queues that it had before for the functions they are mapped to. This module gives them the new URL; requests
with the old one find them by the path.
"""

import threading
import time

from ministack.core.responses import request_scope
from ministack.services import sqs

from emulator import logs

LOOK_SECONDS = 0.5
REPEAT_SECONDS = 60


def apply() -> None:
    restore = sqs._restore_state

    def restore_with_this_port(data) -> None:
        restore(data)
        give_urls_of_this_port()

    sqs._restore_state = restore_with_this_port
    threading.Thread(target=watch, daemon=True, name="queues").start()


def give_urls_of_this_port() -> None:
    for (account, region, url), queue in list(sqs._queues.all_items()):
        del sqs._queues._data[account, region, url]
        queue["url"] = sqs._queue_url_for_account(account, queue["name"])
        sqs._queues._data[account, region, queue["url"]] = queue
    sqs._queue_name_to_url.clear()
    sqs._rebuild_queue_name_index()


def watch() -> None:
    reported: dict[tuple, tuple[int, float]] = {}
    while True:
        for (account, region, url), queue in sqs._queues.all_items():
            now = time.time()
            visible, _hidden = counted(queue, now)
            last, at = reported.get((account, region, url), (None, 0.0))
            if visible != last or now - at > REPEAT_SECONDS:
                reported[account, region, url] = (visible, now)
                with request_scope(account, region):
                    dimensions = {"QueueName": url.rpartition("/")[2]}
                    logs.record_metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", visible, "Count", dimensions)
        time.sleep(LOOK_SECONDS)


def counted(queue: dict, now: float) -> tuple[int, int]:
    """The number of messages that can be received, and of those that cannot yet."""
    messages = list(queue["messages"])
    visible = sum(message["visible_at"] <= now for message in messages)
    return visible, len(messages) - visible
