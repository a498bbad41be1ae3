"""emulator/kafka.py, with librdkafka's mock cluster as broker."""

import json
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.harness import Case

CLUSTER = "arn:aws:kafka:us-east-1:000000000000:cluster/any/0f0e0d0c-0b0a-4908-8706-050403020100-1"
PARTITIONS = 4  # of a topic that the mock cluster creates


class Kafka(Case):
    @classmethod
    def setUpClass(cls):
        # A client with this setting runs the cluster.
        cls.cluster = Producer({"test.mock.num.brokers": 1, "log_level": 2})
        (broker,) = cls.cluster.list_topics(timeout=5).brokers.values()
        cls.brokers = f"{broker.host}:{broker.port}"
        cls.producer = Producer({"bootstrap.servers": cls.brokers, "log_level": 2})

    def setUp(self):
        if self.system.instance.record["parameters"].get("Brokers") != self.brokers:
            self.system.instance.write(kafkaBrokers=self.brokers)
            self.system.deploy(Brokers=self.brokers)

    def put(self, *values: dict, partition: int = 0, topic: str = "things") -> list[dict]:
        values = [{"name": uuid.uuid4().hex[:8], **value} for value in values]
        for value in values:
            self.producer.produce(topic, json.dumps(value), "key", partition=partition, headers={"h": b"1"})
        self.assertEqual(self.producer.flush(10), 0)
        return values

    def notes(self, values: list[dict]) -> list[dict]:
        return [note for note in self.system.notes("topic") if note["value"] in values]

    def times(self, value: dict) -> int:
        return len(self.notes([value]))

    def arrive(self, values: list[dict]) -> list[dict]:
        self.eventually(lambda: all(self.times(value) for value in values), "a record did not arrive")
        return self.notes(values)

    def committed(self, partition: int) -> int:
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "readers", "log_level": 2})
        try:
            (found,) = consumer.committed([TopicPartition("things", partition)], timeout=10)
            return found.offset
        finally:
            consumer.close()

    def test_records_come_once_in_order_in_batches(self):
        values = self.put(*({} for _ in range(20)))
        notes = self.arrive(values)
        self.assertEqual([note["value"] for note in notes], values)
        self.assertGreater(max(note["batch"] for note in notes), 1)
        self.assertLessEqual(max(note["batch"] for note in notes), 10)
        record, offsets = notes[0]["record"], [note["offset"] for note in notes]
        self.assertEqual(offsets, list(range(offsets[0], offsets[0] + 20)))
        self.assertEqual(record["key"], "a2V5")
        self.assertEqual((record["headers"], record["timestampType"]), ([{"h": [49]}], "CREATE_TIME"))
        self.assertEqual((notes[0]["partition"], notes[0]["source"]), ("things-0", "SelfManagedKafka"))
        self.eventually(lambda: self.committed(0) == offsets[-1] + 1, "offsets were not committed")

    def test_offsets_are_committed_only_after_success(self):
        self.addCleanup(self.system.control, "DELETE", "faults")
        hold = {"function": self.system.outputs["TopicFunction"], "kind": "hold", "when": "after"}
        self.system.control("PUT", "faults", [hold])
        (note,) = self.arrive(self.put({}, partition=1))
        self.assertLessEqual(self.committed(1), note["offset"])
        self.system.control("DELETE", "faults")
        self.eventually(lambda: self.committed(1) == note["offset"] + 1, "the offset was not committed")

    def test_a_failed_batch_comes_again_until_it_succeeds(self):
        values = self.put({}, {"fail": "error"}, {}, partition=2)
        self.arrive(values)
        self.assertEqual([self.times(value) for value in values], [2, 2, 1])

    def test_a_partition_is_retried_from_the_record_reported(self):
        first, second, third = self.put({}, {"fail": "report"}, {}, partition=3)
        self.arrive([third])
        self.assertEqual([self.times(value) for value in (first, second, third)], [1, 2, 1])

    def test_a_rebalance_loses_nothing(self):
        values = self.put({"fail": "sleep", "seconds": 0.5}, *({} for _ in range(9)))
        self.arrive(values[:1])
        self.addCleanup(self.system.control, "DELETE", "kafka")
        for consumers in (2, 1):
            self.system.control("PUT", "kafka", {"consumers": consumers})
            for partition in range(PARTITIONS):
                values += self.put(*({} for _ in range(5)), partition=partition)
            self.arrive(values)

    def test_a_rebalance_while_a_batch_waits_to_be_repeated_stops_no_reader(self):
        self.addCleanup(self.system.control, "DELETE", "kafka")
        self.addCleanup(self.system.control, "DELETE", "faults")
        self.system.control("PUT", "faults", [{"function": self.system.outputs["TopicFunction"], "kind": "fail"}])
        values = [self.put({}, partition=partition)[0] for partition in range(PARTITIONS)]
        # The fifth wait is of three seconds.
        self.eventually(lambda: self.system.control("GET", "faults")[0]["fired"] >= 5, "the batch was not repeated")
        self.system.control("PUT", "kafka", {"consumers": 2})
        self.eventually(lambda: self.system.control("GET", "faults")[0]["fired"] >= 8, "the batch was not repeated")
        self.system.control("DELETE", "faults")
        self.arrive(values)

    def test_a_mapping_of_a_cluster_reads_the_brokers_of_the_local_run(self):
        answer = self.system.client("kafka").get_bootstrap_brokers(ClusterArn=CLUSTER)
        self.assertEqual(answer["BootstrapBrokerString"], self.brokers)
        self.assertNotIn("BootstrapBrokerStringSaslIam", answer)
        (note,) = self.arrive(self.put({}, topic="clustered"))
        self.assertEqual(note["source"], CLUSTER)

    def test_samples_tell_how_far_a_reader_is_behind(self):
        def behind() -> int | None:
            lines = (self.system.instance.directory / "samples.jsonl").read_text().splitlines(keepends=True)
            last = [json.loads(line) for line in lines[-2:] if line.endswith("\n")][-1]
            return next(each["behind"] for each in last["topics"] if each["function"].startswith("TopicReader"))

        values = self.put({"fail": "sleep", "seconds": 2.5}, *({} for _ in range(4)), partition=2)
        self.eventually(behind, "no sample shows records that are not read")
        self.arrive(values)
        self.eventually(lambda: behind() == 0, "no sample shows that all are read")

    def test_a_number_of_consumers_that_is_none_is_refused(self):
        for wrong in ({"consumers": 0}, {"consumers": True}, {"readers": 1}):
            with self.assertRaisesRegex(Exception, "400"):
                self.system.control("PUT", "kafka", wrong)
