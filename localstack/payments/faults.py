"""Fault rules for tests: answers that are lost, late, or errors."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

KINDS = ("drop", "hang", "lose", "status")
WHEN = ("before", "after")


class Malformed(ValueError):
    """Describes what is wrong with a rule."""


@dataclass(eq=False)
class Rule:
    id: str
    kind: str
    path: str = ""
    when: str = "before"
    times: int | None = None
    contains: list[str] = field(default_factory=list)
    status: int = 500
    should_retry: bool | None = None
    kept: bool = False
    fired: int = 0
    removed: threading.Event = field(default_factory=threading.Event)

    def as_json(self) -> dict:
        members = {
            "id": self.id, "kind": self.kind, "path": self.path, "when": self.when, "times": self.times,
            "contains": self.contains, "fired": self.fired,
        }  # fmt: skip
        if self.kind == "status":
            members |= {"status": self.status, "shouldRetry": self.should_retry, "kept": self.kept}
        return {name: value for name, value in members.items() if value not in (None, "", [])}


class Faults:
    def __init__(self):
        self.lock = threading.Lock()
        self.rules: list[Rule] = []
        self.numbers = itertools.count(1)

    def take(self, when: str, path: str, text: str) -> Rule | None:
        """The first rule that matches a request; counts it. `path` begins with the method."""
        return self.first(lambda rule: rule.kind != "lose" and rule.when == when, path, text)

    def loses(self, kind: str, text: str) -> bool:
        """Whether a rule wants an event of this type not to be sent; counts it."""
        return self.first(lambda rule: rule.kind == "lose", kind, text) is not None

    def first(self, applies: Callable[[Rule], bool], path: str, text: str) -> Rule | None:
        with self.lock:
            for rule in self.rules:
                spent = rule.times is not None and rule.fired >= rule.times
                fits = rule.path in path and all(part in text for part in rule.contains)
                if applies(rule) and fits and not spent:
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
        """Deletes one rule or all, and ends the answers that they hang; returns whether there was one."""
        with self.lock:
            gone = [rule for rule in self.rules if identifier in (None, rule.id)]
            self.rules = [rule for rule in self.rules if rule not in gone]
        for rule in gone:
            rule.removed.set()
        return bool(gone)

    def parsed(self, members) -> Rule:
        if not isinstance(members, dict):
            raise Malformed("a rule is an object")
        members = dict(members)
        contains = members.pop("contains", [])
        rule = Rule(
            id=str(members.pop("id", f"fault-{next(self.numbers)}")),
            kind=members.pop("kind", None),
            path=members.pop("path", ""),
            when=members.pop("when", "before"),
            times=members.pop("times", None),
            contains=[contains] if isinstance(contains, str) else contains,
        )
        if rule.kind == "status":
            rule.status = members.pop("status", rule.status)
            rule.should_retry = members.pop("shouldRetry", None)
            rule.kept = members.pop("kept", False)
        if members:
            raise Malformed(f"a rule of this kind has no member {', '.join(members)}")
        for name, value, known in (("kind", rule.kind, KINDS), ("when", rule.when, WHEN)):
            if value not in known:
                raise Malformed(f"{name} {value!r}: one of {', '.join(known)} is wanted")
        strings = isinstance(rule.contains, list) and all(isinstance(part, str) for part in [*rule.contains, rule.path])
        if not strings:
            raise Malformed("path is a string, contains a string or a list of strings")
        if rule.times is not None and (type(rule.times) is not int or rule.times < 0):
            raise Malformed(f"times {rule.times!r}: a whole number of 0 or more is wanted")
        if type(rule.status) is not int or not 400 <= rule.status <= 599:
            raise Malformed(f"status {rule.status!r}: a number from 400 to 599 is wanted")
        if rule.should_retry not in (None, True, False) or rule.kept not in (True, False):
            raise Malformed("shouldRetry and kept are true or false")
        return rule
