"""emulator/units.py: the units of requests against rows of docs/units.md, which the table tests measure with another engine."""

import json
import re
import unittest

from emulator import units
from ministack.services import dynamodb

from run.project import ROOT

TABLE = "units"
KEY, INDEX = ("pk", "sk"), ("gsi2pk", "gsi2sk")


def setUpModule():
    units.apply()
    dynamodb._create_table({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST", "KeySchema": schema(KEY),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in (*KEY, *INDEX)],
        "GlobalSecondaryIndexes": [
            {"IndexName": "gsi2", "KeySchema": schema(INDEX), "Projection": {"ProjectionType": "ALL"}}
        ],
    })  # fmt: skip


def schema(names: tuple[str, str]) -> list[dict]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=True)]


def row(operation: str, case: str) -> tuple[float, float]:
    """The read and the write units of a row of docs/units.md."""
    found = re.search(rf"^\| `{operation}` \| {case} \| ([\d.]+) \| ([\d.]+) \|", (ROOT / "docs/units.md").read_text(), re.MULTILINE)
    return float(found[1]), float(found[2])


def key(pk: str, sk: str = "a") -> dict:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def put(pk: str, sk: str = "a", size: int = 100, **members: str) -> None:
    """Puts an item of so many bytes."""
    item = key(pk, sk) | {name: {"S": text} for name, text in members.items()}
    item["text"] = {"S": "x" * (size - units.item_size(item) - len("text"))}
    sent(dynamodb._put_item, Item=item)


def sent(operation, **request) -> dict:
    request = {"ReturnConsumedCapacity": "TOTAL", **request}
    if operation not in (dynamodb._batch_get_item, dynamodb._transact_get_items, dynamodb._transact_write_items):
        request["TableName"] = TABLE
    status, _, body = operation(request)
    if status != 200:
        raise AssertionError(body)
    return json.loads(body)


def consumed(operation, **request) -> float:
    found = sent(operation, **request)["ConsumedCapacity"]
    return sum(each["CapacityUnits"] for each in (found if isinstance(found, list) else [found]))


def query(pk: str, **others) -> float:
    name = "gsi2pk" if "IndexName" in others else "pk"
    values = {":pk": {"S": pk}, **others.pop("values", {})}
    return consumed(dynamodb._query, KeyConditionExpression=f"{name} = :pk", ExpressionAttributeValues=values, **others)


def batch(keys: list[dict], consistent: bool) -> float:
    return consumed(dynamodb._batch_get_item, RequestItems={TABLE: {"Keys": keys, "ConsistentRead": consistent}})


class Sizes(unittest.TestCase):
    def test_an_item_is_as_large_as_its_names_and_values(self):
        for value, size in (
            ({"S": "übung"}, 6), ({"N": "0"}, 1), ({"N": "12345"}, 4), ({"N": "1200"}, 2), ({"B": "AAAA"}, 3), ({"BOOL": True}, 1),
            ({"NULL": True}, 1), ({"L": []}, 3), ({"M": {"a": {"S": "b"}}}, 6), ({"SS": ["ab", "c"]}, 3),
        ):  # fmt: skip
            self.assertEqual(units.item_size({"name": value}), 4 + size, value)

    def test_a_step_is_4_kb(self):
        self.assertEqual([units.steps(size) for size in (0, 1, 4096, 4097, 8192, 8193)], [1, 1, 1, 2, 2, 3])


class Reads(unittest.TestCase):
    def test_lists_of_products_cost_as_units_md_says(self):
        for number in range(20):
            product = f"PRODUCT#{number}"
            put(product, "PRODUCT", 450, gsi2pk="CATEGORY#tea", gsi2sk=f"{number:02}")
            put(product, "LISTED", 100, gsi2pk="NEWEST", gsi2sk=f"{number:02}")
        beside = [key(f"PRODUCT#{number}", sk) for number in range(20) for sk in ("STOCK", "RATING")]
        read = query("CATEGORY#tea", IndexName="gsi2") + batch(beside, False)
        self.assertEqual((read, 0), row("products_of_category", "20 of 30"))
        products = [key(f"PRODUCT#{number}", "PRODUCT") for number in range(20)]
        read = query("NEWEST", IndexName="gsi2") + batch(products + beside, False)
        self.assertEqual((read, 0), row("newest_products", "20 of 30"))
        self.assertEqual((batch(products[:10], True), 0), row("products", "ten"))

    def test_a_query_pays_for_the_sum_of_what_it_reads(self):
        self.assertEqual(query("nobody"), 0.5)
        self.assertEqual(query("nobody", ConsistentRead=True), 1)
        for number in range(10):
            put("sum", f"{number}", 1000)
        self.assertEqual((query("sum"), query("sum", ConsistentRead=True), query("sum", Limit=5)), (1.5, 3, 1))
        none = {"FilterExpression": "#text = :none", "ExpressionAttributeNames": {"#text": "text"}, "values": {":none": {"S": "y"}}}
        self.assertEqual(query("sum", **none), 1.5)
        self.assertEqual(query("sum", ProjectionExpression="sk"), 1.5)
        self.assertEqual(query("sum", Select="COUNT"), 1.5)

    def test_a_scan_pays_as_a_query_does(self):
        for number in range(10):
            put(f"scanned-{number}", "a", 4000, gsi2pk="scanned", gsi2sk=f"{number}")
        before = consumed(dynamodb._scan, IndexName="gsi2")
        put("scanned-10", "a", 40_000, gsi2pk="scanned", gsi2sk="a")
        self.assertEqual(consumed(dynamodb._scan, IndexName="gsi2") - before, 5)

    def test_each_item_is_rounded_up(self):
        put("small")
        put("large", size=9000)
        for name, units_of_it in (("nobody", 1), ("small", 1), ("large", 3)):
            self.assertEqual(consumed(dynamodb._get_item, Key=key(name), ConsistentRead=True), units_of_it)
            self.assertEqual(consumed(dynamodb._get_item, Key=key(name)), units_of_it / 2)
        keys = [key(name) for name in ("nobody", "small", "large")]
        self.assertEqual((batch(keys, True), batch(keys, False)), (5, 2.5))
        gets = [{"Get": {"TableName": TABLE, "Key": each}} for each in keys]
        self.assertEqual(consumed(dynamodb._transact_get_items, TransactItems=gets), 10)

    def test_units_are_told_to_those_who_ask(self):
        for operation, request in (
            (dynamodb._get_item, {"Key": key("nobody")}),
            (dynamodb._batch_get_item, {"RequestItems": {TABLE: {"Keys": [key("nobody")]}}}),
        ):
            self.assertNotIn("ConsumedCapacity", sent(operation, ReturnConsumedCapacity="NONE", **request))
            self.assertIn("Table", str(sent(operation, ReturnConsumedCapacity="INDEXES", **request)["ConsumedCapacity"]))


class Writes(unittest.TestCase):
    """ministack's own."""

    def test_a_write_pays_for_each_kb_of_the_item_and_of_its_index_entries(self):
        item = key("written") | {"gsi2pk": {"S": "written"}, "gsi2sk": {"S": "a"}, "text": {"S": "x" * 1500}}
        self.assertEqual(consumed(dynamodb._put_item, Item=item), 4)
        self.assertEqual(consumed(dynamodb._put_item, Item=item), 2)
        self.assertEqual(consumed(dynamodb._put_item, Item=item | {"gsi2pk": {"S": "moved"}}), 6)
        self.assertEqual(consumed(dynamodb._delete_item, Key=key("written")), 4)

    def test_a_transaction_pays_twice_for_the_table(self):
        put("stock", gsi2pk="stock", gsi2sk="a")
        update = {
            "TableName": TABLE, "Key": key("stock"), "UpdateExpression": "SET #text = :text",
            "ExpressionAttributeNames": {"#text": "text"}, "ExpressionAttributeValues": {":text": {"S": "other"}},
        }  # fmt: skip
        written = consumed(dynamodb._transact_write_items, TransactItems=[{"Update": update}])
        self.assertEqual((0, written), row("change_stock", "set without a key"))
