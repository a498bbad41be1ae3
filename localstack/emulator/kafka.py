"""Event source mappings on topics of Kafka, and the brokers of MSK clusters.

AWS: Lambda reads a topic as a consumer group, whose name is the mapping's id unless the mapping names another. A batch
may have records of several partitions. The records of a partition come in order. Offsets are committed once the function
has succeeded, so that a record may come again, and none is left out. A failed batch is retried until
MaximumRetryAttempts or MaximumRecordAgeInSeconds, without limit by default; with an on-failure destination and no limit,
ten times. With ReportBatchItemFailures, an identifier is `{"partition": "TOPIC-PARTITION", "offset": OFFSET}`: each
partition is retried from its first failed record.

ministack 1.5.33: mappings have no topics, and CloudFormation drops what names the brokers. GetBootstrapBrokers knows only
clusters that were made by CreateCluster, and invents brokers. Here, every cluster has the brokers of the local run,
without TLS. A batch is not split, nothing is sent to a destination, and filters are not applied. A mapping has as many
readers as `/_souk/kafka` says, one until a test wants more: its group is balanced anew when a reader joins or leaves.
"""

import base64
import json
import logging
import threading
import time
from pathlib import Path
from urllib.parse import unquote

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from ministack.core.responses import request_scope
from ministack.services import lambda_svc, msk
from ministack.services.cloudformation import provisioners

from emulator import dynamodb as emulated
from emulator.streams import FIRST_RETRY_SECONDS, PAYLOAD_LIMIT, retry_seconds

logger = logging.getLogger("emulator.kafka")

# The properties of a mapping that ministack drops; a change of the first four replaces the mapping.
PROPERTIES = (
    "SelfManagedEventSource", "Topics", "AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations", "ProvisionedPollerConfig",
)  # fmt: skip
REPLACING = PROPERTIES[:4]
DEFAULT_BATCH_SIZE = 100
DEFAULT_WINDOW_SECONDS = 0.1  # AWS: 0.5
ATTEMPTS_WITH_DESTINATION = 10
LOOK_SECONDS = 0.2
LEAVE_SECONDS = 10
BROKER_SECONDS = 2
ONLOOKER_SECONDS = 0.5
MOST = 8
LONGEST_INVOCATION_MS = 15 * 60 * 1000

_consumers = 1
_readers: dict[tuple[str, int], "Reader"] = {}
_onlookers: dict[tuple[str, str], Consumer] = {}  # by brokers and group
_stopping = threading.Event()
_directory = Path()


def apply(directory: Path) -> None:
    global _directory
    _directory = directory
    msk._get_bootstrap_brokers = bootstrap_brokers
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def create_whole(logical_id, properties, stack_name):
        uuid, attributes = create(logical_id, properties, stack_name)
        keep(uuid, properties)
        return uuid, attributes

    def update_whole(physical_id, old, new, stack_name):
        if any(old.get(name) != new.get(name) for name in REPLACING):
            replaced = create_whole(physical_id, new, stack_name)
            delete(physical_id, old)
            return replaced
        uuid, attributes = update(physical_id, old, new, stack_name)
        keep(uuid, new)
        return uuid, attributes

    handlers.update(create=create_whole, update=update_whole)
    emulated.reads_again = has_lost_its_work
    threading.Thread(target=watch, daemon=True, name="kafka").start()


def keep(uuid: str, properties: dict) -> None:
    mapping = lambda_svc._esms[uuid]
    mapping.update({name: properties[name] for name in PROPERTIES if name in properties})
    if "Topics" in mapping:
        mapping["BatchSize"] = int(properties.get("BatchSize", DEFAULT_BATCH_SIZE))
        mapping["MaximumBatchingWindowInSeconds"] = properties.get("MaximumBatchingWindowInSeconds")


def setting() -> dict:
    return {"consumers": _consumers}


def change(wanted) -> None:
    global _consumers
    number = wanted.get("consumers") if isinstance(wanted, dict) and wanted.keys() <= {"consumers"} else None
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST:
        raise ValueError(f"consumers is a whole number from 1 to {MOST}")
    _consumers = number


def reset() -> None:
    change({"consumers": 1})


def stop() -> None:
    """Ends all readers, so that the next ones need not wait until the broker misses these."""
    _stopping.set()
    deadline = time.monotonic() + LEAVE_SECONDS
    for reader in list(_readers.values()):
        reader.thread.join(max(0.0, deadline - time.monotonic()))


def local_run() -> dict:
    """What the commands have recorded."""
    try:
        return json.loads((_directory / "instance.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}


def local_brokers() -> str:
    """The brokers of the local run; empty without events."""
    return local_run().get("kafkaBrokers") or ""


def has_lost_its_work(mapping: dict) -> bool:
    """Whether the function writes to a broker that has forgotten everything since."""
    function = lambda_svc._functions.get(mapping["FunctionName"])
    settings = ((function or {}).get("config", {}).get("Environment") or {}).get("Variables") or {}
    return "KAFKA_BROKERS" in settings and local_run().get("kafkaKeeps") is False


def bootstrap_brokers(arn: str) -> tuple:
    """Replaces ministack's answer to GetBootstrapBrokers."""
    if not unquote(arn).startswith("arn:aws:kafka:"):
        return msk._json({"message": "The ARN is not that of a cluster."}, 400)
    return msk._json({"bootstrapBrokerString": local_brokers()})


def watch() -> None:
    """Starts the readers of mappings."""
    while not _stopping.wait(LOOK_SECONDS):
        for account, region, mapping in lambda_svc._iter_all_esms():
            for number in range(_consumers if mapping.get("Topics") else 0):
                if (mapping["UUID"], number) not in _readers:
                    _readers[mapping["UUID"], number] = Reader(account, region, mapping["UUID"], number)


class Reader:
    """One member of the consumer group of a mapping."""

    def __init__(self, account: str, region: str, uuid: str, number: int):
        self.scope = (account, region)
        self.uuid, self.number = uuid, number
        self.rebalanced, self.joined = False, True
        self.kept: list[Message] = []  # were read while a batch waited
        self.thread = threading.Thread(target=self.run, daemon=True, name=f"kafka-{uuid}-{number}")
        self.thread.start()

    def run(self) -> None:
        with request_scope(*self.scope):
            try:
                while self.wanted:
                    try:
                        self.read()
                    except Exception:
                        logger.exception("mapping %s", self.uuid)
                        _stopping.wait(1)
            finally:
                _readers.pop((self.uuid, self.number), None)

    @property
    def mapping(self) -> dict | None:
        return lambda_svc._esms.get(self.uuid)

    @property
    def wanted(self) -> bool:
        # The mock cluster waits without end for a member that leaves while it joins.
        needed = self.number < _consumers or not self.joined
        return self.mapping is not None and needed and not _stopping.is_set()

    def read(self) -> None:
        """Is a member of the group as long as nothing changes."""
        mapping, brokers = self.mapping, brokers_of(self.mapping)
        if not brokers or not mapping.get("Enabled", True):
            _stopping.wait(LOOK_SECONDS)
            return
        consumer = Consumer(settings(mapping, brokers), logger=logger)
        try:
            if not all(exists(consumer, topic) for topic in mapping["Topics"]):
                # A member whose topics are created later would learn of that after minutes.
                _stopping.wait(LOOK_SECONDS)
                return
            consumer.subscribe(mapping["Topics"], on_assign=self.join, on_revoke=self.rebalance)
            self.joined, self.kept = False, []
            while self.wanted and self.mapping.get("Enabled", True) and brokers_of(self.mapping) == brokers:
                messages = self.batch(consumer, self.mapping)
                self.rebalanced = False  # what was read before a rebalance in that time may come twice
                self.deliver_all(consumer, messages)
        finally:
            consumer.close()

    def join(self, _consumer, _partitions) -> None:
        self.joined = self.rebalanced = True

    def rebalance(self, _consumer, _partitions) -> None:
        self.rebalanced = True

    def batch(self, consumer: Consumer, mapping: dict) -> list[Message]:
        """Up to BatchSize messages, those that come within the window after the first one."""
        size = mapping.get("BatchSize", DEFAULT_BATCH_SIZE)
        messages, self.kept = self.kept, []
        if not messages:
            first = consumer.poll(LOOK_SECONDS)
            messages = [] if first is None else [first]
        if messages:
            window = mapping.get("MaximumBatchingWindowInSeconds")
            seconds = DEFAULT_WINDOW_SECONDS if window is None else float(window)
            messages += consumer.consume(max(0, size - len(messages)), seconds)
        return [message for message in messages if not failed(message)]

    def deliver_all(self, consumer: Consumer, messages: list[Message]) -> None:
        """Delivers the messages, 6 MB at most at a time. After a rebalance, what is left is read again."""
        part, payload = [], 0
        for message in messages:
            length = len(json.dumps(record(message)))
            if part and payload + length > PAYLOAD_LIMIT:
                self.deliver(consumer, part)
                part, payload = [], 0
            part.append(message)
            payload += length
        self.deliver(consumer, part)

    def deliver(self, consumer: Consumer, messages: list[Message]) -> None:
        attempt = 0
        while messages and self.wanted and not self.rebalanced:
            mapping = self.mapping
            function = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))[0]
            result = lambda_svc._execute_function(function, event(mapping, messages)) if function else {"throttle": True}
            if result.get("throttle"):
                self.pause(consumer, FIRST_RETRY_SECONDS)
                continue
            left = messages if result.get("error") else first_failed(result.get("body"), messages, mapping)
            if left and given_up(mapping, left, attempt):
                logger.error("mapping %s gives up %d records", self.uuid, len(left))
                left = []
            mapping["LastProcessingResult"] = "PROBLEM: Function call failed" if left else "OK"
            self.commit(consumer, [message for message in messages if message not in left])
            attempt = attempt + 1 if len(left) == len(messages) else 0
            messages = left
            if messages:
                self.pause(consumer, retry_seconds(attempt))

    def commit(self, consumer: Consumer, done: list[Message]) -> None:
        ends = {(message.topic(), message.partition()): message.offset() + 1 for message in done}
        if ends:
            try:
                offsets = [TopicPartition(topic, partition, end) for (topic, partition), end in ends.items()]
                consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException as error:  # the group was balanced meanwhile, or the broker is away
                logger.warning("mapping %s: offsets are not committed: %s", self.uuid, error)

    def pause(self, consumer: Consumer, seconds: float) -> None:
        """Waits, and takes part in a rebalance of the group meanwhile."""
        paused = consumer.assignment()
        consumer.pause(paused)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not self.rebalanced and not _stopping.is_set():
            message = consumer.poll(min(left, LOOK_SECONDS))
            if message is not None and not failed(message):
                self.kept.append(message)
        # Also what the reader does not have any more: it would stay paused when the reader has it again.
        consumer.resume(paused)


def exists(consumer: Consumer, topic: str) -> bool:
    try:
        return bool(consumer.list_topics(topic, BROKER_SECONDS).topics[topic].partitions)
    except KafkaException as error:
        logger.info("%s", error)
        return False


def brokers_of(mapping: dict | None) -> str:
    if mapping is None:
        return ""
    endpoints = (mapping.get("SelfManagedEventSource") or {}).get("Endpoints") or {}
    return ",".join(endpoints.get("KafkaBootstrapServers") or []) or local_brokers()


def group_of(mapping: dict) -> str:
    managed = mapping.get("AmazonManagedKafkaEventSourceConfig") or {}
    return (mapping.get("SelfManagedKafkaEventSourceConfig") or managed).get("ConsumerGroupId") or mapping["UUID"]


def settings(mapping: dict, brokers: str) -> dict:
    return {
        "bootstrap.servers": brokers,
        "group.id": group_of(mapping),
        "auto.offset.reset": "earliest" if mapping.get("StartingPosition") == "TRIM_HORIZON" else "latest",
        "enable.auto.commit": False,
        "reconnect.backoff.max.ms": 1000,
        "max.poll.interval.ms": LONGEST_INVOCATION_MS,
        "session.timeout.ms": 6000,  # the least that a broker takes: the mock cluster balances a group within this time
        "heartbeat.interval.ms": 500,
        "log_level": 2,
    }


def behind(mapping: dict) -> int | None:
    """The number of records that the group has not committed; None if the broker does not answer at once."""
    brokers = brokers_of(mapping)
    if not brokers:
        return None
    if (onlooker := _onlookers.get((brokers, group_of(mapping)))) is None:
        # Not a member of any group: it only asks what the brokers know of one.
        about = {"bootstrap.servers": brokers, "group.id": group_of(mapping), "log_level": 2, "enable.auto.commit": False}
        onlooker = _onlookers[brokers, group_of(mapping)] = Consumer(about, logger=logger)
    total = 0
    try:
        for topic in mapping["Topics"]:
            partitions = onlooker.list_topics(topic, ONLOOKER_SECONDS).topics[topic].partitions
            asked = [TopicPartition(topic, number) for number in partitions]
            for each in onlooker.committed(asked, ONLOOKER_SECONDS):
                low, high = onlooker.get_watermark_offsets(each, ONLOOKER_SECONDS)
                total += high - max(low, each.offset)
    except KafkaException as error:
        logger.info("%s", error)
        return None
    return total


def failed(message: Message) -> bool:
    """Whether it is an error, such as a topic that does not exist yet: librdkafka tries again by itself."""
    if message.error():
        logger.info("%s", message.error())
    return bool(message.error())


def event(mapping: dict, messages: list[Message]) -> dict:
    records: dict[str, list[dict]] = {}
    for message in messages:
        records.setdefault(partition(message), []).append(record(message))
    source = (
        {"eventSource": "aws:kafka", "eventSourceArn": mapping["EventSourceArn"]}
        if mapping.get("EventSourceArn")
        else {"eventSource": "SelfManagedKafka"}
    )
    return {**source, "bootstrapServers": brokers_of(mapping), "records": records}


def partition(message: Message) -> str:
    return f"{message.topic()}-{message.partition()}"


def record(message: Message) -> dict:
    kind, timestamp = message.timestamp()
    return {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": timestamp,
        "timestampType": "LOG_APPEND_TIME" if kind == 2 else "CREATE_TIME",
        **{
            name: base64.b64encode(content).decode()
            for name, content in (("key", message.key()), ("value", message.value()))
            if content is not None
        },
        "headers": [{name: list(value or b"")} for name, value in message.headers() or []],
    }


def first_failed(body, messages: list[Message], mapping: dict) -> list[Message]:
    """The messages to deliver again: of each partition, from the first on that the function reports; all after an
    invalid report."""
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []) or body in (None, "", {}):
        return []
    try:
        body = json.loads(body) if isinstance(body, (str, bytes)) else body
        reported = [failure["itemIdentifier"] for failure in body.get("batchItemFailures") or []]
        firsts: dict[str, int] = {}
        for each in reported:
            if not any(partition(one) == each["partition"] and one.offset() == each["offset"] for one in messages):
                return messages
            firsts[each["partition"]] = min(each["offset"], firsts.get(each["partition"], each["offset"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        return messages
    return [one for one in messages if one.offset() >= firsts.get(partition(one), one.offset() + 1)]


def given_up(mapping: dict, messages: list[Message], attempt: int) -> bool:
    has_destination = bool((mapping.get("DestinationConfig") or {}).get("OnFailure"))
    attempts = int(mapping.get("MaximumRetryAttempts", -1))
    if attempts < 0 and has_destination:
        attempts = ATTEMPTS_WITH_DESTINATION
    age = int(mapping.get("MaximumRecordAgeInSeconds", -1))
    oldest = min(message.timestamp()[1] for message in messages) / 1000
    return 0 <= attempts <= attempt or 0 <= age < time.time() - oldest
