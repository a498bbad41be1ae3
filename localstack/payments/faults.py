"""Fault rules for tests: answers that are lost, late, or errors."""

from dataclasses import dataclass, field

from fault_rules import FaultRule, FaultRules
from loopback import Malformed

KINDS = ("drop", "hang", "lose", "status")
WHEN = ("before", "after")


@dataclass(eq=False, kw_only=True)
class Rule(FaultRule):
    """`path` is a part of method and path, or of an event's type."""

    kind: str
    when: str = "before"
    contains: list[str] = field(default_factory=list)
    status: int = 500
    should_retry: bool | None = None
    kept: bool = False

    def matches(self, path: str, text: str) -> bool:
        return self.path in path and all(part in text for part in self.contains)

    def as_json(self) -> dict:
        members = {
            "id": self.id, "kind": self.kind, "path": self.path, "when": self.when, "times": self.times,
            "contains": self.contains, "fired": self.fired,
        }  # fmt: skip
        if self.kind == "status":
            members |= {"status": self.status, "shouldRetry": self.should_retry, "kept": self.kept}
        return {name: value for name, value in members.items() if value not in (None, "", [])}


class Faults(FaultRules[Rule]):
    def take(self, when: str, path: str, text: str) -> Rule | None:
        """The first rule that matches a request; counts it. `path` begins with the method."""
        return self.first(lambda rule: rule.kind != "lose" and rule.when == when and rule.matches(path, text))

    def loses(self, kind: str, text: str) -> bool:
        """Whether a rule wants an event of this type not to be sent; counts it."""
        return self.first(lambda rule: rule.kind == "lose" and rule.matches(kind, text)) is not None

    def parsed(self, members: dict) -> Rule:
        members = dict(members)
        contains = members.pop("contains", [])
        rule = Rule(
            id=str(members.pop("id")),
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
