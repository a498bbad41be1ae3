"""The rule of sagas: whatever a state machine does, it undoes when a later step fails, in reverse order.

What a task does follows from the name of its function, `<resource>-<action>`, and what undoes it from `UNDO_OF`.
"""

import re

# An action, and the action on the same resource that undoes it.
UNDO_OF = {"prepare": "discard", "publish": "discard"}

# What ends a machine's work and is never undone: until it has happened, it is tried again or the execution redriven.
LASTING = {"hide", "purge", "reject"}

# What stands once it has been carried out, whatever became of its answer: its undo may find that out, and end well.
PIVOTS = {"publish"}

FUNCTION = re.compile(r"(.+?)([A-Z][a-z]+)FunctionArn$")
EVERYTHING = ["States.ALL"]


class Graph:
    """The states of a machine, those inside Map and Parallel included, and the ways from one to another."""

    def __init__(self, machine):
        self.states = {}
        self.after = {}
        self._add(machine, [])
        self.functions = {name: function for name, state in self.states.items() if (function := function_of(state))}
        self.undone_by = {
            name: (resource, UNDO_OF[action])
            for name, (resource, action) in self.functions.items()
            if action in UNDO_OF
        }
        self.undos = [name for name, (_, action) in self.functions.items() if action in UNDO_OF.values()]

    def _add(self, machine, outside):
        for name, state in machine.get("States", {}).items():
            self.states[name] = state
            following = [state[key] for key in ("Next", "Default") if key in state]
            following += [way["Next"] for way in state.get("Choices", []) + state.get("Catch", []) if "Next" in way]
            # The last state of an inner machine leads on to what comes after the outer one.
            ends = state.get("End") or state.get("Type") == "Succeed"
            following += outside if ends else []
            inner_machines = [state[key] for key in ("ItemProcessor",) if key in state] + state.get("Branches", [])
            for inner in inner_machines:
                following.append(inner.get("StartAt"))
                self._add(inner, [state["Next"]] if "Next" in state else outside)
            self.after[name] = following

    def reach(self, name):
        """Every state that may come after this one."""
        seen, left = set(), list(self.after.get(name, []))
        while left:
            state = left.pop()
            if state in self.states and state not in seen:
                seen.add(state)
                left += self.after[state]
        return seen

    def inside(self, name):
        """The states of a Map or Parallel."""
        inner = Graph({"States": {name: {**self.states[name], "Next": None}}})
        return set(inner.states) - {name}


def function_of(state):
    match = FUNCTION.search(state.get("Resource", "")) if state.get("Type") == "Task" else None
    return (match[1].rsplit(":", 1)[-1], match[2].lower()) if match else None


def undo_faults(machine):
    graph = Graph(machine)
    for name, state in graph.states.items():
        if state.get("Type") == "Task" and name not in graph.functions:
            yield f"{name} must have a Resource like ${{BandPrepareFunctionArn}}"
    for name, (_, action) in graph.functions.items():
        if action not in UNDO_OF and action not in UNDO_OF.values() and action not in LASTING:
            yield f"{name}: undo.py does not know what undoes {action!r}"
    for name in graph.undone_by:
        yield from forward_faults(graph, name, {name})
    for name, state in graph.states.items():
        within = graph.inside(name) & graph.undone_by.keys() if state.get("Type") in ("Map", "Parallel") else set()
        if within:
            yield from forward_faults(graph, name, within)
    for name in graph.undos:
        yield from undo_step_faults(graph, name)


def forward_faults(graph, name, does):
    """A failure of a step leads to the undo of that step and of all before it, and to nothing else."""
    catch = graph.states[name].get("Catch", [])
    if not any(catcher.get("ErrorEquals") == EVERYTHING for catcher in catch):
        yield f"{name} must catch States.ALL"
    done = does | {earlier for earlier in graph.undone_by if does & graph.reach(earlier)}
    for catcher in catch:
        target = catcher.get("Next")
        undone = {graph.functions.get(state) for state in graph.reach(target) | {target}}
        for step in sorted(done):
            if graph.undone_by[step] not in undone:
                resource, action = graph.undone_by[step]
                yield f"when {name} fails, {target} does not lead to {resource}{action.capitalize()}, which undoes {step}"


def undo_step_faults(graph, name):
    """An undo is not given up, goes back in order, and ends in failure unless there is nothing to undo."""
    catch = graph.states[name].get("Catch", [])
    again = [catcher for catcher in catch if catcher.get("ErrorEquals") == EVERYTHING]
    if not again or any(first_tasks(graph, catcher.get("Next")) != {name} for catcher in catch):
        yield f"{name} is an undo: it must catch States.ALL and come back to itself"
    later = graph.reach(name)
    for forward in sorted(later & graph.undone_by.keys()):
        yield f"{name} is an undo: nothing may go forward after it, as {forward} does"
    for state in sorted((later | {name}) - good_ends(graph, name)):
        if not graph.after[state] and graph.states[state].get("Type") != "Fail":
            yield f"{state} ends the undo that {name} is part of: it must be a Fail"
    # What it undoes came before whatever is undone after it.
    undoes = {step for step, undo in graph.undone_by.items() if undo == graph.functions[name]}
    for other in sorted(set(graph.undos) & later - {name}):
        for step in (s for s, undo in graph.undone_by.items() if undo == graph.functions[other]):
            if undoes & graph.reach(step) == set() and step not in undoes:
                yield f"{other} must come before {name}: it undoes {step}, which came later"


def good_ends(graph, name):
    """Where the undo of a pivot leads when the pivot stands: the choice right after it must be what decides on that."""
    pivots = {graph.undone_by[step] for step, (_, action) in graph.functions.items() if action in PIVOTS}
    choice = graph.states[name].get("Next")
    if graph.functions[name] not in pivots or graph.states.get(choice, {}).get("Type") != "Choice":
        return set()
    elsewhere = {following for state, ways in graph.after.items() if state != choice for following in ways}
    return set(graph.after[choice]) - elsewhere


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
