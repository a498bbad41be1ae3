"""emulator/streams.py and the saved stream of emulator/dynamodb.py."""

import json
import uuid

from tests.harness import Case, System


class Streams(Case):
    def put(self, name: str, fail: str = "") -> str:
        key = f"{name}-{uuid.uuid4().hex[:6]}"
        item = {"pk": {"S": key}, "fail": {"S": fail}}
        self.system.client("dynamodb").put_item(TableName=self.system.outputs["Table"], Item=item)
        return key

    def times(self, key: str) -> int:
        return sum(note["record"] == key for note in self.system.notes("record"))

    def failures(self) -> list[dict]:
        received = self.system.client("sqs").receive_message(
            QueueUrl=self.system.outputs["Failures"], MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        for message in received.get("Messages", []):
            self.system.client("sqs").delete_message(
                QueueUrl=self.system.outputs["Failures"], ReceiptHandle=message["ReceiptHandle"]
            )
        return [json.loads(message["Body"]) for message in received.get("Messages", [])]

    def test_records_arrive_once_in_order_in_batches_and_filtered(self):
        keys = [self.put("take-plain") for _ in range(5)]
        other = self.put("leave")
        last = self.put("take-last")
        self.eventually(lambda: self.times(last), "the last record did not arrive")
        seen = [note for note in self.system.notes("record") if note["record"] in keys]
        self.assertEqual([note["record"] for note in seen], keys)
        self.assertGreater(seen[-1]["batch"], 1)  # the window of one second collected several records
        self.assertEqual(self.times(other), 0)

    def test_a_poison_record_is_given_up_and_does_not_stop_the_others(self):
        for fail in ("error", "report"):
            with self.subTest(fail):
                before, poison, after = self.put("take-a"), self.put("take-poison", fail), self.put("take-b")
                self.eventually(lambda key=after: self.times(key), "the record behind the poison did not arrive")
                (failure,) = self.eventually(self.failures, "nothing in the queue")
                self.assertEqual(failure["requestContext"]["condition"], "RetryAttemptsExhausted")
                self.assertEqual(failure["DDBStreamBatchInfo"]["batchSize"], 1)
                self.assertGreaterEqual(self.times(poison), 3)  # MaximumRetryAttempts is 2
                self.assertGreaterEqual(self.times(before), 1)
                if fail == "report":
                    self.assertEqual(self.times(before), 1)  # only reported records are retried

    def test_a_partial_failure_is_retried_from_the_record_reported(self):
        first, second, third = self.put("take-1"), self.put("take-2", "once"), self.put("take-3")
        self.eventually(lambda: self.times(third), "the third record did not arrive")
        self.assertEqual((self.times(first), self.times(second), self.times(third)), (1, 2, 1))
        self.assertEqual(self.failures(), [])


class Restart(Case):
    def test_what_was_not_delivered_when_the_emulator_stopped_is_delivered_after(self):
        system = System("restart")
        self.addCleanup(system.remove)
        table = system.outputs["Table"]

        def put(key):
            system.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": key}})

        def arrived(key):
            return [note for note in system.notes("record") if note["record"] == key]

        put("take-before")
        self.eventually(lambda: arrived("take-before"), "no record before the restart")
        put("take-during")  # the window of one second is open when the emulator stops
        system.instance.stop()
        self.assertFalse(arrived("take-during"))
        system.start()
        self.eventually(lambda: arrived("take-during"), "the record was lost")
        put("take-after")
        self.eventually(lambda: arrived("take-after"), "no record after the restart")
        self.assertEqual(len(arrived("take-before")), 1)
        item = system.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": "take-before"}})
        self.assertIn("Item", item)
        self.assertEqual(system.request("GET", "/things/1")[0], 200)
