"""shared/kafka against Apache Kafka, through its example program `write`."""

import subprocess
import time
import unittest
import uuid
from pathlib import Path

from broker import Broker
from confluent_kafka import Producer

WRITE = Path(__file__).resolve().parents[2] / "target" / "debug" / "examples" / "write"


class Written(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()

    @classmethod
    def tearDownClass(cls):
        cls.broker.remove()

    def setUp(self):
        self.topic = f"events-{uuid.uuid4().hex[:8]}"

    def write(self, lines: list[tuple[str, str]], check: bool = True) -> tuple[int, list[int], float]:
        """Exit status, the lines that were refused, and the seconds that the writing took."""
        text = "".join(f"{key}\t{value}\n" for key, value in lines)
        words = [WRITE, self.broker.address, self.topic]
        done = subprocess.run(words, input=text, capture_output=True, text=True, check=False, timeout=60)
        self.assertTrue(done.returncode == 0 or not check, done.stderr)
        *refused, seconds = done.stdout.splitlines() or ["0 s"]
        return done.returncode, [int(each) for each in refused], float(seconds.removesuffix(" s"))

    def test_a_topic_that_does_not_exist_is_created_and_every_record_is_there_once_in_order(self):
        lines = [(f"visitor-{number % 50}", str(number)) for number in range(20_000)]
        _status, refused, seconds = self.write(lines)
        self.assertEqual((refused, self.broker.partitions(self.topic)), ([], 12))
        records = self.broker.records(self.topic)
        self.assertEqual(sorted((key, value) for _partition, key, value in records), sorted(lines))
        for visitor in {key for key, _value in lines}:
            own = [(partition, int(value)) for partition, key, value in records if key == visitor]
            self.assertEqual(len({partition for partition, _value in own}), 1)
            self.assertEqual([value for _partition, value in own], sorted(value for _partition, value in own))
        print(f"{len(lines) / seconds:,.0f} records a second to Apache Kafka, unoptimised")

    def test_a_key_has_the_partition_that_other_producers_give_it(self):
        keys = [f"{number:x}" * (number % 9 + 1) for number in range(300)]
        self.write([(key, "ours") for key in keys])
        other = Producer({"bootstrap.servers": self.broker.address, "partitioner": "murmur2"})
        for key in keys:
            other.produce(self.topic, b"theirs", key)
        self.assertEqual(other.flush(10), 0)
        of_key: dict[str, set[int]] = {}
        for partition, key, _value in self.broker.records(self.topic):
            of_key.setdefault(key, set()).add(partition)
        self.assertEqual({key: len(found) for key, found in of_key.items()}, dict.fromkeys(keys, 1))

    def test_only_a_record_that_is_too_large_is_refused(self):
        # Digits of random numbers are hard to compress: the limit applies to compressed batches.
        large = "".join(uuid.uuid4().hex for _ in range(40_000))
        lines = [("a", "1"), ("a", large), ("b", "2"), ("a", "3")]
        _status, refused, _seconds = self.write(lines)
        self.assertEqual(refused, [1])
        records = self.broker.records(self.topic)
        self.assertEqual([value for _partition, key, value in records if key == "a"], ["1", "3"])
        self.assertEqual([value for _partition, key, value in records if key == "b"], ["2"])

    def test_a_topic_with_a_lower_limit_gets_smaller_batches(self):
        self.broker.create(self.topic, 2, max_message_bytes="20000")
        lines = [("a", uuid.uuid4().hex * 20 + str(number)) for number in range(2000)]
        self.assertEqual(self.write(lines)[1], [])
        self.assertEqual([value for _partition, _key, value in self.broker.records(self.topic)], [value for _key, value in lines])

    def test_a_broker_that_is_killed_and_comes_back_has_what_was_acknowledged(self):
        before = [("a", f"before-{number}") for number in range(500)]
        self.write(before)
        self.broker.kill()
        begun = time.monotonic()
        self.assertNotEqual(self.write([("a", "lost")], check=False)[0], 0)
        self.assertLess(time.monotonic() - begun, 20)  # the function's invocation must not end first
        self.broker.restart()
        self.write([("a", "after")])
        values = [value for _partition, _key, value in self.broker.records(self.topic)]
        self.assertEqual(values, [value for _key, value in before] + ["after"])
