"""Checks the state machines: two validators of the language, and the project's own rules."""

import itertools
import json
import pathlib
import re
import sys

import jsonata
from cfnlint.api import lint
from cfnlint.decode.decode import decode
from statelint.config import Config
from statelint.linter import Linter
from statelint.problem import ProblemType
from undo import START, undo_faults

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXPRESSION = re.compile(r"\{%(.*?)%\}", re.S)
PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9]+)\}")


def filled(text):
    """The definition as CloudFormation would deploy it, with placeholders for the template's substitutions."""

    def stand_in(match):
        name = match.group(1)
        return f"arn:aws:lambda:eu-west-1:111111111111:function:{name}" if name.endswith("Arn") else "1"

    return json.loads(PLACEHOLDER.sub(stand_in, text))


def states_of(machine):
    """Every state with its name, including those inside Map and Parallel."""
    for name, state in machine.get("States", {}).items():
        yield name, state
        for inner in [state.get("ItemProcessor", {}), *state.get("Branches", [])]:
            yield from states_of(inner)


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings_of(inner)


def language_faults(machine):
    """The findings of cfn-lint's rule E3601 and of statelint, and every expression that is not JSONata."""
    properties = {"RoleArn": "arn:aws:iam::111111111111:role/machine", "Definition": machine}
    resource = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    for match in lint(json.dumps({"Resources": {"Machine": resource}})):
        yield f"{match.rule.id} {match.message}"
    # FLOAT: it requires 2.0 where the language accepts 2
    yield from Linter.validate(machine, Config({ProblemType.FLOAT}, evaluate_jsonata=True))
    for text in strings_of(machine):
        for expression in EXPRESSION.findall(text):
            try:
                jsonata.Jsonata(expression)
            except Exception as fault:  # the parser has no error type of its own
                yield f"{expression.strip()!r} is no JSONata: {fault}"


# The transient errors of a task: that of our own functions, and those of Lambda that AWS advises to retry on every task
# (https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html).
RETRIED = [
    "Unavailable",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
]


# A history has at most 25,000 events (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html). A state adds two,
# and each attempt of a task three more.
LONGEST_HISTORY = 25_000
EVENTS_OF_A_STATE = 2
EVENTS_OF_AN_ATTEMPT = 3
EVENTS_OUTSIDE_OF_LOOPS = 500


def is_left_to_a_sweep(state):
    """Whether a sweep starts the execution that this task could not start, so that the task needs no retries."""
    return state.get("Resource") == START and [each.get("ErrorEquals") for each in state.get("Catch", [])] == [["States.ALL"]]


def history_faults(machine, parameters):
    """An execution of product-delete starts the next one before its history is full, even if all attempts but the last fail."""
    purge = machine.get("States", {}).get("PurgeReviews")
    if purge is None:
        return
    pages = parameters.get("ReviewPagesPerRun", {}).get("MaxValue", LONGEST_HISTORY)
    attempts = 1 + sum(retry.get("MaxAttempts", 3) for retry in purge.get("Retry", []))
    events = pages * (2 * EVENTS_OF_A_STATE + attempts * EVENTS_OF_AN_ATTEMPT) + EVENTS_OUTSIDE_OF_LOOPS
    if events > LONGEST_HISTORY:
        yield f"{pages} pages may be {events} events: at most {LONGEST_HISTORY}"


def house_faults(machine):
    """All transient errors and no others are retried, with back-off and full jitter; every task and machine has a timeout."""
    if machine.get("QueryLanguage") != "JSONata":
        yield "QueryLanguage must be JSONata"
    if not isinstance(machine.get("TimeoutSeconds"), int):
        yield "the machine must have TimeoutSeconds"
    for name, state in states_of(machine):
        if state.get("Type") == "Task":
            if not state.get("TimeoutSeconds"):
                yield f"{name} must have TimeoutSeconds"
            if not state.get("Retry") and not is_left_to_a_sweep(state):
                yield f"{name} must retry transient errors"
        for retry in state.get("Retry", []):
            if retry.get("ErrorEquals") != RETRIED:
                yield f"{name} must retry all transient errors, and no others"
            if retry.get("BackoffRate", 2) <= 1 or retry.get("JitterStrategy") != "FULL":
                yield f"{name} must retry with back-off and JitterStrategy FULL"
            if not retry.get("MaxAttempts") or not retry.get("MaxDelaySeconds"):
                yield f"{name} must bound its retries by MaxAttempts and MaxDelaySeconds"
        for catch in state.get("Catch", []):
            if not catch.get("Next"):
                yield f"{name} has a Catch that leads nowhere"


# An EXPRESS execution ends after five minutes (https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html).
# The machine's own time limit comes first.
EXPRESS_SECONDS = 300
LONGEST_WAIT_SECONDS = 60
# What all retriers of an EXPRESS machine may wait together, so that each step has had its attempts before the end.
EXPRESS_DELAY_SECONDS = 240


def longest_delay(retry):
    """The seconds that a retrier waits before all its attempts together, where the jitter takes nothing off."""
    delays = (retry.get("IntervalSeconds", 1) * retry.get("BackoffRate", 2) ** attempt for attempt in range(retry["MaxAttempts"]))
    return sum(min(delay, retry["MaxDelaySeconds"]) for delay in delays)


# What an EXPRESS execution cannot wait for (https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html).
NOT_IN_EXPRESS = re.compile(r"\.sync(:2)?$|\.waitForTaskToken$|:activity:")


def express_faults(machine):
    """An EXPRESS machine has states that EXPRESS supports, and its retries and waits fit into its five minutes."""
    if machine.get("TimeoutSeconds", EXPRESS_SECONDS) >= EXPRESS_SECONDS:
        yield f"an EXPRESS machine must have TimeoutSeconds under {EXPRESS_SECONDS}"
    for name, state in states_of(machine):
        if NOT_IN_EXPRESS.search(state.get("Resource", "")):
            yield f"{name} waits for a job, a task token or an activity, which EXPRESS does not support"
        if state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
            yield f"{name} is a distributed Map, which EXPRESS does not support"
    total = sum(longest_delay(retry) for _, state in states_of(machine) for retry in state.get("Retry", []))
    if total > EXPRESS_DELAY_SECONDS:
        yield f"its retries may wait {total} s: at most {EXPRESS_DELAY_SECONDS} s of an EXPRESS execution's five minutes"
    for name, state in states_of(machine):
        if isinstance(state.get("Seconds"), int) and state["Seconds"] > LONGEST_WAIT_SECONDS:
            yield f"{name} waits for more than {LONGEST_WAIT_SECONDS} s in an EXPRESS machine"


RATE = re.compile(r"rate\((\d+) minutes\)")


def schedule_faults(machine, path, template):
    """An execution that a schedule starts ends before the next one."""
    resources = template["Resources"]
    targets = [name for name, resource in resources.items() if resource.get("Properties", {}).get("DefinitionUri") == path]
    for name, resource in resources.items():
        if resource["Type"] != "AWS::Scheduler::Schedule":
            continue
        rate = RATE.fullmatch(resource["Properties"]["ScheduleExpression"])
        if resource["Properties"]["Target"]["Arn"] in [{"Ref": target} for target in targets]:
            if not rate or 60 * int(rate[1]) <= machine["TimeoutSeconds"]:
                yield f"{name} must start it at a rate of more than its {machine['TimeoutSeconds']} s"


def kind_of(path, template):
    """STANDARD or EXPRESS, as the template says of the machine with this definition."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::StateMachine" and resource["Properties"].get("DefinitionUri") == path:
            return resource["Properties"].get("Type", "STANDARD")
    return None


def template_faults(text, path, template):
    """The template defines exactly the substitutions that a machine uses."""
    machines = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::StateMachine" and resource["Properties"].get("DefinitionUri") == path
    ]
    if len(machines) != 1:
        yield "must be the DefinitionUri of one state machine in template.yaml"
        return
    given, named = set(machines[0].get("DefinitionSubstitutions", {})), set(PLACEHOLDER.findall(text))
    for name in sorted(named - given):
        yield f"${{{name}}} is missing in DefinitionSubstitutions"
    for name in sorted(given - named):
        yield f"DefinitionSubstitutions has {name}, which the machine does not use"


def main():
    template = decode(str(ROOT / "template.yaml"))[0]
    found = 0
    for file in sorted((ROOT / "statemachines").glob("*.asl.json")):
        path = file.relative_to(ROOT).as_posix()
        text = file.read_text()
        try:
            machine = filled(text)
        except ValueError as fault:
            print(f"{path}: {fault}")
            found += 1
            continue
        checks = [template_faults(text, path, template), house_faults(machine), undo_faults(machine), language_faults(machine)]
        checks += [history_faults(machine, template["Parameters"]), schedule_faults(machine, path, template)]
        if kind_of(path, template) == "EXPRESS":
            checks.append(express_faults(machine))
        for fault in itertools.chain(*checks):
            print(f"{path}: {fault}")
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
