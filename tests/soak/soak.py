"""The soak: shoppers go on while parts fail; afterwards stock, orders, money, ratings, concerts and events are exact."""

import argparse
import random
import secrets
import sys
import time

import gevent
from load import Load, exit_code, positive

import chaos
from check import Checks
from service import Service

COMMAND = "tests/soak/run"
RESERVED_SECONDS = 25  # of the time, for the checks
EPISODE_SECONDS = (3, 15)  # of a failure, at least and at most
CALM_SECONDS = 2
AT_ONCE = (2, 3)  # parts that fail at once
LONGER_SECONDS = 10  # for which a failure goes on, at most, until it has met somebody


class Soak:
    def __init__(self, load: Load, seed: int):
        self.load, self.service = load, load.service
        self.dice = random.Random(seed)
        every = [kind(self.service, self.dice) for kind in chaos.FAILURES]
        self.failures = [failure for failure in every if failure.is_possible()]
        self.waiting: list[chaos.Failure] = []  # those that have not had their turn in this round

    def run(self, seconds: float) -> None:
        begun, until = time.monotonic(), time.monotonic() + seconds
        for name, setting in chaos.SETTINGS.items():
            self.service.control("PUT", self.service.endpoint, name, setting)
        try:
            while (left := until - time.monotonic()) > EPISODE_SECONDS[0]:
                failing = self.chosen()
                # Short enough that in the short form, too, each has its turn.
                length = min(left, self.dice.uniform(EPISODE_SECONDS[0], min(EPISODE_SECONDS[1], seconds / 8)))
                names = ", ".join(failure.name for failure in failing)
                self.load.tell(f"{time.monotonic() - begun:>6.0f} s: {names}, for {length:.0f} s")
                self.episode(failing, length)
                gevent.sleep(min(CALM_SECONDS, max(0.0, until - time.monotonic())))
        finally:
            for name in chaos.SETTINGS:
                self.service.control("DELETE", self.service.endpoint, name)

    def chosen(self) -> list[chaos.Failure]:
        """Two or three, so that each has its turn before any has it again."""
        if not self.waiting:
            self.waiting = self.dice.sample(self.failures, len(self.failures))
        number = self.dice.randint(*AT_ONCE)
        chosen, self.waiting = self.waiting[:number], self.waiting[number:]
        return chosen

    def episode(self, failing: list[chaos.Failure], seconds: float) -> None:
        begun: list[chaos.Failure] = []
        try:
            for failure in failing:
                begun.append(failure)
                failure.begin()
            until = time.monotonic() + seconds
            while time.monotonic() < until or (time.monotonic() < until + LONGER_SECONDS and not all(each.met() for each in failing)):
                for failure in failing:
                    failure.renew()
                gevent.sleep(1)
        finally:
            for failure in begun:
                failure.end()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.splitlines()[0])
    parser.add_argument("instance", help="a running instance of localstack/up that nothing else uses meanwhile")
    parser.add_argument("--minutes", type=positive, default=60, metavar="N", help="how long it takes, with the checks (60)")
    parser.add_argument("--users", type=positive, default=8, metavar="N", help="shoppers (8)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 30), metavar="N", help="of the failures (random)")
    return parser.parse_args()


def main() -> int:
    return exit_code(COMMAND, run, parse())


def run(arguments: argparse.Namespace) -> int:
    begun = time.time()
    load = Load(Service(arguments.instance))
    load.tell(f"{arguments.users} shoppers, seed {arguments.seed}")
    soak = Soak(load, arguments.seed)
    load.runner.start(arguments.users, spawn_rate=arguments.users)
    try:
        soak.run(arguments.minutes * 60 - RESERVED_SECONDS - (time.time() - begun))
    finally:
        load.stop()
    figures = load.service.figures(begun, time.time())
    for failure in soak.failures:
        load.tell(f"{failure.name}: {failure.count} times")
    total = figures["requests"]["total"]
    load.tell(f"{total['count']} requests, {total['5xx']} answered with 5xx and sent again")
    return verdict(load, soak, Checks(load.service, load.ledger).all(load.tell))


def verdict(load: Load, soak: Soak, findings: list) -> int:
    wrong = [f"{finding.name}: {each}" for finding in findings for each in finding.wrong]
    wrong += [f"{name}: {status} {text} ({count} times)" for (name, status, text), count in load.ledger.refused.items()]
    if load.ledger.unanswered:
        wrong.append(f"{load.ledger.unanswered} requests were never answered")
    # A soak in which nothing failed shows nothing.
    wrong += [f"it did not happen: {failure.name}" for failure in soak.failures if not failure.count]
    for each in wrong:
        print(f"{COMMAND}: {each}", file=sys.stderr)
    load.tell("failed" if wrong else "everything is exact")
    return 1 if wrong else 0
