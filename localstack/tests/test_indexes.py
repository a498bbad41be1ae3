"""emulator/indexes.py."""

import time
import urllib.error
import uuid

from tests.harness import Case


class Lag(Case):
    def setUp(self):
        self.of = f"all-{uuid.uuid4().hex[:8]}"
        self.addCleanup(self.system.control, "DELETE", "indexes")

    @property
    def client(self):
        return self.system.client("dynamodb")

    def put(self, name: str, of: str | None = None, value: str = "") -> None:
        item = {"pk": {"S": name}, "sk": {"S": name}, "of": {"S": of or self.of}, "value": {"S": value}}
        self.client.put_item(TableName=self.system.outputs["Collections"], Item=item)

    def shown(self) -> list[tuple[str, str]]:
        found = self.client.query(
            TableName=self.system.outputs["Collections"], IndexName="all", KeyConditionExpression="#of = :of",
            ExpressionAttributeNames={"#of": "of"}, ExpressionAttributeValues={":of": {"S": self.of}},
        )["Items"]  # fmt: skip
        return [(item["pk"]["S"], item["value"]["S"]) for item in found]

    def lag(self, **setting) -> None:
        self.system.control("PUT", "indexes", setting)

    def test_without_a_lag_an_index_shows_a_write_at_once(self):
        self.put("a")
        self.assertEqual(self.shown(), [("a", "")])

    def test_an_index_shows_what_was_until_it_catches_up(self):
        self.put("changed", value="old")
        self.put("moved")
        self.put("deleted")
        before = self.shown()
        self.lag(lagSeconds=600)
        self.put("added")
        self.put("changed", value="newer")
        self.put("changed", value="new")
        self.put("moved", of="elsewhere")
        key = {"pk": {"S": "deleted"}, "sk": {"S": "deleted"}}
        self.client.delete_item(TableName=self.system.outputs["Collections"], Key=key)
        self.assertEqual(self.shown(), before)
        table = {"TableName": self.system.outputs["Collections"], "ConsistentRead": True}
        stored = self.client.get_item(**table, Key={"pk": {"S": "changed"}, "sk": {"S": "changed"}})
        self.assertEqual(stored["Item"]["value"]["S"], "new")
        self.assertNotIn("Item", self.client.get_item(**table, Key=key))
        self.assertEqual(self.shown(), before)
        self.system.control("DELETE", "indexes")
        self.assertEqual(self.shown(), [("added", ""), ("changed", "new")])

    def test_an_index_catches_up_after_the_lag(self):
        self.lag(lagSeconds=0.5)
        begun = time.monotonic()
        self.put("late")
        self.eventually(self.shown, "the index did not catch up")
        self.assertGreaterEqual(time.monotonic() - begun, 0.5)

    def test_items_come_in_any_order_and_changes_of_an_item_in_theirs(self):
        self.lag(lagSeconds=1, seed=1)
        names = [f"{number:02d}" for number in range(20)]
        for name in names:
            self.put(name)
        for value in ("1", "2", "3"):
            self.put(names[0], value=value)
        states, end = [], [(names[0], "3"), *((name, "") for name in names[1:])]
        self.eventually(lambda: states.append(shown := self.shown()) or shown == end, "the index did not catch up")
        gaps = [found for found in states if [name for name, _value in found] != names[: len(found)]]
        self.assertTrue(gaps, "every item came in the order of the writes")
        values = [dict(found).get(names[0]) for found in states if names[0] in dict(found)]
        self.assertEqual(values, sorted(values))

    def test_the_setting_is_read_and_checked(self):
        self.lag(lagSeconds=2, seed=3)
        self.assertEqual(self.system.control("GET", "indexes"), {"lagSeconds": 2, "seed": 3})
        for wrong in ({}, {"lagSeconds": -1}, {"lagSeconds": "1"}, {"lagSeconds": 1, "seed": 0.5}, {"other": 1}, []):
            with self.subTest(wrong), self.assertRaises(urllib.error.HTTPError) as refused:
                self.system.control("PUT", "indexes", wrong)
            self.assertEqual(refused.exception.code, 400)
        self.assertEqual(self.system.control("DELETE", "indexes"), {"lagSeconds": 0})
