"""The Kafka broker of an instance, on 127.0.0.1: a mock cluster in memory, or Apache Kafka with data on disk."""

import json
import socket
import subprocess
import urllib.request
from pathlib import Path

from run import maven
from run.instance import Instance
from run.module import HEALTH, Module
from run.project import LOCALSTACK, Failure
from run.server import Server, free_port

POM = LOCALSTACK / "broker" / "pom.xml"
CLUSTER_ID = "c291ay1sb2NhbC1ydW4tMQ"  # 16 bytes in base64, of our choice


class MockBroker(Module):
    """It forgets everything when it stops: the emulator then reads the table's stream from its beginning."""

    name, title = "broker", "Kafka broker"

    def greets(self, port: int) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{HEALTH}", timeout=1) as response:
            health = json.load(response)
        self.instance.write(kafkaBrokers=health["brokers"], kafkaKeeps=False)
        return health["pid"] == self.process.pid

    def has_forgotten(self) -> bool:
        """Whether it was started before and does not run any more."""
        return self.pid is None and self.instance.record.get("kafkaKeeps") is False


class ApacheKafka(Server):
    """One node in KRaft mode: broker and controller in one process."""

    name, title, scheme, start_seconds = "kafka", "Apache Kafka", "kafka", 60

    def has_forgotten(self) -> bool:
        return False

    @property
    def folder(self) -> Path:
        return self.instance.directory / "kafka"

    @property
    def settings_file(self) -> Path:
        return self.folder / "server.properties"

    def words(self, port: int) -> list[str]:
        libraries = fetched()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings_file.write_text(properties(port, free_port(), self.folder / "data"))
        if not (self.folder / "data" / "meta.properties").exists():
            words = java(libraries, "kafka.tools.StorageTool")
            format_it = [*words, "format", "--cluster-id", CLUSTER_ID, "--config", str(self.settings_file)]
            done = subprocess.run(format_it, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Failure(f"the folder of Apache Kafka cannot be formatted: {done.stdout}{done.stderr}")
        return [*java(libraries, "kafka.Kafka"), str(self.settings_file)]

    def mark(self) -> str:
        return f"kafka.Kafka {self.settings_file} "

    def greets(self, port: int) -> bool:
        # Of the virtual environment, in which `localstack/down` does not run.
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        brokers = f"127.0.0.1:{port}"
        socket.create_connection(("127.0.0.1", port), timeout=1).close()  # a client would write to standard error
        try:
            AdminClient({"bootstrap.servers": brokers}).list_topics(timeout=5)
        except KafkaException as error:
            raise OSError(str(error)) from error
        self.instance.write(kafkaBrokers=brokers, kafkaKeeps=True)
        return self.process.poll() is None


def properties(port: int, controller_port: int, data: Path) -> str:
    settings = {
        "process.roles": "broker,controller", "node.id": 1,
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER", "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "log.dirs": data,
        "default.replication.factor": 1, "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,  # 3 s by default
    }  # fmt: skip
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def java(libraries: Path, program: str) -> list[str]:
    return ["java", "-Xmx512m", "-cp", f"{libraries}/*", program]


def fetched() -> Path:
    """The folder of Kafka's libraries."""
    return maven.fetched(POM, "kafka", "Apache Kafka", 43)


def broker(instance: Instance, apache: bool) -> tuple[Server, Server]:
    """The broker that is wanted, and the one that is not."""
    both = MockBroker(instance), ApacheKafka(instance)
    return (both[1], both[0]) if apache else both


def forget(instance: Instance) -> None:
    for server in broker(instance, apache=False):
        server.stop()
    instance.write(kafkaBrokers=None, kafkaKeeps=None)
