"""Event source mappings on the table's stream.

AWS: a failed batch is retried until MaximumRetryAttempts or MaximumRecordAgeInSeconds; with
BisectBatchOnFunctionError it is split in halves (a split does not count as a retry), with ReportBatchItemFailures it is
retried from the first reported record. A description of a batch that is given up goes to the OnFailure destination.
Mappings are independent of each other. A stream has several shards, each of which is read on its own, so that their
records are in no order; a shard that is split ends before its children begin.

ministack 1.5.33: retries a failed batch for ever, treats a partial failure as a success, serves all mappings from one
thread, polls each second, and evaluates EventBridge's `anything-but`, `$or` and others in filters differently; a
stream has one shard. shards.py splits it when a test wants it.
"""

import json
import logging
import threading
import time

from ministack.core.arn import parse_arn
from ministack.core.responses import request_scope
from ministack.services import cloudwatch, dynamodb, eventbridge, lambda_svc

from emulator import dynamodb as emulated
from emulator import shards

logger = logging.getLogger("emulator.streams")

PAYLOAD_LIMIT = 6 * 1024 * 1024
LOOK_AGAIN_SECONDS = 0.5  # if nothing wakes a mapping before
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.1, 5  # AWS waits longer; the order of events is the same

_readers: dict[tuple[str, int], threading.Thread] = {}
_stopping = threading.Event()
_news = threading.Condition()


def apply() -> None:
    lambda_svc._poll_dynamodb_streams = start_readers
    lambda_svc._apply_filter_criteria = matching
    dynamodb.esm_wake = Bell(dynamodb.esm_wake)


def stop() -> None:
    """Stops all positions, so that the saved state is consistent."""
    _stopping.set()
    with _news:
        _news.notify_all()


class Bell:
    """ministack's signal that a stream has new records; it also wakes our readers."""

    rung = 0  # number of signals: a reader that read before the last signal must read again before it waits

    def __init__(self, signal: threading.Event):
        self.signal = signal

    def set(self) -> None:
        self.signal.set()
        with _news:
            Bell.rung += 1
            _news.notify_all()


def start_readers() -> bool:
    """Replaces ministack's loop over the streams by a thread for each shard of each mapping."""
    for account, region, mapping in lambda_svc._iter_all_esms():
        if ":dynamodb:" in mapping.get("EventSourceArn", ""):
            for shard in range(shards.most()):
                reader = (mapping["UUID"], shard)
                if reader not in _readers:
                    with request_scope(account, region):
                        if shard == 0 and emulated.reads_again(mapping):
                            lambda_svc._dynamodb_stream_positions.pop(mapping["UUID"], None)
                    run = Reader(account, region, *reader).run
                    _readers[reader] = threading.Thread(target=run, daemon=True, name="stream-%s-%d" % reader)
                    _readers[reader].start()
    return False


class Reader:
    def __init__(self, account: str, region: str, uuid: str, shard: int):
        self.scope = (account, region)
        self.uuid = uuid
        self.shard = shard

    def run(self) -> None:
        with request_scope(*self.scope):
            try:
                while self.mapping is not None and not _stopping.is_set():
                    try:
                        self.turn()
                    except Exception:
                        logger.exception("stream mapping %s", self.uuid)
                        time.sleep(1)
            finally:
                _readers.pop((self.uuid, self.shard), None)

    @property
    def mapping(self) -> dict | None:
        return lambda_svc._esms.get(self.uuid)

    def turn(self) -> None:
        """Delivers one batch, or waits."""
        heard = Bell.rung
        mapping = self.mapping
        stream, table, function = mapping["EventSourceArn"], self.table(mapping), self.function(mapping)
        if not mapping.get("Enabled", True) or table is None or function is None:
            self.wait(heard)
            return
        position = self.position(mapping, table)
        era = shards.era(table, position)
        end = min(era.end, dynamodb.stream_end_position(table))
        if position >= end or not shards.all_reached(self.uuid, era.start):
            self.wait(heard)
            return
        if self.shard < era.shards:
            read = self.batch(mapping, table, position, era.end)
            own = [record for record in read if era.shards == 1 or shards.of(record, era.shards, table) == self.shard]
            records = matching(own, mapping)
            end = position + len(read)
            if records:
                self.deliver(records)
        if not _stopping.is_set() and shards.advance(self.uuid, self.shard, end, stream):
            dynamodb.esm_wake.set()

    def table(self, mapping: dict) -> str | None:
        arn = mapping["EventSourceArn"]
        name, _label = lambda_svc._dynamodb_stream_table_from_arn_spec(parse_arn(arn))
        table = dynamodb._tables.get(name)
        return name if table and table.get("LatestStreamArn") == arn else None

    def function(self, mapping: dict) -> dict | None:
        return lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))[0]

    def position(self, mapping: dict, table: str) -> int:
        start, end = dynamodb.stream_start_position(table), dynamodb.stream_end_position(table)
        first = start if mapping.get("StartingPosition") == "TRIM_HORIZON" else end
        position = shards.position(self.uuid, self.shard, first)
        return start if position > end else max(position, start)

    def wait(self, heard: int, seconds: float = LOOK_AGAIN_SECONDS) -> None:
        with _news:
            _news.wait_for(lambda: heard != Bell.rung or _stopping.is_set(), seconds)

    def batch(self, mapping: dict, table: str, position: int, end: int) -> list[dict]:
        """Up to BatchSize records and 6 MB, after waiting up to MaximumBatchingWindowInSeconds for them."""
        size = mapping.get("BatchSize", 100)
        deadline = time.monotonic() + (mapping.get("MaximumBatchingWindowInSeconds") or 0)
        while (left := deadline - time.monotonic()) > 0 and not _stopping.is_set():
            heard = Bell.rung
            if min(end, dynamodb.stream_end_position(table)) - position >= size:
                break
            self.wait(heard, left)
        read, payload = [], 0
        for record in dynamodb.stream_records_since(table, position, min(size, end - position)):
            payload += len(json.dumps(record))
            if read and payload > PAYLOAD_LIMIT:
                break
            read.append(record)
        return read

    def measure_age(self, mapping: dict, records: list[dict]) -> None:
        age = max(0.0, time.time() - created(records[-1]))
        dimensions = {"FunctionName": mapping["FunctionName"]}
        cloudwatch.record_metric("AWS/Lambda", "IteratorAge", age * 1000, "Milliseconds", dimensions)

    def deliver(self, records: list[dict], attempt: int = 0) -> None:
        while records and not _stopping.is_set() and (mapping := self.mapping) is not None:
            if mapping["EventSourceArn"] != records[0]["eventSourceARN"]:
                return  # the table was restored, and the mapping reads its new stream
            function = self.function(mapping)
            if function is None:
                return
            self.measure_age(mapping, records)
            result = lambda_svc._execute_function(function, {"Records": records})
            if result.get("throttle"):
                time.sleep(FIRST_RETRY_SECONDS)
                continue
            failed = None if result.get("error") else first_failed(result.get("body"), records, mapping)
            if not result.get("error") and failed is None:
                mapping["LastProcessingResult"] = "OK"
                return
            mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
            if failed:  # the records before it have succeeded
                records, attempt = records[failed:], 0
                continue
            if mapping.get("BisectBatchOnFunctionError") and len(records) > 1:
                middle = len(records) // 2
                self.deliver(records[:middle], attempt)
                records = records[middle:]
                continue
            if condition := given_up(mapping, records, attempt):
                arn = mapping["EventSourceArn"]
                lambda_svc._send_ddb_stream_failure_record(mapping, function, records, arn, result, condition)
                return
            attempt += 1
            _stopping.wait(retry_seconds(attempt))


def retry_seconds(attempt: int) -> float:
    """How long the retry with this number waits. The power of a thousandth retry would be no number."""
    return min(FIRST_RETRY_SECONDS * 2 ** min(attempt, 10), LONGEST_RETRY_SECONDS)


def created(record: dict) -> float:
    return float(record["dynamodb"].get("ApproximateCreationDateTime") or time.time())


def given_up(mapping: dict, records: list[dict], attempt: int) -> str | None:
    attempts, age = mapping.get("MaximumRetryAttempts"), mapping.get("MaximumRecordAgeInSeconds")
    if attempts is not None and 0 <= int(attempts) <= attempt:
        return "RetryAttemptsExhausted"
    if age is not None and 0 <= int(age) < time.time() - min(created(record) for record in records):
        return "RecordAgeExceeded"
    return None


def first_failed(body, records: list[dict], mapping: dict) -> int | None:
    """Index of the first record that the function reports as failed; 0 also for an invalid report."""
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []) or body in (None, "", {}):
        return None
    try:
        body = json.loads(body) if isinstance(body, (str, bytes)) else body
        failures = body.get("batchItemFailures") or []
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        return min((numbers.index(failure["itemIdentifier"]) for failure in failures), default=None)
    except (AttributeError, KeyError, TypeError, ValueError):
        return 0


def matching(records: list[dict], mapping: dict) -> list[dict]:
    """The records that match one of the mapping's filters, by EventBridge's rules."""
    filters = (mapping.get("FilterCriteria") or {}).get("Filters") or []
    if not filters or any("kinesis" in record or "body" in record for record in records[:1]):
        return _ministacks_matching(records, mapping)
    alternatives = [
        alternative for each in filters for alternative in eventbridge._compiled_pattern(each["Pattern"]) or []
    ]
    return [
        record
        for record in records
        if any(eventbridge._matches_detail(record, alternative) for alternative in alternatives)
    ]


_ministacks_matching = lambda_svc._apply_filter_criteria
