"""Fault rules for tests: invocations that fail, lose their answer, time out or wait.

A rule names a function and the effect on its invocations by any caller. The first rule that matches an invocation
applies; an invocation that was held is then compared with the later rules. README.md describes the members.
"""

import contextvars
import itertools
import json
import threading
import time
from dataclasses import dataclass, field

from ministack.services import lambda_svc, stepfunctions

from emulator import histories

# The values of `when` for each kind; the first is the default.
KINDS = {
    "before": ("before",),
    "after": ("after",),
    "fail": ("before", "after"),
    "timeout": ("after", "before", "later"),
    "hold": ("before", "after"),
}
ERROR_TYPES = {"before": "Unavailable", "after": "Unavailable", "fail": "Internal", "timeout": "States.Timeout"}
TIMED_OUT = "Sandbox.Timedout"  # Lambda's name for it

_rules: list["Rule"] = []
_lock = threading.Lock()
_numbers = itertools.count(1)


class Malformed(ValueError):
    """Describes what is wrong with a rule."""


@dataclass(eq=False)
class Rule:
    id: str
    function: str
    kind: str
    when: str
    times: int | None = None
    skip: int = 0
    error_type: str = ""
    after_seconds: float = 0
    contains: list[str] = field(default_factory=list)
    seen: int = 0
    fired: int = 0
    waiting: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def takes(self, text: str) -> bool:
        """Whether the rule applies to this invocation; counts it."""
        with _lock:
            if self.released.is_set() or not all(part in text for part in self.contains):
                return False
            self.seen += 1
            if self.seen <= self.skip or (self.times is not None and self.fired >= self.times):
                return False
            self.fired += 1
            return True

    def hold(self) -> None:
        with _lock:
            self.waiting += 1
        self.released.wait()
        with _lock:
            self.waiting -= 1

    def error(self, kind: str = "") -> dict:
        kind = kind or self.error_type
        return {"error": True, "body": {"errorType": kind, "errorMessage": f"fault {self.id}: {self.kind}"}}

    def as_json(self) -> dict:
        members = {
            "id": self.id, "function": self.function, "kind": self.kind, "when": self.when, "times": self.times,
            "skip": self.skip, "errorType": self.error_type, "afterSeconds": self.after_seconds,
            "contains": self.contains, "seen": self.seen, "fired": self.fired, "waiting": self.waiting,
        }  # fmt: skip
        return {name: value for name, value in members.items() if value not in (None, "", [])}


def apply() -> None:
    invoke = lambda_svc._execute_function_dispatch

    def invoke_unless(function, config, event, *rest):
        with _lock:
            rules = [rule for rule in _rules if rule.function == config["FunctionName"]]
        if not rules:
            return invoke(function, config, event, *rest)
        text = json.dumps(event, ensure_ascii=False)
        return meet(rules, text, config, lambda: invoke(function, config, event, *rest))

    lambda_svc._execute_function_dispatch = invoke_unless


def meet(rules: list[Rule], text: str, config: dict, work) -> dict:
    """The result of an invocation whose work is `work()`."""
    for place, rule in enumerate(rules):
        if not rule.takes(text):
            continue
        if rule.kind == "hold":
            if rule.when == "before":
                rule.hold()
            result = meet(rules[place + 1 :], text, config, work)
            if rule.when == "after":
                rule.hold()
            return result
        if rule.when == "after":
            work()
        elif rule.when == "later":
            afterwards = contextvars.copy_context()
            threading.Thread(target=afterwards.run, args=(late, rule, work), daemon=True).start()
        time.sleep(rule.after_seconds)
        return time_out(rule, config) if rule.kind == "timeout" else rule.error()
    return work()


def late(rule: Rule, work) -> None:
    rule.hold()
    work()


def time_out(rule: Rule, config: dict) -> dict:
    """A timeout that the caller gets at once."""
    if rule.error_type != TIMED_OUT and "TimeoutSeconds" in histories.task():
        raise stepfunctions._ExecutionError("States.Timeout", "")
    result = rule.error(TIMED_OUT)
    result["body"]["errorMessage"] += f": Task timed out after {config.get('Timeout', 3):.2f} seconds"
    return result


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
    kind = members.pop("kind", None)
    if kind not in KINDS:
        raise Malformed(f"kind {kind!r}: one of {', '.join(KINDS)} is wanted")
    contains = members.pop("contains", [])
    rule = Rule(
        id=str(members.pop("id", f"fault-{next(_numbers)}")),
        function=function(members.pop("function", None)),
        kind=kind,
        when=members.pop("when", KINDS[kind][0]),
        times=members.pop("times", None),
        skip=members.pop("skip", 0),
        error_type=members.pop("errorType", ERROR_TYPES.get(kind, "")),
        after_seconds=members.pop("afterSeconds", 0),
        contains=[contains] if isinstance(contains, str) else contains,
    )
    if members:
        raise Malformed(f"a rule has no member {', '.join(members)}")
    if rule.when not in KINDS[kind]:
        raise Malformed(f"when {rule.when!r}: for {kind} one of {', '.join(KINDS[kind])} is wanted")
    if kind == "timeout" and rule.error_type not in (ERROR_TYPES["timeout"], TIMED_OUT):
        raise Malformed(f"errorType {rule.error_type!r}: a timeout is {ERROR_TYPES['timeout']} or {TIMED_OUT}")
    whole = [("skip", rule.skip)] + ([("times", rule.times)] if rule.times is not None else [])
    for name, number in whole:
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise Malformed(f"{name} {number!r}: a whole number of 0 or more is wanted")
    if not isinstance(rule.after_seconds, (int, float)) or not 0 <= rule.after_seconds <= 60:
        raise Malformed(f"afterSeconds {rule.after_seconds!r}: a number from 0 to 60 is wanted")
    if not isinstance(rule.error_type, str):
        raise Malformed(f"errorType {rule.error_type!r}: a string is wanted")
    if not isinstance(rule.contains, list) or not all(isinstance(part, str) for part in rule.contains):
        raise Malformed("contains is a string or a list of strings")
    return rule


def function(name) -> str:
    """The function's name on AWS: the given name, or the given name after the stack's name."""
    known = {key[-1] for key, _function in lambda_svc._functions.all_items()}
    found = next((each for each in (name, f"souk-{name}") if each in known), None)
    if found is None:
        raise Malformed(f"there is no function {name!r}")
    return found
