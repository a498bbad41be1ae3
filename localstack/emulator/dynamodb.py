"""The table: one writer at a time, and a stream that outlives a restart.

AWS: writes to an item are serialised; stream records are kept for 24 hours.

ministack 1.5.33: the steps of a state machine that write to the table directly run beside the server's own
thread without a lock, so that conditional writes are lost (154 successful decrements of a stock of 150). Stream
records are not part of the saved state, so records not yet delivered when the emulator stops are gone.
"""

import functools
import threading

from ministack.core.responses import AccountRegionScopedDict, request_scope
from ministack.services import dynamodb, lambda_svc

OPERATIONS = (
    "_put_item", "_get_item", "_update_item", "_delete_item", "_query", "_scan", "_batch_get_item",
    "_batch_write_item", "_transact_get_items", "_transact_write_items", "_execute_statement",
    "_batch_execute_statement", "_execute_transaction",
)  # fmt: skip
STREAM_RECORDS, STREAM_TRIMMED = "soukStreamRecords", "soukStreamTrimmed"

lock = threading.RLock()


def apply() -> None:
    for name in OPERATIONS:
        setattr(dynamodb, name, locked(getattr(dynamodb, name)))
    get_state, load_state = dynamodb.get_state, dynamodb.load_persisted_state

    def with_stream():
        with lock:
            records, trimmed = undelivered()
            return {**get_state(), STREAM_RECORDS: records, STREAM_TRIMMED: trimmed}

    def restore_stream(data):
        load_state(data)
        # In this order, a concurrent reader sees an empty stream and not one that starts again.
        dynamodb._stream_trimmed.update(data.get(STREAM_TRIMMED, {}))
        dynamodb._stream_records.update(data.get(STREAM_RECORDS, {}))

    dynamodb.get_state = with_stream
    dynamodb.load_persisted_state = restore_stream


def reads_again(mapping: dict) -> bool:
    """Whether a mapping reads the stream from its beginning after a restart. kafka.py replaces it."""
    return False


def undelivered():
    """The records that at least one mapping has not read yet, or reads again, and the number of records before them."""
    waiting = {}
    for account, region, mapping in lambda_svc._iter_all_esms():
        position = lambda_svc._dynamodb_stream_positions.get_scoped(account, region, mapping["UUID"])
        arn = mapping.get("EventSourceArn", "")
        if position is not None and ":dynamodb:" in arn:
            table = (account, region, arn.split("/")[1])
            with request_scope(account, region):
                if reads_again(mapping):
                    position = 0
            waiting[table] = min(position, waiting.get(table, position))
    records, trimmed = AccountRegionScopedDict(), AccountRegionScopedDict()
    for table, kept in dynamodb._stream_records.all_items():
        gone = dynamodb._stream_trimmed.get_scoped(*table, 0)
        first = min(waiting.get(table, gone + len(kept)), gone + len(kept))
        records.set_scoped(*table, kept[max(0, first - gone) :])
        trimmed.set_scoped(*table, max(first, gone))
    return records, trimmed


def locked(operation):
    @functools.wraps(operation)
    def alone(*arguments, **options):
        with lock:
            return operation(*arguments, **options)

    return alone
