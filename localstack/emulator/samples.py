"""A line in `samples.jsonl` every two seconds, for `localstack/metrics`: what no single request knows.

A line has how far the readers of the stream and of topics are behind, messages of queues, executions of state machines,
environments of functions, and what the machine counts of processes and of itself (host.py). AWS has these as metrics of
Lambda, SQS and Step Functions; the last two are not for its customers to see.
"""

import collections
import json
import logging
import os
import threading
import time
from pathlib import Path

from ministack.core.arn import parse_arn
from ministack.core.responses import request_scope
from ministack.services import dynamodb, lambda_svc, sqs, stepfunctions

from emulator import functions, host, kafka, queues
from emulator.streams import created

logger = logging.getLogger("emulator.samples")

SECONDS = 2
MOST_BYTES = 16 * 1024 * 1024  # of the file; then it becomes `samples.old.jsonl`, and a new one begins
OF_STACK = "souk-"  # names of functions, queues and machines begin with the stack's
BESIDE = ("broker", "cache", "clickhouse", "kafka", "payments", "shop")  # servers that `up` has recorded

_file = Path()
_running: collections.Counter = collections.Counter()
_ended: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
_counting = threading.Lock()


def apply(directory: Path) -> None:
    global _file
    _file = directory / "samples.jsonl"
    stepfunctions._run_execution = counted(stepfunctions._run_execution)
    threading.Thread(target=watch, daemon=True, name="samples").start()


def counted(run):
    """Counts the executions that run, and those that have ended by their status."""

    def run_execution(arn):
        execution = stepfunctions._executions.get(arn)
        machine = arn.split(":")[6].removeprefix(OF_STACK)
        with _counting:
            _running[machine] += 1
        try:
            return run(arn)
        finally:
            with _counting:
                _running[machine] -= 1
                _ended[machine][execution["status"] if execution else "ABORTED"] += 1

    return run_execution


def watch() -> None:
    processes = Processes()
    while True:
        begun = time.monotonic()
        try:
            write(sample(processes))
        except Exception:
            logger.exception("a sample")
        time.sleep(max(0.0, SECONDS - (time.monotonic() - begun)))


def write(line: dict) -> None:
    with _file.open("a") as file:
        file.write(json.dumps(line, separators=(",", ":")) + "\n")
        full = file.tell() > MOST_BYTES
    if full:
        _file.replace(_file.with_name("samples.old.jsonl"))


def sample(processes: "Processes") -> dict:
    mappings = list(lambda_svc._iter_all_esms())
    line = {
        "at": int(time.time() * 1000),
        "streams": [each for mapping in mappings if (each := stream(*mapping)) is not None],
        "topics": [topic(*mapping) for mapping in mappings if mapping[2].get("Topics")],
        "queues": messages(),
        "executions": executions(),
    }
    if host.has_figures():
        line |= {"processes": processes.figures(), "host": host.machine()}
    return line


def stream(account: str, region: str, mapping: dict) -> dict | None:
    """How many records of the table's stream a function has not read, and how old the first of them is."""
    arn = mapping.get("EventSourceArn", "")
    if ":dynamodb:" not in arn:
        return None
    with request_scope(account, region):
        table, _label = lambda_svc._dynamodb_stream_table_from_arn_spec(parse_arn(arn))
        if table not in dynamodb._tables:
            return None
        start, end = dynamodb.stream_start_position(table), dynamodb.stream_end_position(table)
        first = start if mapping.get("StartingPosition") == "TRIM_HORIZON" else end
        position = max(start, lambda_svc._dynamodb_stream_positions.get(mapping["UUID"], first))
        waiting = dynamodb.stream_records_since(table, position, 1)
    age = time.time() - created(waiting[0]) if waiting else 0
    return {"function": named(mapping), "behind": max(0, end - position), "ageSeconds": max(0, round(age, 1))}


def topic(account: str, region: str, mapping: dict) -> dict:
    """How many records of its topics a function has not processed; None while the broker does not answer."""
    with request_scope(account, region):
        return {"function": named(mapping), "behind": kafka.behind(mapping)}


def named(mapping: dict) -> str:
    return mapping["FunctionName"].removeprefix(OF_STACK)


def messages() -> list[dict]:
    now, found = time.time(), []
    for (_account, _region, url), queue in sqs._queues.all_items():
        visible, hidden = queues.counted(queue, now)
        name = url.rpartition("/")[2].removeprefix(OF_STACK)
        found.append({"name": name, "visible": visible, "hidden": hidden})
    return found


def executions() -> list[dict]:
    with _counting:
        return [
            {"machine": machine, "running": _running[machine], "ended": dict(_ended[machine])}
            for machine in sorted(_running)
        ]


class Processes:
    """CPU time, memory and disk by function (with the stack's name) and by server. What a process used stays counted after its end."""

    def __init__(self):
        self.known: dict[int, tuple[str, dict]] = {}  # by pid
        self.before: dict[str, dict] = {}  # by name, of processes that have ended

    def figures(self) -> dict[str, dict]:
        pids = {os.getpid(): "emulator"}
        busy = collections.Counter()
        for name, environments in functions.processes().items():
            for environment in environments:
                pids[environment["pid"]] = name
                busy[name] += environment["busy"]
        record = kafka.local_run()
        pids |= {record[f"{name}Pid"]: name for name in BESIDE if record.get(f"{name}Pid")}
        now = {pid: (name, figures) for pid, name in pids.items() if (figures := host.process(pid)) is not None}
        for pid in self.known.keys() - now.keys():
            name, figures = self.known[pid]
            add(self.before.setdefault(name, {}), figures, "cpuSeconds", "readBytes", "writtenBytes")
        self.known = now
        found = {name: {"count": 0, "busy": 0, "memoryBytes": 0} | figures for name, figures in self.before.items()}
        for name, figures in now.values():
            group = found.setdefault(name, {"count": 0, "busy": busy[name], "memoryBytes": 0})
            group["count"] += 1
            group["busy"] = busy[name]
            add(group, figures, *figures)
        return found


def add(total: dict, figures: dict, *names: str) -> None:
    for name in names:
        total[name] = round(total.get(name, 0) + figures[name], 3)
