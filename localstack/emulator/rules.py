"""Fault rules for tests: what they match, how often they apply, and how they are written.

A rule names a function or a request to the table, and the effect on it. The first rule that matches applies; with
`chance`, a rule applies to some of what it matches, and its random numbers are a function of its `seed`. README.md
describes the members.
"""

import itertools
import random
import secrets
import threading
from dataclasses import dataclass, field

from ministack.services import lambda_svc

ANY = "*"  # the name of a request that stands for all that the kind can happen to
TIMED_OUT = "Sandbox.Timedout"  # Lambda's name for it
TRANSACTIONS = ("TransactGetItems", "TransactWriteItems")
WRITES = ("DeleteItem", "PutItem", "UpdateItem")
REQUESTS = (*WRITES, *TRANSACTIONS, "BatchGetItem", "BatchWriteItem", "GetItem", "Query", "Scan")


@dataclass(frozen=True)
class Kind:
    """What a rule does."""

    when: tuple[str, ...]  # the values that the rule's `when` may have; the first is the default
    error: str = ""  # the error type that the caller gets if the rule names none
    requests: tuple[str, ...] = ()  # those it can happen to; only for rules about requests


FUNCTION_KINDS = {
    "before": Kind(("before",), "Unavailable"),
    "after": Kind(("after",), "Unavailable"),
    "fail": Kind(("before", "after"), "Internal"),
    "throttle": Kind(("before",), "Lambda.TooManyRequestsException"),
    "timeout": Kind(("after", "before", "later"), "States.Timeout"),
    "hold": Kind(("before", "after")),
}
REQUEST_KINDS = {
    "before": Kind(("before",), "InternalServerError", REQUESTS),
    "after": Kind(("after",), "InternalServerError", REQUESTS),
    "conflict": Kind(("before",), "TransactionConflictException", (*WRITES, *TRANSACTIONS)),
    "throttle": Kind(("before",), "ThrottlingException", REQUESTS),
}

_rules: list["Rule"] = []
_lock = threading.Lock()
_numbers = itertools.count(1)


class Malformed(ValueError):
    """Describes what is wrong with a rule."""


@dataclass(eq=False)
class Rule:
    id: str
    kind: str
    when: str
    function: str = ""
    request: str = ""
    times: int | None = None
    skip: int = 0
    chance: float = 1
    seed: int = 0
    error_type: str = ""
    after_seconds: float = 0
    contains: list[str] = field(default_factory=list)
    seen: int = 0
    fired: int = 0
    waiting: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self):
        self.dice = random.Random(self.seed)

    def is_about(self, request: str) -> bool:
        return self.request == request or self.request == ANY and request in REQUEST_KINDS[self.kind].requests

    def takes(self, text: str) -> bool:
        """Whether the rule applies to this invocation or item; counts it."""
        with _lock:
            if self.released.is_set() or not all(part in text for part in self.contains):
                return False
            self.seen += 1
            if self.seen <= self.skip or (self.times is not None and self.fired >= self.times):
                return False
            if self.chance < 1 and self.dice.random() >= self.chance:
                return False
            self.fired += 1
            return True

    def hold(self) -> None:
        with _lock:
            self.waiting += 1
        self.released.wait()
        with _lock:
            self.waiting -= 1

    def as_json(self) -> dict:
        members = {
            "id": self.id, "function": self.function, "request": self.request, "kind": self.kind, "when": self.when,
            "times": self.times, "skip": self.skip, "errorType": self.error_type, "afterSeconds": self.after_seconds,
            "contains": self.contains, "seen": self.seen, "fired": self.fired, "waiting": self.waiting,
        }  # fmt: skip
        if self.chance < 1:
            members |= {"chance": self.chance, "seed": self.seed}
        return {name: value for name, value in members.items() if value not in (None, "", [])}


def of_function(name: str) -> list[Rule]:
    with _lock:
        return [rule for rule in _rules if rule.function == name]


def of_request(name: str) -> list[Rule]:
    with _lock:
        return [rule for rule in _rules if rule.is_about(name)]


def listed() -> list[dict]:
    with _lock:
        return [rule.as_json() for rule in _rules]


def add(document, instead: bool = False) -> list[dict]:
    """Adds one rule or a list of rules, or replaces all rules by them; adds all of them or none."""
    rules = [parsed(members) for members in (document if isinstance(document, list) else [document])]
    with _lock:
        known = [] if instead else [rule.id for rule in _rules]
        for rule in rules:
            if rule.id in known:
                raise Malformed(f"there are two rules {rule.id}")
            known.append(rule.id)
    if instead:
        remove()
    with _lock:
        _rules.extend(rules)
        return [rule.as_json() for rule in rules]


def remove(identifier: str | None = None) -> bool:
    """Deletes one rule or all, and releases what they hold; returns whether there was one."""
    with _lock:
        gone = [rule for rule in _rules if identifier in (None, rule.id)]
        _rules[:] = [rule for rule in _rules if rule not in gone]
        for rule in gone:
            rule.released.set()
    return bool(gone)


def parsed(members) -> Rule:
    if not isinstance(members, dict):
        raise Malformed("a rule is an object")
    members = dict(members)
    named = {name: members.pop(name) for name in ("function", "request") if name in members}
    if len(named) != 1:
        raise Malformed("a rule names a function or a request")
    kinds = FUNCTION_KINDS if "function" in named else REQUEST_KINDS
    kind = members.pop("kind", None)
    if kind not in kinds:
        raise Malformed(f"kind {kind!r}: one of {', '.join(kinds)} is wanted")
    contains = members.pop("contains", [])
    rule = Rule(
        id=str(members.pop("id", f"fault-{next(_numbers)}")),
        function=function(named["function"]) if "function" in named else "",
        request=request(named["request"], kinds[kind]) if "request" in named else "",
        kind=kind,
        when=members.pop("when", kinds[kind].when[0]),
        times=members.pop("times", None),
        skip=members.pop("skip", 0),
        chance=members.pop("chance", 1),
        seed=members.pop("seed", secrets.randbelow(2**32)),
        error_type=members.pop("errorType", kinds[kind].error),
        after_seconds=members.pop("afterSeconds", 0),
        contains=[contains] if isinstance(contains, str) else contains,
    )
    if members:
        raise Malformed(f"a rule has no member {', '.join(members)}")
    check(rule, kinds[kind])
    return rule


def check(rule: Rule, kind: Kind) -> None:
    if rule.when not in kind.when:
        raise Malformed(f"when {rule.when!r}: for {rule.kind} one of {', '.join(kind.when)} is wanted")
    if rule.kind == "timeout" and rule.error_type not in (kind.error, TIMED_OUT):
        raise Malformed(f"errorType {rule.error_type!r}: a timeout is {kind.error} or {TIMED_OUT}")
    whole = [("skip", rule.skip), ("seed", rule.seed)] + ([("times", rule.times)] if rule.times is not None else [])
    for name, number in whole:
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise Malformed(f"{name} {number!r}: a whole number of 0 or more is wanted")
    for name, value, most in (("afterSeconds", rule.after_seconds, 60), ("chance", rule.chance, 1)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
            raise Malformed(f"{name} {value!r}: a number from 0 to {most} is wanted")
    if not isinstance(rule.error_type, str):
        raise Malformed(f"errorType {rule.error_type!r}: a string is wanted")
    if not isinstance(rule.contains, list) or not all(isinstance(part, str) for part in rule.contains):
        raise Malformed("contains is a string or a list of strings")


def function(name) -> str:
    """The function's name on AWS: the given name, or the given name after the stack's name."""
    known = {key[-1] for key, _function in lambda_svc._functions.all_items()}
    found = next((each for each in (name, f"souk-{name}") if each in known), None)
    if found is None:
        raise Malformed(f"there is no function {name!r}")
    return found


def request(name, kind: Kind) -> str:
    if name not in (*kind.requests, ANY):
        raise Malformed(f"request {name!r}: one of {', '.join((*kind.requests, ANY))} is wanted")
    return name
