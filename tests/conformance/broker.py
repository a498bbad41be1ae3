"""Apache Kafka for the tests: one node in a folder of its own, which can be killed and started again."""

import atexit
import os
import signal

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from run.instance import Instance
from run.kafka import ApacheKafka


class Broker:
    def __init__(self):
        self.instance = Instance(f"conformance-{os.getpid()}")
        self.instance.directory.mkdir(parents=True)
        self.instance.write(name=self.instance.name)
        atexit.register(self.remove)
        self.server = ApacheKafka(self.instance)
        self.server.start()

    @property
    def address(self) -> str:
        return self.instance.record["kafkaBrokers"]

    def kill(self) -> None:
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.process.wait()

    def restart(self) -> None:
        before = self.address
        self.server.start()
        assert self.address == before, "its port was taken meanwhile"

    def remove(self) -> None:
        self.server.stop()
        self.instance.forget()

    def create(self, topic: str, partitions: int, **settings: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.address})
        wanted = NewTopic(topic, partitions, config={name.replace("_", "."): value for name, value in settings.items()})
        admin.create_topics([wanted])[topic].result(10)

    def partitions(self, topic: str) -> int:
        return len(AdminClient({"bootstrap.servers": self.address}).list_topics(topic, 10).topics[topic].partitions)

    def records(self, topic: str) -> list[tuple[int, str, str]]:
        """Partition, key and value of all records, those of a partition in order."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "reader", "auto.offset.reset": "earliest"})
        found = []
        for partition in range(self.partitions(topic)):
            _low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), 10)
            consumer.assign([TopicPartition(topic, partition, 0)])
            left = high
            while left > 0:
                messages = consumer.consume(left, 10)
                assert messages, f"{left} records of {topic} cannot be read"
                for message in messages:
                    assert not message.error(), message.error()
                    found.append((partition, message.key().decode(), message.value().decode()))
                    left = high - message.offset() - 1
        consumer.close()
        return found
