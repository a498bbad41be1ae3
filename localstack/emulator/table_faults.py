"""Faults of requests to the table: conflicts with transactions, throttling, and answers that are lost.

AWS: a write that meets a transaction fails with TransactionConflictException, and inside a transaction with the reason
TransactionConflict; a key that is too hot is throttled, also while the rest of the table is not: a single request
fails, a transaction is cancelled with the reason ThrottlingError, and a batch returns the item as not processed.

ministack 1.5.33: requests run one after another, and none is throttled.
"""

import functools
import json
import time

from ministack.core.responses import error_response_json
from ministack.services import dynamodb

from emulator import rules
from emulator.rules import Rule

# The functions of ministack that carry out the requests.
OPERATIONS = {
    "BatchGetItem": "_batch_get_item", "BatchWriteItem": "_batch_write_item", "DeleteItem": "_delete_item",
    "GetItem": "_get_item", "PutItem": "_put_item", "Query": "_query", "Scan": "_scan",
    "TransactGetItems": "_transact_get_items", "TransactWriteItems": "_transact_write_items",
    "UpdateItem": "_update_item",
}  # fmt: skip
UNPROCESSED = {"BatchGetItem": "UnprocessedKeys", "BatchWriteItem": "UnprocessedItems"}
REASONS = {"conflict": "TransactionConflict", "throttle": "ThrottlingError"}
MESSAGES = {
    "before": "Internal server error",
    "after": "Internal server error",
    "conflict": "Transaction is ongoing for the item",
    "throttle": "Throughput exceeds the current throughput limit for your table or index.",
}


def apply() -> None:
    for request, name in OPERATIONS.items():
        setattr(dynamodb, name, faulty(request, getattr(dynamodb, name)))


def faulty(request: str, operation):
    @functools.wraps(operation)
    def answer(data):
        found = rules.of_request(request)
        return meet(found, request, data, operation) if found else operation(data)

    return answer


def meet(found: list[Rule], request: str, data: dict, operation):
    """The answer to a request, after the first rule that one of its items meets."""
    items = parts(request, data)
    for rule in found:
        hit = [number for number, item in enumerate(items) if rule.takes(json.dumps(item, ensure_ascii=False))]
        if not hit:
            continue
        if rule.when == "after":
            operation(data)
        time.sleep(rule.after_seconds)
        if rule.kind in REASONS and request in rules.TRANSACTIONS:
            return cancelled(len(items), hit, REASONS[rule.kind])
        if rule.kind == "throttle" and request in UNPROCESSED and len(hit) < len(items):
            return partly(request, data, hit, operation)
        return error_response_json(rule.error_type, MESSAGES[rule.kind], 500 if rule.kind in ("before", "after") else 400)
    return operation(data)


def parts(request: str, data: dict) -> list:
    """The operations on single items in a request: itself, or those of a transaction or of a batch."""
    if request in rules.TRANSACTIONS:
        return data.get("TransactItems", [])
    if request in UNPROCESSED:
        return [part for wanted in data.get("RequestItems", {}).values() for part in of_table(wanted)]
    return [data]


def of_table(wanted) -> list:
    return wanted if isinstance(wanted, list) else wanted.get("Keys", [])


def cancelled(length: int, hit: list[int], reason: str):
    codes = [reason if number in hit else "None" for number in range(length)]
    reasons = [{"Code": code} if code == "None" else {"Code": code, "Message": code} for code in codes]
    text = "Transaction cancelled, please refer cancellation reasons for specific reasons"
    message, kind = f"{text} [{', '.join(codes)}]", "TransactionCanceledException"
    return error_response_json(kind, message, 400, {"CancellationReasons": reasons})


def partly(request: str, data: dict, hit: list[int], operation):
    """Carries out a batch without the items that are hit, and returns these as not processed."""
    done, left, number = {}, {}, 0
    for table, wanted in data["RequestItems"].items():
        halves: tuple[list, list] = ([], [])
        for part in of_table(wanted):
            halves[number in hit].append(part)
            number += 1
        for requests, half in zip((done, left), halves, strict=True):
            if half:
                requests[table] = half if isinstance(wanted, list) else {**wanted, "Keys": half}
    status, headers, body = operation({**data, "RequestItems": done})
    if status != 200:
        return status, headers, body
    answer = json.loads(body)
    answer[UNPROCESSED[request]] = {**answer.get(UNPROCESSED[request], {}), **left}
    return status, headers, json.dumps(answer).encode()
