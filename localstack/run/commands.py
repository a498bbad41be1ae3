"""The commands that only read the record that `up` wrote: `down`, `url`, `processes`, `mail`."""

import argparse
import json
import time
import urllib.parse
import urllib.request

from run import kafka
from run.cache import Cache
from run.clickhouse import ClickHouse
from run.instance import DEFAULT_NAME, Instance
from run.payments import Payments
from run.project import Failure, fail, say
from run.shop import Shop

# Of the AWS API's port, see emulator/control.py.
PROCESSES = "/_souk/processes"
MAILS = "/_souk/mails/"
FOLLOW_SECONDS = 0.5


class Parser(argparse.ArgumentParser):
    """Refuses options in one line, as the commands print all their failures. The original prints the usage before it."""

    def error(self, message: str):
        fail(self.prog, Failure(f"{message}; --help lists the options"))
        self.exit(2)


def named(description: str) -> argparse.ArgumentParser:
    parser = Parser(description=description)
    parser.add_argument("--name", default=DEFAULT_NAME, help=f"which instance (default: {DEFAULT_NAME})")
    return parser


def down() -> int:
    arguments = named("Stops what localstack/up started; its data stays.").parse_args()
    try:
        instance = Instance(arguments.name)
        stopped = instance.stop()
        Cache(instance).stop()
        Payments(instance).stop()
        Shop(instance).stop()
        for broker in kafka.broker(instance, apache=False):
            broker.stop()
        ClickHouse(instance).stop()
        say(f"{instance.name} is stopped" if stopped else f"{instance.name} is not running")
    except Failure as failure:
        return fail("down", failure)
    return 0


def url() -> int:
    arguments = named("Prints the base URL of the running system.").parse_args()
    try:
        instance = Instance(arguments.name)
        instance.require_running()
        print(instance.record["baseUrl"])
    except Failure as failure:
        return fail("url", failure)
    return 0


def processes() -> int:
    parser = named("Prints the pids of the processes that run a function, one a line.")
    parser.add_argument("function", metavar="FUNCTION", help="a folder under functions/, such as product-get")
    parser.add_argument("--busy", action="store_true", help="only those that an invocation is under way in")
    arguments = parser.parse_args()
    try:
        running = processes_of(Instance(arguments.name))
        known = [name for name in running if name in (arguments.function, f"souk-{arguments.function}")]
        if not known:
            raise Failure(f"there is no function {arguments.function}")
        for process in running[known[0]]:
            if process["busy"] or not arguments.busy:
                print(process["pid"])
    except Failure as failure:
        return fail("processes", failure)
    return 0


def processes_of(instance: Instance) -> dict[str, list[dict]]:
    """The processes of each function, by its name on AWS."""
    return asked(instance, PROCESSES)


def mail() -> int:
    parser = named("Prints the mails that the running system has sent, the oldest first.")
    parser.add_argument("--to", default="", metavar="ADDRESS", help="only those to this address")
    parser.add_argument("--follow", action="store_true", help="go on with those that are sent from now on")
    arguments = parser.parse_args()
    try:
        instance, printed = Instance(arguments.name), 0
        while True:
            mails = asked(instance, MAILS + urllib.parse.quote(arguments.to))
            for each in mails[printed:]:
                print(shown(each), flush=True)
            printed = len(mails)
            if not arguments.follow:
                return 0
            time.sleep(FOLLOW_SECONDS)
    except Failure as failure:
        return fail("mail", failure)
    except KeyboardInterrupt:
        return 0


def shown(mail: dict) -> str:
    heads = {"Date": mail["at"], "From": mail["from"], "To": ", ".join(mail["to"]), "Subject": mail["subject"]}
    return "\n".join(f"{name}: {value}" for name, value in heads.items()) + f"\n\n{mail['text']}"


def asked(instance: Instance, path: str):
    """The answer of the emulator to a GET request on the AWS API's port."""
    instance.require_running()
    with urllib.request.urlopen(instance.record["endpointUrl"] + path, timeout=10) as response:
        return json.load(response)
