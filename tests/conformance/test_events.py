"""The way of events from a request to Apache Kafka, with failures: each event is in the topic, and known by its id."""

import json
import os
import random
import signal
import subprocess
import threading
import time
import unittest
import urllib.request
import uuid
from contextlib import suppress
from pathlib import Path

import boto3
from broker import Broker
from clickhouse.account import PASSWORD, USER
from confluent_kafka import Consumer
from run.clickhouse import DATABASE, ClickHouse
from run.instance import Instance

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
TOPIC = "souk.events"


class Events(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()
        cls.name = f"conformance-{os.getpid()}-souk"
        cls.addClassCleanup(cls.remove)
        words = ["--name", cls.name, "--port", "0", "--no-demo", "--no-cache"]
        subprocess.run([ROOT / "localstack/up", *words, "--parameter", f"KafkaBrokers={cls.broker.address}"], check=True)
        cls.instance = Instance(cls.name)
        cls.found: dict[str, list[dict]] = {}
        settings = {"bootstrap.servers": cls.broker.address, "group.id": "reader", "auto.offset.reset": "earliest"}
        cls.reader = Consumer({**settings, "enable.auto.commit": False, "log_level": 2})

    @classmethod
    def remove(cls):
        subprocess.run([ROOT / "localstack/down", "--name", cls.name], check=True)
        Instance(cls.name).forget()
        cls.broker.remove()

    @classmethod
    def client(cls, service: str):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        return boto3.client(service, endpoint_url=cls.instance.record["endpointUrl"], **keys)

    def control(self, method: str, path: str, document=None):
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.instance.record['endpointUrl']}/_souk/{path}", body, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def send(self, count: int) -> tuple[str, int]:
        """Sends events of a new visitor; returns the visitor and their number."""
        visitor = uuid.uuid4().hex
        events = [
            {"type": "track", "event": f"Seen {number}", "anonymousId": visitor, "timestamp": "2026-11-22T00:00:00Z"}
            for number in range(count)
        ]
        body = json.dumps({"batch": events}).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.instance.record["baseUrl"] + "/events", body, headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            self.assertEqual(json.load(response)["events"], count)
        return visitor, count

    def read(self, seconds: float) -> None:
        for message in self.reader.consume(10_000, seconds):
            if not message.error():
                record = json.loads(message.value())
                self.assertEqual(message.key().decode(), record["visitor"])
                self.found.setdefault(record["visitor"], []).append(record)

    def arrive(self, sent: list[tuple[str, int]]) -> int:
        """Waits for all events; returns how many records came more than once."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        names = lambda visitor: {record["event"] for record in self.found.get(visitor, [])}  # noqa: E731
        while missing := [visitor for visitor, count in sent if len(names(visitor)) < count]:
            self.assertLess(time.monotonic(), deadline, f"events of {len(missing)} of {len(sent)} requests are missing")
            if not self.reader.assignment():
                self.reader.subscribe([TOPIC])
            self.read(0.5)
        repeats = 0
        for visitor, count in sent:
            ids = {record["id"] for record in self.found[visitor]}
            self.assertEqual(len(ids), count, "an event has one id")
            repeats += len(self.found[visitor]) - count
        return repeats

    def letters(self) -> list[dict]:
        queue = self.client("sqs").get_queue_url(QueueName="souk-event-ingest-failed")["QueueUrl"]
        received = self.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        return [json.loads(message["Body"]) for message in received.get("Messages", [])]

    def counted(self, sent: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """What ClickHouse has of these visitors: each, and how many events."""
        names = ", ".join(f"'{visitor}'" for visitor, _count in sent)
        sql = f"SELECT visitor, count() FROM events FINAL WHERE visitor IN ({names}) GROUP BY visitor"
        account = {"X-ClickHouse-User": USER, "X-ClickHouse-Key": PASSWORD}
        url = f"{self.instance.record['clickhouseUrl']}/?database={DATABASE}"
        with urllib.request.urlopen(urllib.request.Request(url, sql.encode(), account), timeout=60) as response:
            rows = [line.decode().split() for line in response]
        return [(visitor, int(count)) for visitor, count in rows]

    def fails(self, function: str, reason: str) -> None:
        """Waits until a function has failed for this reason once more."""
        log = self.instance.directory / "logs" / f"souk-{function}.log"
        failures = lambda: log.read_text().count(reason) if log.exists() else 0  # noqa: E731
        before, deadline = failures(), time.monotonic() + PATIENCE_SECONDS
        while failures() == before:
            self.assertLess(time.monotonic(), deadline, f"{function} did not fail with {reason!r}")
            time.sleep(0.1)

    def test_events_come_once_without_failures(self):
        sent = [self.send(count) for count in (1, 500, 20)]
        self.assertEqual(self.arrive(sent), 0)

    def test_nothing_is_lost_while_kafka_is_down(self):
        self.arrive([self.send(3)])
        self.broker.kill()
        try:
            sent = [self.send(5) for _ in range(10)]
        finally:
            self.broker.restart()
        self.arrive(sent)

    def test_each_event_counts_once_after_kafka_and_clickhouse_were_killed(self):
        clickhouse = ClickHouse(self.instance)
        first = [self.send(20) for _ in range(5)]
        self.arrive(first)
        os.kill(clickhouse.pid, signal.SIGKILL)
        in_topic = [self.send(20) for _ in range(5)]
        self.arrive(in_topic)
        self.broker.kill()
        try:
            in_stream = [self.send(20) for _ in range(5)]
            self.fails("event-ingest", "Kafka: ")
        finally:
            self.broker.restart()
        self.arrive(in_stream)
        self.fails("event-sink", "ClickHouse: ")
        clickhouse.start()
        sent, deadline = first + in_topic + in_stream, time.monotonic() + PATIENCE_SECONDS
        while sum(count for _visitor, count in self.counted(sent)) < 300:
            self.assertLess(time.monotonic(), deadline, self.counted(sent))
            time.sleep(0.1)
        self.assertEqual(sorted(self.counted(sent)), sorted(sent))

    def test_an_answer_that_is_lost_repeats_records_with_the_same_ids(self):
        rules = [{"function": "event-ingest", "kind": "after", "times": 2}]
        self.control("PUT", "faults", rules)
        self.addCleanup(self.control, "PUT", "faults", [])
        sent = [self.send(10)]
        self.arrive(sent)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.found[sent[0][0]]) < 30 and time.monotonic() < deadline:
            self.read(0.5)
        self.assertEqual(self.arrive(sent), 20)

    def test_a_function_that_is_killed_at_random_loses_nothing(self):
        draw, done, killed = random.Random(7), threading.Event(), 0

        def kill() -> None:
            nonlocal killed
            while not done.is_set() and killed < 20:
                for process in self.control("GET", "processes").get("souk-event-ingest", []):
                    if process["busy"] and draw.random() < 0.5:
                        with suppress(ProcessLookupError):
                            os.kill(process["pid"], signal.SIGKILL)
                            killed += 1

        killer = threading.Thread(target=kill)
        killer.start()
        self.addCleanup(done.set)
        sent = [self.send(draw.randint(1, 500)) for _ in range(100)]
        repeats = self.arrive(sent)
        done.set()
        killer.join()
        self.assertGreater(killed, 0)
        print(f"{sum(count for _visitor, count in sent)} events, {killed} kills, {repeats} repeats")

    def test_an_item_that_cannot_be_read_goes_to_the_queue_and_the_others_come(self):
        poison = str(uuid.uuid4())
        item = {"pk": {"S": f"EVENTS#{poison}"}, "sk": {"S": "EVENTS"}, "events": {"B": b"no events"}}
        before = self.send(2)
        self.client("dynamodb").put_item(TableName=self.instance.record["outputs"]["TableName"], Item=item)
        self.arrive([before, self.send(2)])
        self.assertTrue(any(poison in letter["error"] for letter in self.letters()))
