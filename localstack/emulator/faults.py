"""Faults of functions: invocations by any caller that fail, lose their answer, time out, wait or are throttled."""

import contextvars
import json
import threading
import time

from ministack.services import lambda_svc, stepfunctions

from emulator import histories, logs, rules
from emulator.rules import TIMED_OUT, Rule


def apply() -> None:
    invoke = lambda_svc._execute_function_dispatch

    def invoke_unless(function, config, event, *rest):
        found = rules.of_function(config["FunctionName"])
        if not found:
            return invoke(function, config, event, *rest)
        text = json.dumps(event, ensure_ascii=False)
        return meet(found, text, config, lambda: invoke(function, config, event, *rest))

    lambda_svc._execute_function_dispatch = invoke_unless


def meet(found: list[Rule], text: str, config: dict, work) -> dict:
    """The result of an invocation whose work is `work()`."""
    for place, rule in enumerate(found):
        if not rule.takes(text):
            continue
        if rule.kind == "hold":
            if rule.when == "before":
                rule.hold()
            result = meet(found[place + 1 :], text, config, work)
            if rule.when == "after":
                rule.hold()
            return result
        if rule.when == "after":
            work()
        elif rule.when == "later":
            afterwards = contextvars.copy_context()
            threading.Thread(target=afterwards.run, args=(late, rule, work), daemon=True).start()
        time.sleep(rule.after_seconds)
        if rule.kind == "throttle":
            return throttle(config)
        return time_out(rule, config) if rule.kind == "timeout" else error(rule)
    return work()


def late(rule: Rule, work) -> None:
    rule.hold()
    work()


def error(rule: Rule, kind: str = "") -> dict:
    kind = kind or rule.error_type
    return {"error": True, "body": {"errorType": kind, "errorMessage": f"fault {rule.id}: {rule.kind}"}}


def throttle(config: dict) -> dict:
    """What a caller gets when the concurrency of the account is used up."""
    logs.count_throttle(config["FunctionName"], throttle=True)
    return lambda_svc._throttle_response("ConcurrentInvocationLimitExceeded", "Rate Exceeded.")


def time_out(rule: Rule, config: dict) -> dict:
    """A timeout that the caller gets at once."""
    if rule.error_type != TIMED_OUT and "TimeoutSeconds" in histories.task():
        raise stepfunctions._ExecutionError("States.Timeout", "")
    result = error(rule, TIMED_OUT)
    result["body"]["errorMessage"] += f": Task timed out after {config.get('Timeout', 3):.2f} seconds"
    return result
