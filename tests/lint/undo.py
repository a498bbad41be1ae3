"""The rule of sagas: whatever a state machine does, it undoes when a later step fails, in reverse order.

What a task does follows from the name of its function, `<resource>-<action>`, and what undoes it from `UNDO_OF`. A machine
that only undoes has done nothing that could fail, and may end well.
"""

import re

# An action, and the action on the same resource that undoes it.
UNDO_OF = {"prepare": "discard", "publish": "discard", "reserve": "release", "authorize": "void"}

# The same for a step that an action on another resource undoes.
UNDO_ELSEWHERE = {("Order", "confirm"): ("Payment", "void")}

# What ends a machine's work and is never undone: until it has happened, it is tried again or the execution redriven.
LASTING = {"hide", "purge", "reject"}

# What stands once it has been carried out, whatever became of its answer: its undo may find that out, and end well.
PIVOTS = {"publish", "confirm"}

# What is left to do once a pivot stands: it is not undone either, nor given up.
FINISHING = {"capture"}

# What does all or nothing: where it answers Rejected, there is nothing of it to undo.
WHOLE = {"reserve"}

# Who writes down how a machine's work failed, and so knows whether somebody of ours must look at it.
VERDICTS = {"reject"}

FUNCTION = re.compile(r"(.+?)([A-Z][a-z]+)FunctionArn$")
EVERYTHING = ["States.ALL"]
REFUSED = ["Rejected"]


class Graph:
    """The states of a machine, those inside Map and Parallel included, and the ways from one to another."""

    def __init__(self, machine):
        self.states = {}
        self.after = {}
        self.ends = set()
        self.start = machine.get("StartAt")
        self._add(machine, [])
        self.functions = {name: function for name, state in self.states.items() if (function := function_of(state))}
        undos = {name: undo_of(*function) for name, function in self.functions.items()}
        self.undone_by = {name: undo for name, undo in undos.items() if undo}
        self.undos = [name for name, (_, action) in self.functions.items() if action in UNDO_OF.values()]

    def _add(self, machine, outside):
        for name, state in machine.get("States", {}).items():
            self.states[name] = state
            following = [state[key] for key in ("Next", "Default") if key in state]
            following += [way["Next"] for way in state.get("Choices", []) + state.get("Catch", []) if "Next" in way]
            # The last state of an inner machine leads on to what comes after the outer one.
            ends = state.get("End") or state.get("Type") == "Succeed"
            following += outside if ends else []
            self.ends |= {name} if ends and not outside else set()
            inner_machines = [state[key] for key in ("ItemProcessor",) if key in state] + state.get("Branches", [])
            for inner in inner_machines:
                following.append(inner.get("StartAt"))
                self._add(inner, [state["Next"]] if "Next" in state else outside)
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

    def of(self, actions):
        """The tasks that do one of these."""
        return [name for name, (_, action) in self.functions.items() if action in actions]

    def choices_after(self, name):
        """The ways that lead out of a Choice right after a state by one of its rules, not by its Default."""
        choice = self.states[name].get("Next")
        if self.states.get(choice, {}).get("Type") != "Choice":
            return set()
        default = self.states[choice].get("Default")
        return {(choice, target) for target in self.after[choice] if target != default}

    def inside(self, name):
        """The states of a Map or Parallel."""
        inner = Graph({"States": {name: {**self.states[name], "Next": None}}})
        return set(inner.states) - {name}


def function_of(state):
    match = FUNCTION.search(state.get("Resource", "")) if state.get("Type") == "Task" else None
    return (match[1].rsplit(":", 1)[-1], match[2].lower()) if match else None


def undo_of(resource, action):
    elsewhere = UNDO_ELSEWHERE.get((resource, action))
    return elsewhere or ((resource, UNDO_OF[action]) if action in UNDO_OF else None)


def undo_faults(machine):
    graph = Graph(machine)
    known = {*UNDO_OF, *UNDO_OF.values(), *LASTING, *FINISHING}
    for name, state in graph.states.items():
        if state.get("Type") == "Task" and name not in graph.functions:
            yield f"{name} must have a Resource like ${{BandPrepareFunctionArn}}"
    for name, (_, action) in graph.functions.items():
        if action not in known and name not in graph.undone_by:
            yield f"{name}: undo.py does not know what undoes {action!r}"
    for name in graph.undone_by:
        yield from forward_faults(graph, name, {name})
    for name, state in graph.states.items():
        within = graph.inside(name) & graph.undone_by.keys() if state.get("Type") in ("Map", "Parallel") else set()
        if within:
            yield from forward_faults(graph, name, within)
    for name in graph.undos:
        yield from undo_step_faults(graph, name)
    for name in graph.of(FINISHING):
        yield from finishing_faults(graph, name)


def forward_faults(graph, name, does):
    """A failure of a step leads to the undo of that step and of all before it, and to nothing else."""
    catch = graph.states[name].get("Catch", [])
    if not any(catcher.get("ErrorEquals") == EVERYTHING for catcher in catch):
        yield f"{name} must catch States.ALL"
    done = does | {earlier for earlier in graph.undone_by if does & graph.reach(earlier)}
    for catcher in catch:
        target = catcher.get("Next")
        undone = {graph.functions.get(state) for state in graph.reach(target) | {target}}
        refused = set(graph.of(WHOLE)) & {name} if catcher.get("ErrorEquals") == REFUSED else set()
        for step in sorted(done - refused):
            if graph.undone_by[step] not in undone:
                resource, action = graph.undone_by[step]
                yield f"when {name} fails, {target} does not lead to {resource}{action.capitalize()}, which undoes {step}"


def undo_step_faults(graph, name):
    """An undo is not given up, goes back in order, and ends in failure unless there is nothing to undo."""
    yield from given_up(graph, name, "an undo")
    later = graph.reach(name)
    for forward in sorted(later & graph.undone_by.keys()):
        yield f"{name} is an undo: nothing may go forward after it, as {forward} does"
    standing, told = ways_where_a_pivot_stands(graph), ways_told_by_a_verdict(graph)
    for state in sorted((graph.reach(name, standing | told) | {name}) & graph.ends if graph.undone_by else ()):
        yield f"{state} ends the undo that {name} is part of: it must be a Fail"
    for _, state in sorted(way for way in standing if way[0] == graph.states[name].get("Next")):
        for undo in sorted((graph.reach(state) | {state}) & set(graph.undos)):
            yield f"{state} is where {name} finds that the pivot stands: {undo} may not follow"
    # What it undoes came before whatever is undone after it.
    undoes = {step for step, undo in graph.undone_by.items() if undo == graph.functions[name]}
    for other in sorted(set(graph.undos) & later - {name}):
        for step in (s for s, undo in graph.undone_by.items() if undo == graph.functions[other]):
            if undoes & graph.reach(step) == set() and step not in undoes:
                yield f"{other} must come before {name}: it undoes {step}, which came later"


def given_up(graph, name, what):
    catch = graph.states[name].get("Catch", [])
    again = [catcher for catcher in catch if catcher.get("ErrorEquals") == EVERYTHING]
    if not again or any(first_tasks(graph, catcher.get("Next")) != {name} for catcher in catch):
        yield f"{name} is {what}: it must catch States.ALL and come back to itself"


def finishing_faults(graph, name):
    """What is left to do after the pivot is not given up either, and there is no way to it before the pivot."""
    yield from given_up(graph, name, "never undone")
    for undo in sorted(graph.reach(name) & set(graph.undos)):
        yield f"{name} is never undone: {undo} may not follow"
    on = {(state, following) for state in graph.of(PIVOTS) for following in graph.after[state]}
    if name == graph.start or name in graph.reach(graph.start, on | ways_where_a_pivot_stands(graph)):
        yield f"{name} may come before the pivot: it must not"


def ways_where_a_pivot_stands(graph):
    """The choice right after the undo of a pivot may find that the pivot stands."""
    undone = {graph.undone_by.get(step) for step in graph.of(PIVOTS)}
    undos = [name for name in graph.undos if graph.functions[name] in undone]
    return {way for name in undos for way in graph.choices_after(name)}


def ways_told_by_a_verdict(graph):
    """The choice right after the verdict may end well, as long as it has to be told to."""
    ways = {way for name in graph.of(VERDICTS) for way in graph.choices_after(name)}
    return {way for way in ways if graph.states.get(graph.states[way[0]].get("Default"), {}).get("Type") == "Fail"}


def first_tasks(graph, name):
    """The tasks that a way meets first."""
    seen, left, found = set(), [name], set()
    while left:
        state = left.pop()
        if state in seen or state not in graph.states:
            continue
        seen.add(state)
        if graph.states[state].get("Type") == "Task":
            found.add(state)
        else:
            left += graph.after[state]
    return found
