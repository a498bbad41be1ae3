"""EXPRESS state machines.

AWS: each start begins an execution, of any name, also while another of that name runs; an asynchronous execution may run
more than once; an execution ends after five minutes; it cannot be described, listed or stopped, and has no history but
its log. StartSyncExecution is for EXPRESS machines only.

ministack 1.5.33: refuses a name that was used before, describes and stops EXPRESS executions, lets them run for any
time, and starts STANDARD executions synchronously. A synchronous answer has an output also where the execution failed, and
says nothing of what is billed: the duration in units of 100 ms, and the memory in units of 64 MB.

Tests may see the events of an execution all the same, end it as its limit of five minutes does, and have each
asynchronous execution run several times at once.
"""

import json
import math
import time
import uuid

from ministack.core.responses import error_response_json, request_scope
from ministack.services import stepfunctions

from emulator import histories
from emulator.machines import is_express

MOST_RUNS = 4
BILLED_MB = 64  # of an execution of few and small states
NOT_FOR_IT = ("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine", 400)
UNSUPPORTED = ("_describe_execution", "_get_execution_history", "_stop_execution")

_runs = {"runs": 1}
# The names of executions that have not begun, by the names of their own that ministack knows them by.
_names = {}


def apply() -> None:
    stepfunctions._start_execution = each_time(stepfunctions._start_execution)
    stepfunctions._start_sync_execution = express_only(stepfunctions._start_sync_execution)
    stepfunctions._run_execution = by_its_name(stepfunctions._run_execution)
    stepfunctions._list_executions = standard_only(stepfunctions._list_executions)
    for name in UNSUPPORTED:
        setattr(stepfunctions, name, of_standard(getattr(stepfunctions, name)))


def setting() -> dict:
    return dict(_runs)


def change(wanted) -> None:
    runs = wanted.get("runs") if isinstance(wanted, dict) and wanted.keys() <= _runs.keys() else None
    if isinstance(runs, bool) or not isinstance(runs, int) or not 1 <= runs <= MOST_RUNS:
        raise ValueError(f"runs is a whole number from 1 to {MOST_RUNS}")
    _runs.update(runs=runs)


def reset() -> None:
    change({"runs": 1})


def machine_of(data: dict) -> dict | None:
    arn = stepfunctions._resolve_state_machine_arn(data.get("stateMachineArn", ""))
    return stepfunctions._state_machines.get(arn) if arn else None


def begun(start, data: dict):
    """Starts an execution under a name of its own, and answers with the ARN of an EXPRESS execution."""
    name = data.get("name") or str(uuid.uuid4())
    own = str(uuid.uuid4())
    _names[own] = name
    status, headers, body = start({**data, "name": own})
    answer = json.loads(body)
    if status == 200:
        machine = machine_of(data)
        prefix = machine["stateMachineArn"].replace(":stateMachine:", ":express:")
        answer["executionArn"] = f"{prefix}:{name}:{own}"
        answer.update({"name": name} if "name" in answer else {})
    else:
        del _names[own]
    return status, headers, json.dumps(answer).encode()


def by_its_name(run):
    def run_execution(arn):
        execution = stepfunctions._executions.get(arn)
        name = _names.pop(execution["name"], None) if execution else None
        if name is not None:
            execution.update(name=name, sync=True)
        return run(arn)

    return run_execution


def each_time(start):
    def start_execution(data):
        if not is_express(machine_of(data)):
            return start(data)
        for _ in range(_runs["runs"]):
            answer = begun(start, data)
        return answer

    return start_execution


def express_only(start):
    def start_sync_execution(data):
        machine = machine_of(data)
        if machine is not None and not is_express(machine):
            return error_response_json(*NOT_FOR_IT)
        began = time.monotonic()
        status, headers, body = begun(start, data)
        answer = json.loads(body)
        if status == 200:
            complete(answer, time.monotonic() - began)
        return status, headers, json.dumps(answer).encode()

    return start_sync_execution


def complete(answer: dict, seconds: float) -> None:
    """Gives the answer about a synchronous execution the members that it has on AWS."""
    if answer["status"] != "SUCCEEDED":
        del answer["output"], answer["outputDetails"]
    if answer["status"] == "TIMED_OUT":
        answer["error"] = "States.Timeout"
    billed = math.ceil(seconds * 10) * 100
    answer["billingDetails"] = {"billedMemoryUsedInMB": BILLED_MB, "billedDurationInMilliseconds": billed}


def standard_only(listed):
    def list_executions(data):
        if is_express(machine_of(data)):
            return error_response_json(*NOT_FOR_IT)
        return listed(data)

    return list_executions


def of_standard(operation):
    def answer(data):
        arn = str(data.get("executionArn"))
        execution = stepfunctions._executions.get(arn) or {}
        if ":express:" in arn or is_express(stepfunctions._state_machines.get(execution.get("stateMachineArn"))):
            return error_response_json("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'", 400)
        return operation(data)

    return answer


def named(name: str):
    """The executions of a name, of all machines, the oldest first, with their account and region."""
    for (account, region, _arn), execution in stepfunctions._executions.all_items():
        with request_scope(account, region):
            machine = stepfunctions._state_machines.get(execution["stateMachineArn"])
        if execution["name"] == name:
            yield (account, region), machine, execution


def shown(name: str) -> list[dict]:
    members = ("name", "status", "startDate", "input", "events")
    return [
        {"machine": machine["name"], **{member: execution[member] for member in members}}
        for _scope, machine, execution in named(name)
    ]


def end(name: str) -> list[dict]:
    """Ends the running EXPRESS executions of a name as their time limit does."""
    for scope, machine, execution in list(named(name)):
        with request_scope(*scope):
            if is_express(machine):
                histories.time_out(execution)
    return shown(name)
