"""The read units of requests, by the sizes of the items that they read.

AWS: a unit reads up to 4 KB, or 8 KB if the read is eventually consistent, and twice as much is charged within a transaction.
GetItem, and each item of BatchGetItem and TransactGetItems, is rounded up by itself; Query and Scan round up the sum of the items
that they read, before a filter and a projection. An item that does not exist costs as much as a small one.

ministack 1.5.33: one step of 4 KB for each request or item, whatever its size; no units for BatchGetItem. Write units it counts by
size and by index entry.
"""

import functools
import json

from ministack.services import dynamodb

STEP_BYTES = 4096

_page_bytes = 0  # what the Query or Scan that runs has read; dynamodb.lock lets one run at a time


def apply() -> None:
    """Before the module dynamodb, whose lock has to be held meanwhile."""
    dynamodb._paginate_evaluated_items = measured(dynamodb._paginate_evaluated_items)
    dynamodb._add_consumed_capacity = by_size(dynamodb._add_consumed_capacity)
    dynamodb._batch_get_item = with_units(dynamodb._batch_get_item, of_batch)
    dynamodb._transact_get_items = with_units(dynamodb._transact_get_items, of_transaction)


def steps(size: int) -> int:
    return max(1, -(-size // STEP_BYTES))


def item_size(item: dict | None) -> int:
    """The bytes of names and values, as AWS counts them ("DynamoDB item sizes and formats")."""
    return dynamodb._item_size_bytes(item or {})


def of_key(table: str, key: dict) -> int:
    """The steps of reading one item."""
    return steps(item_size(dynamodb._get_item_by_key(dynamodb._tables[table], key)))


def measured(paginate):
    @functools.wraps(paginate)
    def page(items, limit, table, index_name=None):
        global _page_bytes
        read, stopped = paginate(items, limit, table, index_name)
        shown = (dynamodb._apply_index_projection(item, table, index_name) for item in read) if index_name else read
        _page_bytes = sum(map(item_size, shown))
        return read, stopped

    return page


def by_size(add):
    """ministack's units of a read are those of one step."""

    @functools.wraps(add)
    def add_units(result, data, table_name, write=False, **options):
        add(result, data, table_name, write, **options)
        if not write and "ConsumedCapacity" in result:
            of_item = "KeyConditionExpression" not in data and "Key" in data
            multiply(result["ConsumedCapacity"], of_key(table_name, data["Key"]) if of_item else steps(_page_bytes))

    return add_units


def multiply(consumed: dict, factor: int) -> None:
    for name, value in consumed.items():
        if isinstance(value, dict):
            multiply(value, factor)
        elif isinstance(value, float):
            consumed[name] = value * factor


def with_units(operation, units):
    @functools.wraps(operation)
    def answer(data):
        wanted = data.get("ReturnConsumedCapacity", "NONE")
        status, headers, body = operation(data)
        if status != 200 or wanted == "NONE":
            return status, headers, body
        consumed = []
        for table, read in units(data).items():
            entry = {"TableName": table, "CapacityUnits": read}
            consumed.append(entry | {"Table": {"CapacityUnits": read}} if wanted == "INDEXES" else entry)
        return status, headers, json.dumps(json.loads(body) | {"ConsumedCapacity": consumed}, ensure_ascii=False).encode()

    return answer


def of_batch(data: dict) -> dict[str, float]:
    found = {}
    for named, wanted in data["RequestItems"].items():
        table = dynamodb._normalize_table_name(named)
        read = sum(of_key(table, key) for key in wanted["Keys"])
        found[table] = read * (1.0 if wanted.get("ConsistentRead") else 0.5)
    return found


def of_transaction(data: dict) -> dict[str, float]:
    found: dict[str, float] = {}
    for wanted in (each["Get"] for each in data["TransactItems"]):
        table = dynamodb._normalize_table_name(wanted["TableName"])
        found[table] = found.get(table, 0.0) + 2.0 * of_key(table, wanted["Key"])
    return found
