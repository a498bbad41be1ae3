"""The commands that only read the record that `up` wrote: `down`, `url`, `processes`."""

import argparse
import json
import urllib.request

from run.cache import Cache
from run.instance import DEFAULT_NAME, Instance
from run.payments import Payments
from run.project import Failure, fail, say

PROCESSES = "/_souk/processes"  # of the AWS API's port, see emulator/control.py


def named(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--name", default=DEFAULT_NAME, help=f"which instance (default: {DEFAULT_NAME})")
    return parser


def down() -> int:
    arguments = named("Stops what localstack/up started; its data stays.").parse_args()
    try:
        instance = Instance(arguments.name)
        stopped = instance.stop()
        Cache(instance).stop()
        Payments(instance).stop()
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
    instance.require_running()
    with urllib.request.urlopen(instance.record["endpointUrl"] + PROCESSES, timeout=10) as response:
        return json.load(response)
