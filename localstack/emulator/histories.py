"""The events of an execution, and its end.

AWS: each event names the previous event of its branch; a task whose Resource is a function's ARN has events of the
type LambdaFunction…, other tasks Task…; a timeout has a type and no cause; states inside a branch have the same
events as others; no event follows the one that ends the execution; `TimeoutSeconds` of a machine ends it as
TIMED_OUT, which no Catch can handle.

ministack 1.5.33: no event names another one; two branches may give the same id to different events; a task only has
TaskScheduled, TaskSucceeded and TaskFailed; states inside a Map or Parallel have no events; a stopped execution
continues the retries of its task and may end a second time; the machine's TimeoutSeconds is ignored.
"""

import contextvars
import copy
import json
import threading
from dataclasses import dataclass

from ministack.core.responses import get_region, now_iso
from ministack.services import stepfunctions

from emulator import machines

WITH_EXECUTION = ("Task", "Parallel", "Map")  # types of states whose handlers need it

lock = threading.RLock()


@dataclass
class Branch:
    """One sequence of states: that of the execution, or an iteration of a Map."""

    previous: int = 0  # the id of its last event
    parent: "Branch | None" = None
    closed: bool = False

    @property
    def is_over(self) -> bool:
        return self.closed or (self.parent is not None and self.parent.is_over)


class Ended(SystemExit):
    """Ends the thread of a finished branch silently; no `except Exception` catches it."""


branch: contextvars.ContextVar[Branch | None] = contextvars.ContextVar("branch", default=None)
_task: contextvars.ContextVar[dict | None] = contextvars.ContextVar("task", default=None)
_arguments: contextvars.ContextVar = contextvars.ContextVar("arguments", default=None)


def apply() -> None:
    stepfunctions._add_event = add_event
    stepfunctions._run_execution = in_a_branch(stepfunctions._run_execution)
    stepfunctions._fail_execution = once(stepfunctions._fail_execution)
    stepfunctions._execute_task = known(stepfunctions._execute_task)
    stepfunctions._apply_jsonata_arguments = kept(stepfunctions._apply_jsonata_arguments)
    stepfunctions._invoke_resource_with_timeout = without_cause(stepfunctions._invoke_resource_with_timeout)
    stepfunctions._run_sub_machine = run_states


def add_event(execution: dict, kind: str, details: dict | None = None) -> dict:
    """Replaces ministack's function of this name."""
    for named_as_on_aws, members in as_on_aws(kind, details or {}):
        event = record(execution, branch.get(), named_as_on_aws, members)
    return event


def task() -> dict:
    """The definition of the task that this thread executes; empty outside of executions."""
    return _task.get() or {}


def record(execution: dict, of: Branch | None, kind: str, details: dict) -> dict:
    with lock:
        events = execution["events"]
        if not kind.startswith("Execution") and (execution["status"] != "RUNNING" or (of is not None and of.is_over)):
            raise Ended
        previous = of.previous if of is not None else len(events)
        event = {"id": len(events) + 1, "previousEventId": previous, "type": kind, "timestamp": now_iso(), **details}
        events.append(event)
        if of is not None:
            of.previous = event["id"]
        return event


def as_on_aws(kind: str, details: dict):
    """The types and details of the events that replace one of ministack's."""
    members = {name: value for each in details.values() for name, value in each.items()}
    if members.get("cause") == "":
        del members["cause"]
    if not kind.startswith("Task") or kind.startswith("TaskState"):
        yield kind, {name: members for name in details}
        return
    resource = members.pop("resource", "")
    members.pop("resourceType", None)
    if kind == "TaskFailed" and members.get("error") == "States.Timeout":
        kind, members = "TaskTimedOut", {"error": "States.Timeout"}
    if kind == "TaskScheduled" and "TimeoutSeconds" in task():
        members["timeoutInSeconds"] = task()["TimeoutSeconds"]
    if ":function:" in resource:
        if kind == "TaskScheduled":
            members.update(resource=resource, input=json.dumps(_arguments.get()))
        yield named(kind.replace("Task", "LambdaFunction"), members)
        if kind == "TaskScheduled":
            yield "LambdaFunctionStarted", {}
        return
    service, _, action = resource.removeprefix("arn:aws:states:::").rpartition(":")
    about = {"resource": action, "resourceType": service}
    if kind == "TaskScheduled":
        members.update(region=get_region(), parameters=json.dumps(_arguments.get()))
    yield named(kind, {**about, **members})
    if kind == "TaskScheduled":
        yield named("TaskStarted", about)


def named(kind: str, members: dict) -> tuple[str, dict]:
    return kind, {f"{kind[0].lower()}{kind[1:]}EventDetails": members}


def in_a_branch(run):
    def run_execution(arn):
        execution = stepfunctions._executions.get(arn)
        if execution is None:
            return
        execution["events"][0].setdefault("previousEventId", 0)
        token, limit = branch.set(Branch()), time_limit(execution)
        try:
            run(arn)
        except Ended:
            pass
        finally:
            branch.reset(token)
            if limit is not None:
                limit.cancel()

    return run_execution


def time_limit(execution: dict) -> threading.Timer | None:
    machine = stepfunctions._state_machines.get(execution["stateMachineArn"]) or {}
    try:
        seconds = machines.time_limit(machine)
    except (KeyError, TypeError, ValueError):
        return None
    if seconds is None:
        return None
    timer = threading.Timer(seconds, contextvars.copy_context().run, (time_out, execution))
    timer.daemon = True
    timer.start()
    return timer


def time_out(execution: dict) -> None:
    with lock:
        if execution["status"] != "RUNNING":
            return
        execution.update(status="TIMED_OUT", stopDate=now_iso())
        record(execution, None, "ExecutionTimedOut", {})
    stepfunctions._emit_execution_status_event(execution)


def once(fail):
    def fail_execution(execution, error, cause):
        with lock:
            if execution["status"] != "RUNNING":
                return
            fail(execution, error, cause)
            execution["output"] = None

    return fail_execution


def known(execute):
    def execute_task(state, data, execution, context):
        token = _task.set(state)
        try:
            return execute(state, data, execution, context)
        finally:
            _task.reset(token)

    return execute_task


def kept(evaluate):
    def arguments(state, data, context=None):
        found = evaluate(state, data, context)
        _arguments.set(found)
        return found

    return arguments


def without_cause(invoke):
    """On AWS the cause of a timeout is empty, in the history and for a Catch."""

    def invoke_in_time(resource, data, seconds):
        try:
            return invoke(resource, data, seconds)
        except stepfunctions._ExecutionError as error:
            if error.error == "States.Timeout":
                error.cause = ""
            raise

    return invoke_in_time


def run_states(states: dict, start: str, data, execution: dict, context: dict):
    """Runs the states of a branch instead of ministack's _run_sub_machine; returns the last state's output."""
    name, data = start, copy.deepcopy(data)
    while name:
        if name not in states:
            raise stepfunctions._ExecutionError("States.Runtime", f"there is no state {name!r}")
        state = states[name]
        kind = state["Type"]
        context["State"] = {"Name": name, "EnteredTime": now_iso(), "RetryCount": 0}
        entered = {"name": name, "input": json.dumps(data)}
        add_event(execution, f"{kind}StateEntered", {"stateEnteredEventDetails": entered})
        if kind == "Fail":
            raise stepfunctions._ExecutionError(*stepfunctions._fail_state_error(state, data, context))
        if kind == "Succeed":
            data = stepfunctions._apply_input_path(state, data, context)
            data, following = stepfunctions._apply_output_path(state, data, context), None
        else:
            handler = getattr(stepfunctions, f"_execute_{kind.lower()}")
            arguments = (state, data, execution, context) if kind in WITH_EXECUTION else (state, data, context)
            data, following = handler(*arguments)
        exited = {"name": name, "output": json.dumps(data)}
        add_event(execution, f"{kind}StateExited", {"stateExitedEventDetails": exited})
        name = following
    return data
