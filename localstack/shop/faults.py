"""Faults for tests: answers of a shop that is busy, broken or slow."""

from dataclasses import dataclass

from fault_rules import FaultRule, FaultRules
from loopback import Malformed

MEMBERS = {"id": str, "path": str, "status": int, "delaySeconds": int | float, "retryAfter": str, "times": int}


@dataclass(eq=False, kw_only=True)
class Rule(FaultRule):
    """`path` is a part of path and query."""

    status: int | None = None  # the answer's, instead of the page
    delaySeconds: float = 0  # until the answer
    retryAfter: str | None = None

    def as_json(self) -> dict:
        members = {name: getattr(self, name) for name in (*MEMBERS, "fired")}
        return {name: value for name, value in members.items() if value is not None}


class Faults(FaultRules[Rule]):
    def take(self, path: str) -> Rule | None:
        """The first rule that matches a request; counts it."""
        return self.first(lambda rule: rule.path in path)

    def parsed(self, members: dict) -> Rule:
        for name, value in members.items():
            if name not in MEMBERS:
                raise Malformed(f"a rule has no member {name}")
            if not isinstance(value, MEMBERS[name]) or isinstance(value, bool):
                raise Malformed(f"{name} {value!r} has another type")
        rule = Rule(**members)
        if rule.status is not None and not 200 <= rule.status <= 599:
            raise Malformed(f"status {rule.status!r}: a number from 200 to 599 is wanted")
        return rule
