"""emulator/table_faults.py, and the chance of rules."""

import json
import urllib.error
import uuid

from botocore.config import Config
from botocore.exceptions import ClientError
from tests.harness import Case


class TableFaults(Case):
    """Each rule is limited to the items of one test by a part of their keys."""

    def setUp(self):
        self.key = f"item-{uuid.uuid4().hex[:8]}"
        self.table = self.system.outputs["Table"]
        self.addCleanup(self.system.control, "DELETE", "faults")

    @property
    def client(self):
        once = Config(retries={"mode": "standard", "total_max_attempts": 1})
        return self.system.session.client(
            "dynamodb", endpoint_url=self.system.instance.record["endpointUrl"], config=once
        )

    def put_rules(self, *rules: dict) -> None:
        self.system.control("PUT", "faults", [{"request": "*", "contains": self.key, **rule} for rule in rules])

    def fired(self) -> list[int]:
        return [rule["fired"] for rule in self.system.control("GET", "faults")]

    def item(self, name: str = "") -> dict:
        return {"pk": {"S": self.key + name}}

    def exists(self, name: str = "") -> bool:
        self.system.control("DELETE", "faults")
        return "Item" in self.client.get_item(TableName=self.table, Key=self.item(name))

    def refused(self, call, **arguments) -> tuple[str, int]:
        with self.assertRaises(ClientError) as refused:
            call(**arguments)
        self.answer = refused.exception.response
        return self.answer["Error"]["Code"], self.answer["ResponseMetadata"]["HTTPStatusCode"]

    def transaction(self) -> list[dict]:
        puts = [{"Put": {"TableName": self.table, "Item": {"pk": {"S": name}}}} for name in ("first-item", "third-item")]
        return [puts[0], {"Put": {"TableName": self.table, "Item": self.item()}}, puts[1]]

    def test_a_single_write_conflicts_with_a_transaction(self):
        client, about = self.client, {"TableName": self.table}
        for call, arguments in (
            (client.put_item, {"Item": self.item()}),
            (client.update_item, {"Key": self.item()}),
            (client.delete_item, {"Key": self.item()}),
        ):
            self.put_rules({"kind": "conflict", "times": 1})
            self.assertEqual(self.refused(call, **about, **arguments), ("TransactionConflictException", 400))
            call(**about, **arguments)
        self.put_rules({"kind": "conflict"})
        client.get_item(**about, Key=self.item())  # a read does not conflict
        self.assertEqual(self.fired(), [0])

    def test_a_transaction_names_the_item_that_is_in_conflict_or_throttled(self):
        for kind, code in (("conflict", "TransactionConflict"), ("throttle", "ThrottlingError")):
            with self.subTest(kind):
                self.put_rules({"kind": kind})
                call = self.client.transact_write_items
                self.assertEqual(
                    self.refused(call, TransactItems=self.transaction()), ("TransactionCanceledException", 400)
                )
                codes = [reason["Code"] for reason in self.answer["CancellationReasons"]]
                self.assertEqual(codes, ["None", code, "None"])
                self.assertFalse(self.exists())

    def test_one_item_is_throttled_and_no_other(self):
        self.put_rules({"kind": "throttle"})
        client = self.client
        for call, arguments in (
            (client.put_item, {"Item": self.item()}),
            (client.get_item, {"Key": self.item()}),
            (
                client.query,
                {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": self.item()["pk"]}},
            ),
        ):
            self.assertEqual(self.refused(call, TableName=self.table, **arguments), ("ThrottlingException", 400))
        client.get_item(TableName=self.table, Key={"pk": {"S": "another"}})
        self.put_rules({"kind": "throttle", "errorType": "ProvisionedThroughputExceededException"})
        refused = self.refused(client.get_item, TableName=self.table, Key=self.item())
        self.assertEqual(refused[0], "ProvisionedThroughputExceededException")

    def test_a_batch_returns_the_item_that_is_throttled(self):
        self.put_rules({"kind": "throttle", "contains": self.key + "-hot"})
        client = self.client
        puts = [{"PutRequest": {"Item": self.item(name)}} for name in ("-cold", "-hot", "-cool")]
        written = client.batch_write_item(RequestItems={self.table: puts})
        self.assertEqual(written["UnprocessedItems"], {self.table: [puts[1]]})
        keys = [self.item(name) for name in ("-cold", "-hot")]
        read = client.batch_get_item(RequestItems={self.table: {"Keys": keys, "ConsistentRead": True}})
        self.assertEqual(read["UnprocessedKeys"][self.table]["Keys"], [keys[1]])
        self.assertEqual(read["Responses"][self.table], [keys[0]])
        refused = self.refused(client.batch_get_item, RequestItems={self.table: {"Keys": keys[1:]}})
        self.assertEqual(refused[0], "ThrottlingException")
        self.assertEqual([self.exists(name) for name in ("-cold", "-hot", "-cool")], [True, False, True])

    def test_a_server_error_before_and_after_the_work(self):
        for kind, done in (("before", False), ("after", True)):
            with self.subTest(kind):
                self.put_rules({"kind": kind, "request": "PutItem"})
                refused = self.refused(self.client.put_item, TableName=self.table, Item=self.item())
                self.assertEqual(refused, ("InternalServerError", 500))
                self.assertEqual(self.exists(), done)

    def outcomes(self, seed: int) -> list[bool]:
        self.put_rules({"kind": "before", "request": "GetItem", "chance": 0.5, "seed": seed})

        def fails() -> bool:
            try:
                self.client.get_item(TableName=self.table, Key=self.item())
            except ClientError:
                return True
            return False

        return [fails() for _ in range(40)]

    def test_a_rule_with_a_chance_applies_to_some_by_its_seed(self):
        first, again, other = self.outcomes(1), self.outcomes(1), self.outcomes(2)
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)
        self.assertTrue(8 < sum(first) < 32, first)
        (rule,) = self.system.control("GET", "faults")
        self.assertEqual((rule["seed"], rule["seen"], rule["fired"]), (2, 40, sum(other)))

    def test_what_is_no_rule_for_a_request_is_refused(self):
        good = {"request": "PutItem", "kind": "conflict"}
        for wrong in (
            {"request": "Put"}, {"kind": "hold"}, {"request": "GetItem"}, {"chance": 1.5}, {"seed": -1}, {"chance": True},
            {"function": self.system.outputs["StepFunction"]},
        ):  # fmt: skip
            with self.subTest(wrong), self.assertRaises(urllib.error.HTTPError) as refused:
                self.system.control("POST", "faults", {**good, **wrong})
            self.assertEqual(refused.exception.code, 400)
            self.assertIn("message", json.load(refused.exception))
