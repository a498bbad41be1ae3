"""Faults for tests: answers of a shop that is busy, broken or slow."""

import itertools
import threading
from dataclasses import dataclass, field

from shop.stock import Malformed

MEMBERS = {"id": str, "path": str, "status": int, "delaySeconds": int | float, "retryAfter": str, "times": int}


@dataclass(eq=False)
class Rule:
    id: str
    path: str = ""  # a part of path and query
    status: int | None = None  # the answer's, instead of the page
    delaySeconds: float = 0  # until the answer
    retryAfter: str | None = None
    times: int | None = None
    fired: int = 0
    removed: threading.Event = field(default_factory=threading.Event)

    def as_json(self) -> dict:
        members = {name: getattr(self, name) for name in (*MEMBERS, "fired")}
        return {name: value for name, value in members.items() if value is not None}


class Faults:
    def __init__(self):
        self.lock, self.rules, self.numbers = threading.Lock(), [], itertools.count(1)

    def take(self, path: str) -> Rule | None:
        """The first rule that matches a request; counts it."""
        with self.lock:
            for rule in self.rules:
                if rule.path in path and (rule.times is None or rule.fired < rule.times):
                    rule.fired += 1
                    return rule
        return None

    def listed(self) -> list[dict]:
        with self.lock:
            return [rule.as_json() for rule in self.rules]

    def add(self, document, instead: bool = False) -> list[dict]:
        """Adds one rule or a list of rules, or replaces all rules by them; adds all of them or none."""
        rules = [self.parsed(members) for members in (document if isinstance(document, list) else [document])]
        if instead:
            self.remove()
        with self.lock:
            self.rules.extend(rules)
        return [rule.as_json() for rule in rules]

    def remove(self, identifier: str | None = None) -> bool:
        """Deletes one rule or all, and ends their delays; returns whether there was one."""
        with self.lock:
            gone = [rule for rule in self.rules if identifier in (None, rule.id)]
            self.rules = [rule for rule in self.rules if rule not in gone]
        for rule in gone:
            rule.removed.set()
        return bool(gone)

    def parsed(self, members) -> Rule:
        if not isinstance(members, dict):
            raise Malformed("a rule is an object")
        for name, value in members.items():
            if name not in MEMBERS:
                raise Malformed(f"a rule has no member {name}")
            if not isinstance(value, MEMBERS[name]) or isinstance(value, bool):
                raise Malformed(f"{name} {value!r} has another type")
        rule = Rule(**{"id": f"fault-{next(self.numbers)}", **members})
        if rule.status is not None and not 200 <= rule.status <= 599:
            raise Malformed(f"status {rule.status!r}: a number from 200 to 599 is wanted")
        return rule
