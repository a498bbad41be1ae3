"""Fault rules of the servers beside the emulator: which rule applies to a request, and the calls that change the rules."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from loopback import Malformed


@dataclass(eq=False, kw_only=True)
class FaultRule:
    id: str
    path: str = ""  # a part of the path of the requests to which it applies
    times: int | None = None  # the number of requests to which it applies; None means all
    fired: int = 0
    removed: threading.Event = field(default_factory=threading.Event)

    @property
    def is_spent(self) -> bool:
        return self.times is not None and self.fired >= self.times

    def as_json(self) -> dict:
        raise NotImplementedError


Rule = TypeVar("Rule", bound=FaultRule)


class FaultRules(Generic[Rule]):
    def __init__(self):
        self.lock = threading.Lock()  # each request has a thread of its own
        self.rules: list[Rule] = []
        self.numbers = itertools.count(1)

    def parsed(self, members: dict) -> Rule:
        """The rule of a JSON object, which has an `id`. Raises Malformed."""
        raise NotImplementedError

    def first(self, applies: Callable[[Rule], bool]) -> Rule | None:
        """The first rule that applies and is not spent; counts it."""
        with self.lock:
            for rule in self.rules:
                if applies(rule) and not rule.is_spent:
                    rule.fired += 1
                    return rule
        return None

    def listed(self) -> list[dict]:
        with self.lock:
            return [rule.as_json() for rule in self.rules]

    def add(self, document, instead: bool = False) -> list[dict]:
        """Adds one rule or a list of rules, or replaces all rules by them; adds all of them or none."""
        rules = [self.numbered(members) for members in (document if isinstance(document, list) else [document])]
        if instead:
            self.remove()
        with self.lock:
            self.rules.extend(rules)
        return [rule.as_json() for rule in rules]

    def numbered(self, members) -> Rule:
        if not isinstance(members, dict):
            raise Malformed("a rule is an object")
        return self.parsed({"id": f"fault-{next(self.numbers)}", **members})

    def remove(self, identifier: str | None = None) -> bool:
        """Deletes one rule or all, and ends the answers that they delay; returns whether there was one."""
        with self.lock:
            gone = [rule for rule in self.rules if identifier in (None, rule.id)]
            self.rules = [rule for rule in self.rules if rule not in gone]
        for rule in gone:
            rule.removed.set()
        return bool(gone)
