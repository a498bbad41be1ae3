"""State machines.

AWS: an execution starts at once; StartExecution with the name and input of a running execution returns the first
answer again; a retrier has MaxDelaySeconds and full jitter; Succeed and the default of a Choice have an Output in
JSONata; a task whose function is throttled fails with Lambda.TooManyRequestsException, and an error of Lambda itself
has a text as its cause and no JSON.

ministack 1.5.33: waits 150 ms before each execution, refuses every name that was used before, ignores
MaxDelaySeconds, JitterStrategy, and Output in these two states; a throttled task fails with Lambda.Unknown.

For tests, this module also scales the delays of retriers and of Wait states, each by its own factor.
"""

import math
import random
import sys
import time

from ministack.core.responses import json_response
from ministack.services import lambda_svc, stepfunctions

from emulator import histories

RETRYING = ("_execute_task", "_with_retry_and_catch")  # the functions of ministack that wait before a retry

scales = {"retry": 1.0, "wait": 1.0}


def apply() -> None:
    stepfunctions.time = Clock()
    stepfunctions._scaled_sleep = scaled_sleep
    stepfunctions._find_matching_retrier = with_delay(stepfunctions._find_matching_retrier)
    stepfunctions._start_execution = with_same_name(stepfunctions._start_execution)
    stepfunctions._apply_output_path = with_succeed_output(stepfunctions._apply_output_path)
    stepfunctions._execute_choice = with_default_output(stepfunctions._execute_choice)
    lambda_svc._execute_function_with_config_scope = with_lambdas_errors(lambda_svc._execute_function_with_config_scope)


class Clock:
    """The time module without the wait at the start of an execution."""

    def __getattr__(self, name):
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        if sys._getframe(1).f_code.co_name != "_run_execution":
            time.sleep(seconds)


def setting() -> dict:
    return scales


def reset() -> None:
    change(dict.fromkeys(scales, 1))


def change(wanted) -> None:
    if not isinstance(wanted, dict) or not wanted.keys() <= scales.keys():
        raise ValueError(f"delays are an object with members of {', '.join(scales)}")
    for name, factor in wanted.items():
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 <= factor < math.inf:
            raise ValueError(f"{name}: a factor of 0 or more is wanted")
    scales.update(wanted)


def scaled_sleep(seconds: float) -> None:
    kind = "retry" if sys._getframe(1).f_code.co_name in RETRYING else "wait"
    time.sleep(seconds * scales[kind])


def with_delay(find):
    """Gives ministack a retrier with a constant interval: the delay that AWS would choose."""

    def find_with_delay(retriers, error, counts):
        retrier, index = find(retriers, error, counts)
        if retrier is None:
            return retrier, index
        delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** counts.get(index, 0)
        delay = min(delay, retrier.get("MaxDelaySeconds", delay))
        if retrier.get("JitterStrategy") == "FULL":
            delay = random.uniform(0, delay)
        return {**retrier, "IntervalSeconds": delay, "BackoffRate": 1.0}, index

    return find_with_delay


def with_lambdas_errors(execute):
    """Gives a task the errors of Lambda itself as Step Functions does."""

    def execute_function(function, event):
        result = execute(function, event)
        if not result.get("error") or not histories.task():
            return result
        if result.get("throttle"):
            cause = "Rate Exceeded. (Service: Lambda, Status Code: 429)"
            raise stepfunctions._ExecutionError("Lambda.TooManyRequestsException", cause)
        body = result["body"] if isinstance(result.get("body"), dict) else {}
        if body.get("errorType", "").startswith("Lambda."):
            raise stepfunctions._ExecutionError(body["errorType"], body["errorMessage"])
        return result

    return execute_function


def with_same_name(start):
    def start_or_repeat(data):
        machine = stepfunctions._resolve_state_machine_arn(data.get("stateMachineArn", ""))
        if machine and data.get("name"):
            prefix = machine.replace(":stateMachine:", ":execution:")
            execution = stepfunctions._executions.get(f"{prefix}:{data['name']}")
            if execution and execution["status"] == "RUNNING" and execution["input"] == data.get("input", "{}"):
                answer = {"executionArn": execution["executionArn"], "startDate": execution["startDate"]}
                return json_response(answer)
        return start(data)

    return start_or_repeat


def with_succeed_output(apply_output_path):
    def apply_output(state, data, context=None):
        if state.get("Type") == "Succeed" and stepfunctions._state_query_language(state, context) == "JSONata":
            return stepfunctions._apply_jsonata_output(state, data, context, default=data)
        return apply_output_path(state, data, context)

    return apply_output


def with_default_output(execute_choice):
    def execute(state, data, context=None):
        output, following = execute_choice(state, data, context)
        if "Output" in state and stepfunctions._state_query_language(state, context) == "JSONata":
            rules = state.get("Choices", [])
            if not any(stepfunctions._evaluate_jsonata_choice_rule(rule, data, context) for rule in rules):
                output = stepfunctions._apply_jsonata_output(state, data, context)
        return output, following

    return execute
