"""emulator/streams.py, with the settings of template.yaml and a clock of its own: what an outage of hours does to event-ingest."""

import itertools
import unittest
from types import SimpleNamespace
from unittest.mock import patch

import yaml
from emulator import streams
from run.project import LOCALSTACK
from run.template import Loader

HOUR = 3600
ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/souk/stream/2026-11-22T00:00:00.000"


def settings() -> dict:
    template = yaml.load((LOCALSTACK.parent / "template.yaml").read_text(), Loader)
    return template["Resources"]["EventIngestFunction"]["Properties"]["Events"]["Changes"]["Properties"]


class Outage(unittest.TestCase):
    def setUp(self):
        self.now = 1_795_000_000.0
        self.published: list[int] = []
        self.given_up: list[tuple[list[int], str]] = []
        self.attempts = 0

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def run_function(self, _function, event: dict) -> dict:
        self.attempts += 1
        self.now += 10  # the longest wait for a connection
        numbers = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
        if self.now < self.end:
            return {"body": {"batchItemFailures": [{"itemIdentifier": numbers[0]}]}}
        self.published += [int(number) for number in numbers]
        return {"body": {"batchItemFailures": []}}

    def describe(self, _mapping, _function, records: list[dict], _arn, _result, condition: str) -> None:
        self.given_up.append(([int(record["dynamodb"]["SequenceNumber"]) for record in records], condition))

    def deliver(self, hours: float, count: int) -> None:
        """Delivers records of which the function can publish none for this long."""
        self.end = self.now + hours * HOUR
        records = [
            {"eventSourceARN": ARN, "dynamodb": {"SequenceNumber": str(number), "ApproximateCreationDateTime": self.now}}
            for number in range(count)
        ]
        mapping = {**settings(), "EventSourceArn": ARN, "FunctionName": "event-ingest"}
        reader = streams.Reader("000000000000", "us-east-1", "mapping", 0)
        lambda_svc = SimpleNamespace(
            _esms={"mapping": mapping}, _execute_function=self.run_function, _send_ddb_stream_failure_record=self.describe,
            _get_func_record_for_qualifier=lambda _name, _qualifier: ({}, None),
        )  # fmt: skip
        waiting = SimpleNamespace(is_set=lambda: False, wait=self.wait)
        clock = SimpleNamespace(time=lambda: self.now, sleep=self.wait)
        with (
            patch.object(streams, "lambda_svc", lambda_svc),
            patch.object(streams, "_stopping", waiting),
            patch.object(streams, "time", clock),
            patch.object(streams.cloudwatch, "record_metric"),
        ):
            reader.deliver(records)

    def test_an_hour_without_kafka_gives_nothing_up(self):
        self.deliver(1, 20)
        self.assertEqual(self.published, list(range(20)))
        self.assertEqual(self.given_up, [])
        self.assertGreater(self.attempts, 200)

    def test_after_23_hours_without_kafka_the_queue_names_all_records(self):
        self.deliver(30, 2)
        self.assertEqual(self.published, [])
        named = itertools.chain.from_iterable(numbers for numbers, _condition in self.given_up)
        self.assertEqual((sorted(named), {condition for _numbers, condition in self.given_up}), ([0, 1], {"RecordAgeExceeded"}))
        self.assertEqual(settings()["DestinationConfig"]["OnFailure"]["Type"], "SQS")

    def test_retries_wait_longer_and_longer_and_no_longer_than_a_few_seconds(self):
        waits = [streams.retry_seconds(attempt) for attempt in (1, 2, 3, 100, 100_000)]
        self.assertEqual(waits, [0.2, 0.4, 0.8, 5, 5])
