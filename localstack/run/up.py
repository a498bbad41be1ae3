"""`localstack/up`: environment, emulator, payment provider, shop, cache, Kafka, build, deployment, demo data.

A step does nothing if nothing changed.
"""

import argparse
import signal
import subprocess
import sys
import time

from clickhouse.account import PASSWORD, USER
from run import build, environment, kafka
from run.cache import Cache
from run.clickhouse import DATABASE, ClickHouse, migrate
from run.commands import named
from run.instance import Instance, program_digest
from run.payments import Payments
from run.project import LOCALSTACK, Failure, fail, say, warn
from run.server import Server
from run.shop import Shop

DEFAULT_PORT, DEFAULT_ENDPOINT_PORT = 8080, 4566
LAST_PORT = 65534  # the AWS API takes the next one
DEMO = LOCALSTACK / "demo"


def main() -> int:
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        instance = Instance(arguments.name)
        if arguments.build:
            build.require_tools()
        environment.enter()
        from run.deploy import refuse_faulty  # needs the virtual environment

        refuse_faulty(arguments.parameters)  # before it waits for another `up` of the instance
        lock = environment.SOUK / f"{instance.name}.lock"
        with environment.locked(lock, f"localstack/up{instance.options}"):
            run(instance, arguments)
    except Failure as failure:
        return fail("up", failure)
    except KeyboardInterrupt:
        return fail("up", Failure("interrupted")) + 129
    return 0


def parse() -> argparse.Namespace:
    parser = named("Builds the system, deploys template.yaml into the emulator, and prints how to call it.")
    parser.add_argument("--fresh", action="store_true", help="start from empty data")
    parser.add_argument(
        "--port", type=int, metavar="N",
        help="port of the HTTP API (default 8080, and 4566 for the AWS API); the AWS API takes the next one; "
             "0 takes two free ones",
    )  # fmt: skip
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="KEY=VALUE", help="a parameter of the template; may repeat"
    )
    parser.add_argument("--no-build", dest="build", action="store_false", help="the functions are built already")
    parser.add_argument("--no-demo", dest="demo", action="store_false", help="load no demo data")
    parser.add_argument(
        "--cache", action=argparse.BooleanOptionalAction,
        help="run a cache server, or run without one (default: run one if it can be had)",
    )  # fmt: skip
    parser.add_argument(
        "--no-events", dest="events", action="store_false",
        help="run nothing that collects events: no Kafka and no ClickHouse",
    )  # fmt: skip
    parser.add_argument(
        "--kafka", action="store_true",
        help="run Apache Kafka, with data on disk, instead of a mock cluster in memory (needs Java 17 and Maven)",
    )  # fmt: skip
    arguments = parser.parse_args()
    if arguments.kafka and not arguments.events:
        parser.error("--kafka and --no-events exclude each other")
    if arguments.port is not None and not 0 <= arguments.port <= LAST_PORT:
        parser.error(f"--port {arguments.port}: not from 0 to {LAST_PORT}")
    arguments.parameters = {}
    for parameter in arguments.parameter:
        name, equals, value = parameter.partition("=")
        if not equals:
            parser.error(f"--parameter {parameter}: not of the form KEY=VALUE")
        if name in arguments.parameters:
            parser.error(f"--parameter {name} is given twice")
        arguments.parameters[name] = value
    return arguments


def run(instance: Instance, arguments: argparse.Namespace) -> None:
    from run.deploy import deploy  # needs the virtual environment

    begun = time.monotonic()
    cache, beside, given = Cache(instance), [Payments(instance), Shop(instance)], arguments.parameters
    clickhouse, (broker, other_broker) = ClickHouse(instance), kafka.broker(instance, arguments.kafka)
    has_broker = arguments.events and "KafkaBrokers" not in given
    if has_broker and broker.has_forgotten() and instance.pid is not None:
        say("starting the emulator anew: what the Kafka broker had in memory is lost, and is read again from the stream")
        instance.stop()
    started = start(instance, cache, [*beside, broker, other_broker, clickhouse], arguments)
    if has_broker:
        other_broker.stop()
        beside.append(broker)
    else:
        kafka.forget(instance)
    if arguments.events and "ClickHouseUrl" not in given:
        beside.append(clickhouse)
    else:
        clickhouse.forget()
    try:
        if url := given.get("ClickHouseUrl"):
            account = given.get("ClickHouseUser", USER), given.get("ClickHousePassword", PASSWORD)
            migrate(url, *account, given.get("ClickHouseDatabase", DATABASE))
        for server in beside:
            server.start()
        provide(cache, arguments.cache)
        if arguments.build:
            build.build()
        deploy(instance, arguments.parameters)
        if arguments.demo:
            load_demo(instance)
    except BaseException:
        if started:
            for server in (instance, cache, *beside):
                server.stop()
        raise
    say(
        f"ready after {time.monotonic() - begun:.1f} s; AWS API {instance.record['endpointUrl']}, logs in "
        f"{instance.directory.relative_to(LOCALSTACK.parent)}"
    )
    print(how_to_call(instance.record["baseUrl"], bool(instance.record.get("demo"))))


def start(instance: Instance, cache: Cache, beside: list[Server], arguments: argparse.Namespace) -> bool:
    """Starts the emulator unless it runs as wanted; returns whether it was started."""
    ports = wanted_ports(arguments.port, instance)
    if arguments.fresh:
        for server in (cache, *beside, instance):
            server.stop()
        instance.forget()
    if instance.pid is not None:
        if recorded_ports(instance.record) == ports and instance.record.get("program") == program_digest():
            return False
        say("starting the emulator anew: its program or its port changed")
        instance.stop()
    cache.stop()  # its content may be newer than the data that the emulator starts with
    instance.start(*ports)
    return True


def provide(cache: Cache, wanted: bool | None) -> None:
    """The system also works without a cache; a missing cache server is an error only with `--cache`."""
    if wanted is False:
        cache.forget()
        return
    try:
        cache.start()
    except Failure as failure:
        if wanted:
            raise
        warn("up", f"going on without a cache, as --no-cache does: {failure}")
        cache.forget()


def wanted_ports(port: int | None, instance: Instance) -> tuple[int, int]:
    recorded = recorded_ports(instance.record)
    if port is None:
        return recorded or (DEFAULT_PORT, DEFAULT_ENDPOINT_PORT)
    if port == 0:
        return recorded if recorded and instance.pid is not None else (0, 0)
    if port == DEFAULT_PORT:
        return DEFAULT_PORT, DEFAULT_ENDPOINT_PORT
    return port, port + 1


def recorded_ports(record: dict) -> tuple[int, int] | None:
    if "baseUrl" not in record:
        return None
    return tuple(int(record[key].rpartition(":")[2]) for key in ("baseUrl", "endpointUrl"))


def load_demo(instance: Instance) -> None:
    if not DEMO.exists():
        return
    if not instance.record.get("demo"):
        say("loading demo data")
    # Also later: it opens a flash sale if none is on.
    result = subprocess.run([sys.executable, DEMO, instance.file], check=False)
    if result.returncode != 0:
        raise Failure("the demo data could not be loaded, see above")
    instance.write(demo=True)


def how_to_call(base: str, demo: bool) -> str:
    log_in = (
        f"curl -s {base}/sessions -H 'content-type: application/json' "
        """-d '{"email":"demo@souk.example","password":"correct horse battery"}'"""
    )
    token = f"""$({log_in} | python3 -c 'import json,sys; print(json.load(sys.stdin)["accessToken"])')"""
    calls = [
        f"curl -s '{base}/products?category=tea'",
        log_in,
        f'curl -s {base}/users/me -H "authorization: Bearer {token}"',
    ]
    if not demo:
        register = log_in.replace("/sessions", "/users").replace('"}', '","displayName":"Demo"}')
        calls = [f"curl -s {base}/health", register, log_in]
    return "\n".join([base, "", *calls])
