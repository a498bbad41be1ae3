"""The load test: more and more shoppers, until something gives; then everything has to be exact."""

import argparse
import re
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import gevent
from demo_data.api import Refused
from locust.env import Environment
from locust.html import get_html_report
from run.project import Failure

import report
import shopper
from bottleneck import bottleneck
from check import Checks
from ledger import Ledger
from service import Service
from setup import WORK

COMMAND = "tests/load/run"
STOP_SECONDS = 120
FIRST_USERS, MORE = 4, 1.6  # each step has that many times the users of the one before
SETTLE_PART = 0.25  # of a step, which is not counted: users are still coming, and functions start
GROWTH = 1.05  # a step with less than this many times the requests of the one before has found the limit
SLOW = 10  # a median that many times that of the first step is one, too
HEALTH = "GET /health"
PROGRESS_SECONDS = 5


@dataclass
class Step:
    users: int
    begin: float
    end: float = 0
    figures: dict = field(default_factory=dict)
    own_cpu: float = 0  # processors that the load test itself used

    @property
    def seconds(self) -> float:
        return self.end - self.begin

    @property
    def rate(self) -> float:
        return self.figures["requests"]["total"]["count"] / self.seconds

    def route(self, name: str) -> dict:
        return next((row for row in self.figures["requests"]["routes"] if row["name"] == name), {"p50Ms": 0, "p99Ms": 0})

    @property
    def function_cpu_ms(self) -> float:
        """CPU time of all functions for each request, in milliseconds."""
        used = sum(row["cpuSeconds"] for row in self.figures["machine"]["processes"] if row["isFunction"])
        return 1000 * used / max(1, self.figures["requests"]["total"]["count"])

    def of_health(self, name: str, rank: str = "p50Ms") -> float:
        """A route's time divided by that of a request that does nothing, in the same step."""
        health = self.route(HEALTH)[rank]
        return self.route(name)[rank] / health if health else 0


class Load:
    def __init__(self, service: Service):
        self.service = service
        self.ledger: Ledger = service.open_shop()
        user = shopper.of(service.base, self.ledger, service.category, service.watchable())
        self.environment = Environment(user_classes=[user], stop_timeout=STOP_SECONDS)
        self.runner = self.environment.create_local_runner()
        self.tty = sys.stdout.isatty()

    def run(self, users: int, seconds: float) -> Step:
        """A step with this many shoppers."""
        self.runner.start(users, spawn_rate=max(1, users / 4))
        gevent.sleep(seconds * SETTLE_PART)
        step, cpu = Step(users, time.time()), time.process_time()
        until = step.begin + seconds * (1 - SETTLE_PART)
        while (left := until - time.time()) > 0:
            gevent.sleep(min(left, PROGRESS_SECONDS))
            self.progress(users)
        step.end = time.time()
        step.own_cpu = (time.process_time() - cpu) / step.seconds
        step.figures = self.service.figures(step.begin, step.end)
        return step

    def progress(self, users: int) -> None:
        total = self.runner.stats.total
        line = (
            f"{users} shoppers: {total.current_rps:.0f} requests a second, p50 "
            f"{total.get_current_response_time_percentile(0.5) or 0:.0f} ms, {sum(self.ledger.faults.values())} faults"
        )
        print(f"\r\x1b[K{line}" if self.tty else line, end="" if self.tty else "\n", flush=True)

    def tell(self, text: str) -> None:
        print(f"\r\x1b[K{text}" if self.tty else text, flush=True)

    def stop(self) -> None:
        """Lets each shopper finish what it does, so that the ledger knows everything."""
        self.runner.stop()
        self.runner.quit()

    def locust_report(self, file: Path) -> None:
        file.write_text(get_html_report(self.environment, show_download_link=False))


def gave(steps: list[Step]) -> str:
    """What shows that the last step found a limit; empty if nothing does."""
    last, total = steps[-1], steps[-1].figures["requests"]["total"]
    if total["5xx"]:
        return f"{total['5xx']} answers were 5xx"
    if len(steps) < 2:
        return ""
    if last.rate < GROWTH * steps[-2].rate:
        return f"{last.users} shoppers get {last.rate:.0f} requests a second, {steps[-2].users} got {steps[-2].rate:.0f}"
    first = steps[0].figures["requests"]["total"]["p50Ms"]
    if total["p50Ms"] > SLOW * first:
        return f"the median is {total['p50Ms']:.0f} ms, and was {first:.0f} ms with {steps[0].users} shoppers"
    return ""


def climb(load: Load, arguments: argparse.Namespace) -> tuple[list[Step], str]:
    steps, users, reason = [], arguments.users, ""
    while not reason:
        steps.append(load.run(users, arguments.step))
        load.tell(report.line(steps[-1]))
        reason = gave(steps)
        if not reason and users >= arguments.most:
            reason = f"nothing gave up to {users} shoppers, the most that were wanted"
        users = min(arguments.most, int(users * MORE) + 1)
    return steps, reason


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.splitlines()[0])
    parser.add_argument("instance", help="a running instance of localstack/up")
    parser.add_argument("--users", type=positive, default=FIRST_USERS, metavar="N", help=f"shoppers of the first step ({FIRST_USERS})")
    parser.add_argument("--most", type=positive, default=200, metavar="N", help="shoppers of the last step, if nothing gives before (200)")
    parser.add_argument("--step", type=positive, default=40, metavar="SECONDS", help="length of a step (40)")
    parser.add_argument("--soak", type=positive, metavar="SECONDS", help="no steps: --users shoppers for this time, such as 3600")
    parser.add_argument("--html", type=Path, default=WORK / "report.html", metavar="FILE", help="the report (.souk/load/report.html)")
    return parser.parse_args()


def positive(word: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,5}", word):
        raise argparse.ArgumentTypeError(f"{word} is not a number from 1 on")
    return int(word)


def main() -> int:
    return exit_code(COMMAND, run, parse())


def exit_code(command: str, work: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Runs the load test or the soak; a failure is one line, and SIGTERM ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing that fails or runs is left behind
    try:
        return work(arguments)
    except KeyboardInterrupt:
        return 130
    except (Failure, Refused, OSError) as error:
        print(f"{command}: {error}", file=sys.stderr)
        return 1


def run(arguments: argparse.Namespace) -> int:
    load = Load(Service(arguments.instance))
    begun = time.time()
    try:
        if arguments.soak:
            steps, reason = [load.run(arguments.users, arguments.soak)], ""
            load.tell(report.line(steps[0]))
        else:
            steps, reason = climb(load, arguments)
            load.tell(f"it gives: {reason}")
    finally:
        load.stop()
    found = bottleneck(steps[-1])
    load.tell(f"bottleneck: {found}")
    load.tell(report.merit(best(steps)))
    findings = Checks(load.service, load.ledger).all(load.tell)
    figures = load.service.figures(begun, time.time())
    arguments.html.write_text(report.page(arguments.instance, steps, reason, found, findings, figures))
    load.locust_report(arguments.html.with_name("locust.html"))
    load.tell(f"report: {arguments.html}, and Locust's beside it in locust.html")
    return verdict(load, findings)


def best(steps: list[Step]) -> Step:
    return max(steps, key=lambda step: step.rate)


def verdict(load: Load, findings: list) -> int:
    ledger = load.ledger
    faults = [f"{name}: {status or 'no answer'} ({count} times)" for (name, status), count in ledger.faults.most_common(10)]
    faults += [f"{name}: {status} {text} ({count} times)" for (name, status, text), count in ledger.refused.most_common(10)]
    wrong = [f"{finding.name}: {each}" for finding in findings for each in finding.wrong]
    for each in faults + wrong:
        print(f"{COMMAND}: {each}", file=sys.stderr)
    load.tell("failed" if faults or wrong else "no answer was 5xx, and everything is exact")
    return 1 if faults or wrong else 0
