"""emulator/streams.py with large batches and no window, as Souk's consumers use them; emulator/queues.py."""

import json
import os
import signal
import statistics
import time
import unittest
import uuid

from emulator import streams
from tests.harness import Case

METRIC_SECONDS = 3600


class Consumers(Case):
    def put(self, name: str, fail: str = "", **members: str) -> str:
        key = f"{name}-{uuid.uuid4().hex[:6]}"
        item = {"pk": {"S": key}, "fail": {"S": fail}, **{name: {"S": text} for name, text in members.items()}}
        self.system.client("dynamodb").put_item(TableName=self.system.outputs["Table"], Item=item)
        return key

    def seen(self, key: str) -> list[dict]:
        bulk = self.system.outputs["BulkFunction"]
        return [note for note in self.system.notes("record") if note["record"] == key and note["function"] == bulk]

    def await_record(self, key: str, times: int = 1) -> list[dict]:
        return self.eventually(
            lambda: len(found := self.seen(key)) >= times and found, f"{key} did not arrive {times} times"
        )

    def failures(self, wait: int = 1) -> list[dict]:
        sqs, queue = self.system.client("sqs"), self.system.outputs["BulkFailures"]
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
        for message in received.get("Messages", []):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in received.get("Messages", [])]

    def record_of(self, failure: dict) -> dict:
        """The records that a message in the queue describes, read as an operator would."""
        client, batch = self.system.client("dynamodbstreams"), failure["DDBStreamBatchInfo"]
        iterator = client.get_shard_iterator(
            StreamArn=batch["streamArn"], ShardId=batch["shardId"], ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=batch["startSequenceNumber"],
        )["ShardIterator"]  # fmt: skip
        return client.get_records(ShardIterator=iterator, Limit=1)["Records"][0]

    def test_a_poison_record_among_a_hundred_is_given_up_alone(self):
        for fail in ("report", "error"):
            with self.subTest(fail):
                gate = self.put("bulk-gate", "sleep2")
                self.await_record(gate)
                keys = [self.put("bulk", fail if number == 40 else "") for number in range(100)]
                last = self.put("bulk-last")
                self.await_record(last)
                self.assertEqual(self.seen(keys[0])[0]["batch"], 100)
                (failure,) = self.eventually(self.failures, "nothing in the queue")
                batch = failure["DDBStreamBatchInfo"]
                self.assertEqual(failure["requestContext"]["condition"], "RetryAttemptsExhausted")
                self.assertEqual(batch["batchSize"], 1)
                self.assertEqual(batch["startSequenceNumber"], batch["endSequenceNumber"])
                self.assertEqual(batch["streamArn"], self.system.outputs["StreamArn"])
                self.assertIn(self.system.outputs["BulkFunction"], failure["requestContext"]["functionArn"])
                self.assertEqual(self.record_of(failure)["dynamodb"]["Keys"]["pk"]["S"], keys[40])
                alone = [note for note in self.seen(keys[40]) if note["batch"] == 1]
                self.assertEqual(len(alone), 3)  # once, and MaximumRetryAttempts is 2
                times = [len(self.seen(key)) for key in keys if key != keys[40]]
                self.assertGreaterEqual(min(times), 1)
                if fail == "report":
                    self.assertEqual(max(times), 1)
                self.assertEqual(self.failures(wait=0), [])

    def test_a_process_killed_in_a_batch_has_the_batch_again(self):
        slow = self.put("bulk-slow", "sleep60")
        (first,) = self.await_record(slow)
        behind = self.put("bulk-behind")
        killed = time.time()
        os.kill(first["pid"], signal.SIGKILL)
        again = self.await_record(slow, times=2)[1]
        self.assertNotEqual(again["pid"], first["pid"])
        self.assertLess(again["at"] - killed, 3)
        self.await_record(behind)
        self.assertEqual(self.failures(wait=0), [])

    def test_order_holds_while_processes_are_killed(self):
        keys = []
        for _ in range(5):
            keys += [self.put("bulk-order") for _ in range(10)]
            os.kill(self.await_record(keys[-10])[0]["pid"], signal.SIGKILL)
        self.await_record(keys[-1])
        seen = [note["record"] for note in self.system.notes("record") if note["record"].startswith("bulk-order")]
        firsts = list(dict.fromkeys(seen))
        self.assertEqual(firsts, keys)
        self.assertEqual(self.failures(wait=0), [])

    def test_a_change_is_delivered_at_once(self):
        self.await_record(self.put("bulk-warm"))
        delays = []
        for _ in range(40):
            key = self.put("bulk-quick")
            written = time.time()
            delays.append(self.await_record(key)[0]["at"] - written)
        # The median is a few milliseconds; a lost wake-up would take half a second.
        self.assertLess(statistics.median(delays), 0.1, delays)

    def test_any_of_several_filters_lets_a_record_through(self):
        chosen = [self.put("bulk"), self.put("either"), self.put("other", **{"or": "yes"})]
        passed = self.put("other", **{"or": "no"})
        for key in chosen:
            self.await_record(key)
        self.await_record(self.put("bulk-last"))
        self.assertEqual(self.seen(passed), [])

    def test_the_metrics_of_the_alarms(self):
        queue = self.system.outputs["BulkFailures"].rpartition("/")[2]
        waiting = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue)
        poison = self.put("bulk", "error")
        self.eventually(lambda: self.maximum(*waiting) == 1, "the queue's depth is not reported")
        self.assertEqual(self.record_of(self.failures()[0])["dynamodb"]["Keys"]["pk"]["S"], poison)
        age = ("AWS/Lambda", "IteratorAge", "FunctionName", self.system.outputs["BulkFunction"])
        self.assertGreater(self.maximum(*age), 0)

    def maximum(self, namespace: str, name: str, dimension: str, value: str) -> float:
        """Read by both calls for metrics; -1 if there is no metric."""
        client, now = self.system.client("cloudwatch"), time.time()
        metric = {"Namespace": namespace, "MetricName": name, "Dimensions": [{"Name": dimension, "Value": value}]}
        times = {"StartTime": now - METRIC_SECONDS, "EndTime": now + 60}
        points = client.get_metric_statistics(**metric, **times, Period=2 * METRIC_SECONDS, Statistics=["Maximum"])
        query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 2 * METRIC_SECONDS, "Stat": "Maximum"}}
        values = client.get_metric_data(MetricDataQueries=[query], **times)["MetricDataResults"][0]["Values"]
        one, other = max((point["Maximum"] for point in points["Datapoints"]), default=-1), max(values, default=-1)
        self.assertLessEqual(one, other)
        return one


class Filters(unittest.TestCase):
    def test_patterns_as_in_the_template(self):
        keys = [
            ("PRODUCT#1", "PRODUCT"), ("PRODUCT#1", "RATING"), ("PRODUCT#1", "REVIEW#2"), ("PRODUCT#1", "REVIEWER"),
            ("USER#1", "PRODUCT"), ("USER#1", "REVIEW#2"),
        ]  # fmt: skip
        records = [{"dynamodb": {"Keys": {"pk": {"S": pk}, "sk": {"S": sk}}}} for pk, sk in keys]
        review = {"S": [{"prefix": "REVIEW#"}]}
        page = {"pk": {"S": [{"prefix": "PRODUCT#"}]}, "sk": {"S": ["PRODUCT", "RATING", {"prefix": "REVIEW#"}]}}
        either = {"pk": page["pk"], "$or": [{"sk": {"S": ["RATING"]}}, {"sk": review}]}
        for patterns, expected in (
            ([{"sk": review}], [2, 5]),
            ([page], [0, 1, 2]),
            ([either], [1, 2]),
            ([{"sk": review}, {"pk": {"S": ["USER#1"]}}], [2, 4, 5]),
        ):
            with self.subTest(patterns):
                filters = [{"Pattern": json.dumps({"dynamodb": {"Keys": pattern}})} for pattern in patterns]
                passed = streams.matching(records, {"FilterCriteria": {"Filters": filters}})
                self.assertEqual([records.index(record) for record in passed], expected)
