"""The rule of sagas: a step that fails leads to the machine's one undo, and nothing goes forward after that.

What a task does follows from the name of its function, `<resource>-<action>`. What an undo does, and in which order, is
Rust; here it counts as one step. A machine that takes nothing, such as order-cancel, may end well after its undo.
"""

import re

# Creates or takes something that has to be undone if a later step fails.
TAKING = {"prepare", "publish", "reserve", "authorize", "confirm"}

# The last of the taking steps: what it has carried out stands, whatever became of its answer.
PIVOTS = {"publish", "confirm"}

# May be rejected for a reason of the caller's. A rejection is a result of the step and no error, which would raise an alarm.
REJECTING = {"reserve", "authorize"}
# The condition that the output of a step is a rejection.
REJECTED = "$exists($states.input.rejected)"

# Completes what the pivot has decided.
FINISHING = {"capture"}

# Is never undone: until it has happened, it is retried or the execution is redriven.
LASTING = {"erase", "hide", "purge"}

# Records what a shop says. It is never undone either: what it could not record is tried again by the next execution.
RECORDING = {"crawl", "list"}

UNDO = {"undo"}

# The condition of a Choice on what the undo of a resource reports: the pivot stands, so nothing was undone.
STANDS = {"Order": "$states.input.outcome = 'confirmed'", "Concert": "$states.input.published"}
# The condition that everything was undone for a reason of the caller's: the execution has not failed.
REFUSED = {"Order": "$states.input.outcome = 'undone'"}

# The condition that the pivot stands although this execution has not come to it: another execution of the same name did.
ELSEWHERE = {"Order": "$states.input.outcome = 'confirmed' and $not($exists($payment))"}

# May find the work undone or settled by another execution of the same name, which finishes it. This too is a result. At the
# pivot it leads to the undo, since this execution has taken everything by then.
CONFLICTING = {"reserve", "authorize", "confirm"}
# The condition that the output of a step is a conflict.
CONFLICT = "$exists($states.input.conflict)"

# The condition that the output of a Map holds a failure.
FAILED = "$exists($states.input.error)"

# A start of another execution, which the machine cannot take back.
START = "arn:aws:states:::states:startExecution"

FUNCTION = re.compile(r"(.+?)([A-Z][a-z]+)FunctionArn$")
EVERYTHING = ["States.ALL"]
STOPS = {"Task", "Map", "Parallel", "Succeed", "Fail"}


class Graph:
    """The states of a machine, those inside Map and Parallel included, and the ways from one to another."""

    def __init__(self, machine):
        self.states = {}
        self.after = {}
        self.outer = {}
        self.start = machine.get("StartAt")
        self._add(machine, None, [])
        self.functions = {name: function for name, state in self.states.items() if (function := function_of(state))}

    def _add(self, machine, outer, outside):
        for name, state in machine.get("States", {}).items():
            self.states[name] = state
            self.outer[name] = outer
            following = [state[key] for key in ("Next", "Default") if key in state]
            following += [way["Next"] for way in state.get("Choices", []) + state.get("Catch", []) if "Next" in way]
            # The last state of an inner machine leads on to what comes after the outer one.
            following += outside if state.get("End") or state.get("Type") == "Succeed" else []
            inner_machines = [state[key] for key in ("ItemProcessor",) if key in state] + state.get("Branches", [])
            for inner in inner_machines:
                following.append(inner.get("StartAt"))
                self._add(inner, name, [state["Next"]] if "Next" in state else outside)
            self.after[name] = following

    def reach(self, name, without=frozenset()):
        """Every state that may come after this one by other ways than these."""
        seen, left = set(), [(name, following) for following in self.after.get(name, [])]
        while left:
            way = left.pop()
            state = way[1]
            if way not in without and state in self.states and state not in seen:
                seen.add(state)
                left += [(state, following) for following in self.after[state]]
        return seen

    def first(self, name):
        """The first states from this one on, itself included, that do something or end the machine."""
        seen, left, found = set(), [name], set()
        while left:
            state = left.pop()
            if state in seen:
                continue
            seen.add(state)
            if state not in self.states or self.kind(state) in STOPS:
                found.add(state)
            else:
                left += self.after[state]
        return found

    def kind(self, name):
        return self.states.get(name, {}).get("Type")

    def of(self, actions):
        """The tasks that do one of these."""
        return [name for name, (_, action) in self.functions.items() if action in actions]


def function_of(state):
    match = FUNCTION.search(state.get("Resource", "")) if state.get("Type") == "Task" else None
    return (match[1].rsplit(":", 1)[-1], match[2].lower()) if match else None


def condition(rule):
    return rule.get("Condition", "").removeprefix("{%").removesuffix("%}").strip()


def undo_faults(machine):
    graph = Graph(machine)
    yield from unknown_tasks(graph)
    for name in graph.of(UNDO | FINISHING):
        yield from given_up(graph, name)
    for name in graph.of(FINISHING):
        yield from finishing_faults(graph, name)
    for name in graph.of(RECORDING):
        yield from recording_faults(graph, name)
    taking, undos, pivots = graph.of(TAKING), graph.of(UNDO), graph.of(PIVOTS)
    if not taking:
        for name in undos:
            yield from (f"{later} may not follow {name}" for later in tasks_after(graph, name, UNDO))
        return
    for name in graph.of(LASTING | RECORDING):
        yield f"{name} is never undone: it may not be in a machine that undoes"
    if len(undos) != 1 or len(pivots) != 1 or graph.functions[undos[0]][0] != graph.functions[pivots[0]][0]:
        yield "a machine that takes something must have one pivot, and one undo of the pivot's resource"
        return
    maps = {graph.outer[name] for name in taking} - {None}
    for name in [*taking, *sorted(maps)]:
        yield from failure_faults(graph, name, undos[0])
    for name in graph.of(REJECTING):
        yield from rejection_faults(graph, name, undos[0])
    for name in graph.of(CONFLICTING):
        yield from conflict_faults(graph, name, undos[0])
    for later in tasks_after(graph, pivots[0], FINISHING | UNDO):
        yield f"{later} may not follow the pivot {pivots[0]}: it would not be undone"
    yield from report_faults(graph, undos[0])


def unknown_tasks(graph):
    for name in graph.states:
        if graph.states[name].get("Resource") == START:
            if graph.of(TAKING | UNDO):
                yield f"{name} starts what this machine could not undo"
        elif graph.kind(name) == "Task" and name not in graph.functions:
            yield f"{name} must have a Resource like ${{BandPrepareFunctionArn}}"
    for name, (_, action) in graph.functions.items():
        if action not in TAKING | FINISHING | LASTING | RECORDING | UNDO:
            yield f"{name}: undo.py does not know whether {action!r} has to be undone"


def recording_faults(graph, name):
    """What fails for one part of the work, in a Map, does not stop the others."""
    if graph.outer[name] is None:
        return
    catch = graph.states[name].get("Catch", [])
    ends = [graph.kind(catcher.get("Next")) for catcher in catch]
    if [catcher.get("ErrorEquals") for catcher in catch] != [EVERYTHING] or ends != ["Succeed"]:
        yield f"{name} must catch States.ALL, and end its iteration well"


def tasks_after(graph, name, actions):
    """The tasks after this one that do something else than this."""
    return sorted(graph.reach(name) & graph.functions.keys() - set(graph.of(actions)) - {name})


def failure_faults(graph, name, undo):
    """A failure of a step leads to the undo, and to nothing else first."""
    catch = graph.states[name].get("Catch", [])
    if not any(catcher.get("ErrorEquals") == EVERYTHING for catcher in catch):
        yield f"{name} must catch States.ALL"
    for catcher in catch:
        if graph.outer[name]:
            yield from result_faults(graph, name, catcher, undo)
        elif graph.first(catcher.get("Next")) != {undo}:
            yield f"when {name} fails, {catcher.get('Next')} must lead to {undo} and to nothing else first"


def rejection_faults(graph, name, undo):
    """The first rule of the Choice after a step that may be rejected leads a rejection to the undo."""
    following = graph.states[name].get("Next")
    rule = graph.states.get(following, {}).get("Choices", [{}])[0]
    if condition(rule) != REJECTED or graph.first(rule.get("Next")) != {undo}:
        yield f"when {name} is rejected, the first rule of {following} must be {REJECTED} and lead to {undo}"


def conflict_faults(graph, name, undo):
    """One rule of the Choice after a step that may meet a conflict leads it to the end, and at the pivot to the undo."""
    following = graph.states[name].get("Next")
    rules = [rule for rule in graph.states.get(following, {}).get("Choices", []) if condition(rule) == CONFLICT]
    if name in graph.of(PIVOTS):
        right, wanted = [graph.first(rule.get("Next")) == {undo} for rule in rules], f"lead to {undo}"
    else:
        right, wanted = [graph.kind(rule.get("Next")) == "Succeed" for rule in rules], "end, since another execution decides"
    if right != [True]:
        yield f"when {name} meets a conflict, one rule of {following} must be {CONFLICT} and {wanted}"


def result_faults(graph, name, catcher, undo):
    """A failure inside a Map is a result with `error`; the first rule of the Choice after the Map leads it to the undo."""
    end = {key: value for key, value in graph.states.get(catcher.get("Next"), {}).items() if key != "Comment"}
    if "error" not in catcher.get("Output", {}) or end != {"Type": "Succeed"}:
        yield f"when {name} fails, its iteration must end well and put out `error`"
    following = graph.states[graph.outer[name]].get("Next")
    rule = graph.states.get(following, {}).get("Choices", [{}])[0]
    if condition(rule) != FAILED or graph.first(rule.get("Next")) != {undo}:
        yield f"when {name} fails, the first rule of {following} must be {FAILED} and lead to {undo}"


def report_faults(graph, undo):
    """After the undo the machine fails, unless the undo reports that the pivot stands or that the caller was refused."""
    resource, choice = graph.functions[undo][0], graph.states[undo].get("Next")
    if graph.kind(choice) != "Choice":
        yield f"{undo} must be followed by a Choice on what it reports"
        return
    default, rules = graph.states[choice].get("Default"), graph.states[choice]["Choices"]
    if graph.kind(default) != "Fail":
        yield f"{choice}: its Default must be a Fail"
    ends = {name for name in graph.states if graph.kind(name) == "Succeed"}
    stands, refused = STANDS.get(resource), REFUSED.get(resource)
    # Where there are finishing steps, an end would leave them undone, unless another execution comes to them.
    allowed = {refused: ends, stands: set(graph.of(FINISHING)) or ends, ELSEWHERE.get(resource): ends}
    for rule in rules:
        if rule.get("Next") not in allowed.get(condition(rule), set()):
            yield f"{choice} may not lead to {rule.get('Next')} where {condition(rule)}"
    if stands not in [condition(rule) for rule in rules]:
        yield f"{choice} must tell where the pivot stands"


def given_up(graph, name):
    """An undo or a finishing step is retried until it succeeds."""
    catch = graph.states[name].get("Catch", [])
    waits = [graph.states.get(catcher.get("Next"), {}) for catcher in catch]
    back = all(wait.get("Type") == "Wait" and wait.get("Next") == name for wait in waits)
    if not back or EVERYTHING not in [catcher.get("ErrorEquals") for catcher in catch]:
        yield f"{name} must catch States.ALL and come back to itself through a Wait"


def finishing_faults(graph, name):
    """There is no way to a finishing step before the pivot, and none back from it."""
    for later in tasks_after(graph, name, FINISHING):
        yield f"{later} may not follow {name}: the pivot stands"
    on = {(pivot, graph.states[pivot].get("Next")) for pivot in graph.of(PIVOTS)}
    for undo in graph.of(UNDO):
        choice, stands = graph.states[undo].get("Next"), STANDS.get(graph.functions[undo][0])
        rules = graph.states.get(choice, {}).get("Choices", [])
        on |= {(choice, rule.get("Next")) for rule in rules if condition(rule) == stands}
    if name == graph.start or name in graph.reach(graph.start, on):
        yield f"{name} may come before the pivot: it must not"
