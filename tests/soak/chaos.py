"""What fails during a soak. Each failure begins, is renewed every second while it lasts, and ends without a trace."""

import os
import random
import signal
from contextlib import suppress

from service import Service

# The steps of state machines and their undos, functions that answer requests, and readers of the stream and of the topic.
STEPS = (
    "stock-reserve", "payment-authorize", "order-confirm", "payment-capture", "order-undo",
    "band-prepare", "venue-prepare", "concert-prepare", "concert-publish", "concert-undo",
)  # fmt: skip
FRONTS = (
    "order-place", "order-cancel", "review-create", "review-update", "event-track", "user-register", "session-create",
    "concert-create",
)  # fmt: skip
READERS = ("rating-average", "cache-warm", "event-ingest", "event-sink")
SOME = 8  # functions whose answers are lost at once


class Failure:
    """A part that fails for a while."""

    name = ""

    def __init__(self, service: Service, dice: random.Random):
        self.service, self.dice = service, dice
        self.count = 0  # how often it happened

    def is_possible(self) -> bool:
        """Whether the instance has the part."""
        return True

    def begin(self) -> None:
        pass

    def renew(self) -> None:
        pass

    def met(self) -> bool:
        """Whether it has happened to somebody."""
        return self.count > 0

    def end(self) -> None:
        pass


class Rules(Failure):
    """Rules of the emulator."""

    ids: tuple[str, ...] = ()

    def rules(self) -> list[dict]:
        raise NotImplementedError

    def begin(self) -> None:
        seeded = [rule | {"seed": self.dice.randrange(1 << 30)} for rule in self.rules()]
        self.ids = tuple(rule["id"] for rule in self.service.control("POST", self.service.endpoint, "faults", seeded))

    def fired(self) -> int:
        listed = self.service.control("GET", self.service.endpoint, "faults")
        return sum(rule["fired"] for rule in listed if rule["id"] in self.ids)

    def met(self) -> bool:
        return self.count + self.fired() > 0

    def end(self) -> None:
        self.count += self.fired()
        for known in self.ids:
            self.service.control("DELETE", self.service.endpoint, f"faults/{known}")


class Throttles(Rules):
    name = "the table throttles"

    def rules(self) -> list[dict]:
        return [{"request": "*", "kind": kind, "chance": chance} for kind, chance in (("throttle", 0.08), ("conflict", 0.05))]


class LostAnswers(Rules):
    name = "answers are lost"

    def rules(self) -> list[dict]:
        lost = [{"request": "*", "kind": kind, "chance": 0.02} for kind in ("before", "after")]
        # Others each time: a rule for every function would take a while to make.
        for function in self.dice.sample((*STEPS, *FRONTS, *READERS), SOME):
            lost.append({"function": function, "kind": "after", "chance": 0.15})
        for function in self.dice.sample(STEPS, SOME // 2):
            lost.append({"function": function, "kind": "timeout", "chance": 0.08})
            lost.append({"function": function, "kind": "throttle", "chance": 0.1})
        return lost


class Kills(Failure):
    name = "functions are killed"

    def renew(self) -> None:
        processes = self.service.control("GET", self.service.endpoint, "processes")
        busy = [each["pid"] for environments in processes.values() for each in environments if each["busy"]]
        for pid in self.dice.sample(busy, min(2, len(busy))):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.count += 1


class Frozen(Failure):
    """A server that accepts connections and does not answer, and goes on later with what it had."""

    members: tuple[str, ...] = ()  # of the instance's record; one of them has the pid

    @property
    def pid(self) -> int | None:
        record = self.service.instance.record
        return next((record[member] for member in self.members if record.get(member)), None)

    def is_possible(self) -> bool:
        return self.pid is not None

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def begin(self) -> None:
        self.send(signal.SIGSTOP)
        self.count += 1

    def end(self) -> None:
        self.send(signal.SIGCONT)


class CacheAway(Frozen):
    name, members = "the cache is away", ("cachePid",)


class BrokerAway(Frozen):
    name, members = "the broker is away", ("brokerPid", "kafkaPid")


class ProviderFails(Failure):
    name = "the provider fails"

    def renew(self) -> None:
        """Some of the next calls: the provider's rules have no chance, so a few are made each second."""
        fails = [
            {"kind": "status", "path": "POST /v1/", "status": self.dice.choice((500, 503, 429)), "times": 1},
            {"kind": "drop", "path": "POST /v1/", "when": "after", "times": 1},
            {"kind": "drop", "path": "/confirm", "times": 1},
            {"kind": "lose", "times": 1},
        ]
        self.control("POST", self.dice.sample(fails, 2))

    def fired(self) -> int:
        return sum(rule["fired"] for rule in self.control("GET"))

    def met(self) -> bool:
        return self.count + self.fired() > 0

    def end(self) -> None:
        self.count += self.fired()
        self.control("PUT", [])

    def control(self, method: str, document=None):
        return self.service.control(method, self.service.payments, "faults", document)


class StoreFails(Failure):
    name = "ClickHouse takes nothing"

    def is_possible(self) -> bool:
        return bool(self.service.clickhouse)

    def begin(self) -> None:
        self.service.control("PUT", self.service.clickhouse, "faults", [{"path": "INSERT INTO", "status": 503}])
        self.count += 1

    def end(self) -> None:
        self.service.control("PUT", self.service.clickhouse, "faults", [])


FAILURES = (Kills, Throttles, LostAnswers, CacheAway, BrokerAway, ProviderFails, StoreFails)
# What AWS may do at any time: indexes lag, an execution runs twice, a number comes as a text.
SETTINGS = {"indexes": {"lagSeconds": 1}, "express": {"runs": 2}, "authorizer": {"numbers": "any"}}
