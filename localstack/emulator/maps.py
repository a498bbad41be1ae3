"""The inline Map of a JSONata machine.

AWS: iterations have events. When one iteration fails, the Map fails at once: no further iteration starts, and running
iterations are aborted, but a function that one of them has invoked continues.

ministack 1.5.33: no events; every iteration runs to its end, with its retries, before the Map fails.
"""

import contextvars
import copy
import queue
import threading

from ministack.services import stepfunctions

from emulator import histories
from emulator.histories import Branch, Ended


def apply() -> None:
    others = stepfunctions._run_map_items

    def run_map_items(state, data, execution, context):
        processor = state.get("ItemProcessor") or {}
        distributed = (processor.get("ProcessorConfig") or {}).get("Mode") == "DISTRIBUTED"
        if distributed or stepfunctions._state_query_language(state, context) != "JSONata":
            return others(state, data, execution, context)
        return Map(state, data, execution, context).run()

    stepfunctions._run_map_items = run_map_items


class Map:
    def __init__(self, state: dict, data, execution: dict, context: dict):
        self.state, self.data, self.execution, self.context = state, data, execution, context
        self.name = context["State"]["Name"]
        self.branch = histories.branch.get()
        self.items = self.field("Items", "array") if "Items" in state else data
        self.limit = (self.field("MaxConcurrency", "number") if "MaxConcurrency" in state else 0) or len(self.items)
        self.running: dict[int, Branch] = {}
        self.ended: queue.SimpleQueue = queue.SimpleQueue()

    def field(self, name: str, kind: str):
        return stepfunctions._jsonata_state_field(self.state, name, kind, self.data, self.context)

    def run(self):
        """What ministack's _run_map_items returns: the state's output, and the name of the next state."""
        self.tell(self.branch, "MapStateStarted", mapStateStartedEventDetails={"length": len(self.items)})
        results = [None] * len(self.items)
        waiting = iter(enumerate(self.items))
        for _ in self.items:
            while len(self.running) < self.limit and (item := next(waiting, None)) is not None:
                self.start(*item)
            index, results[index], error = self.ended.get()
            iteration = self.running.pop(index)
            if error is not None:
                self.fail(index, iteration, error)
            self.tell_of(iteration, "MapIterationSucceeded", index)
        self.tell(self.branch, "MapStateSucceeded")
        given = {"result": results}
        output = stepfunctions._apply_jsonata_output(self.state, self.data, self.context, default=results, **given)
        stepfunctions._apply_state_assign(self.state, self.data, self.context, **given)
        return output, stepfunctions._next_or_end(self.state)

    def start(self, index: int, item) -> None:
        iteration = self.running[index] = Branch(self.branch.previous, self.branch)
        self.tell_of(iteration, "MapIterationStarted", index)
        thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self.iterate, index, item, iteration), daemon=True
        )
        thread.start()

    def iterate(self, index: int, item, iteration: Branch) -> None:
        histories.branch.set(iteration)
        context = {**copy.deepcopy(self.context), "Map": {"Item": {"Index": index, "Value": item}}}
        processor = self.state["ItemProcessor"]
        try:
            if "ItemSelector" in self.state:
                item = stepfunctions._apply_jsonata_template(self.state["ItemSelector"], self.data, context)
            output = stepfunctions._run_sub_machine(
                processor["States"], processor["StartAt"], item, self.execution, context
            )
        except BaseException as error:
            self.ended.put((index, None, error))
        else:
            self.ended.put((index, output, None))

    def fail(self, index: int, iteration: Branch, error: BaseException) -> None:
        if isinstance(error, Ended):
            raise error
        with histories.lock:
            last = iteration.previous
            self.tell_of(iteration, "MapIterationFailed", index)
            for other, aborted in self.running.items():
                aborted.previous = last
                self.tell_of(aborted, "MapIterationAborted", other)
                aborted.closed = True
            self.branch.previous = last
            self.tell(self.branch, "MapStateFailed")
        if not isinstance(error, stepfunctions._ExecutionError):
            error = stepfunctions._ExecutionError("States.Runtime", str(error))
        raise error

    def tell_of(self, iteration: Branch, kind: str, index: int) -> None:
        details = {f"{kind[0].lower()}{kind[1:]}EventDetails": {"name": self.name, "index": index}}
        self.tell(iteration, kind, **details)

    def tell(self, branch: Branch, kind: str, **details) -> None:
        histories.record(self.execution, branch, kind, details)
