"""The CloudWatch metric of the number of messages in each queue.

AWS: SQS reports ApproximateNumberOfMessagesVisible of each queue once a minute.

ministack 1.5.33: has no metrics of SQS. This module writes a point as soon as the number changes, so that tests do not
wait for a minute.
"""

import threading
import time

from ministack.core.responses import request_scope
from ministack.services import sqs

from emulator import logs

LOOK_SECONDS = 0.5
REPEAT_SECONDS = 60


def apply() -> None:
    threading.Thread(target=watch, daemon=True, name="queues").start()


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
