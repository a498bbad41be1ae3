"""Streams, topics, queues, executions, processes and the machine, of the samples of a period."""

from pathlib import Path

from figures import logs

RATES = ("cpuSeconds", "readBytes", "writtenBytes")
NEEDS_PROC = "CPU, memory, network and disk are counted by Linux's /proc, which this system does not have"
OF_STACK = "souk-"  # begins the names of functions, in `processes`
POINTS = 120  # of the charts, at most


def samples(folder: Path, begin: int) -> list[dict]:
    files = (folder / "samples.old.jsonl", folder / "samples.jsonl")
    return [line for file in files for line in logs.since(file, begin, logs.at)]


def figures(lines: list[dict]) -> dict:
    """The latest of each, and the most of the period."""
    if not lines:
        return {"streams": [], "topics": [], "queues": [], "executions": [], "processes": [], "host": None}
    last = lines[-1]
    return {
        "streams": [stream | {"mostBehind": most(lines, "streams", "function", stream, "behind")} for stream in last["streams"]],
        "topics": [topic | {"mostBehind": most(lines, "topics", "function", topic, "behind")} for topic in last["topics"]],
        "queues": [queue | {"mostVisible": most(lines, "queues", "name", queue, "visible")} for queue in last["queues"]],
        "executions": [ended(lines, machine) for machine in last["executions"]],
        "processes": processes(lines),
        "host": host(lines),
    }


def most(lines: list[dict], group: str, key: str, wanted: dict, member: str) -> int:
    values = (each[member] for line in lines for each in line[group] if each[key] == wanted[key])
    return max((value for value in values if value is not None), default=0)


def ended(lines: list[dict], machine: dict) -> dict:
    """The executions that ended in the period, by status. Counts begin anew when the emulator starts."""
    counts = [each["ended"] for line in lines for each in line["executions"] if each["machine"] == machine["machine"]]
    statuses = {status: rise([count.get(status, 0) for count in counts]) for status in machine["ended"]}
    return {
        "machine": machine["machine"],
        "running": machine["running"],
        "mostRunning": most(lines, "executions", "machine", machine, "running"),
        "succeeded": statuses.get("SUCCEEDED", 0),
        "failed": sum(number for status, number in statuses.items() if status != "SUCCEEDED"),
    }


def rise(values: list[float]) -> float:
    """How much a counter has counted, which begins anew at 0 sometimes."""
    pairs = zip(values, values[1:], strict=False)
    return sum(after - before if after >= before else after for before, after in pairs)


def seconds(lines: list[dict]) -> float:
    return max(0.001, (lines[-1]["at"] - lines[0]["at"]) / 1000)


def processes(lines: list[dict]) -> list[dict]:
    names = {name for line in lines for name in line.get("processes", {})}
    nothing = {"count": 0, "busy": 0, "memoryBytes": 0}
    rows = []
    for name in sorted(names):
        of_it = [line.get("processes", {}).get(name, nothing) for line in lines]
        row = {member: of_it[-1][member] for member in nothing}
        row |= {"name": name.removeprefix(OF_STACK), "isFunction": is_function(name)}
        row["mostMemoryBytes"] = max(each["memoryBytes"] for each in of_it)
        rows.append(row | {member: round(rise([each.get(member, 0) for each in of_it]), 3) for member in RATES})
    of_time = seconds(lines)
    return [row | {"cpuShare": round(row["cpuSeconds"] / of_time, 4)} for row in rows]


def host(lines: list[dict]) -> dict | None:
    """Rates by second; the CPU in processors."""
    known = [line["host"] for line in lines if "host" in line]
    if not known:
        return None
    of_time, last = seconds(lines), known[-1]
    counters = ("cpuSeconds", "loopbackBytes", "receivedBytes", "sentBytes", "readBytes", "writtenBytes")
    rates = {member: round(rise([each[member] for each in known]) / of_time, 3) for member in counters}
    return {
        "processors": last["processors"], "load": last["load"], "memoryBytes": last["memoryBytes"],
        "totalMemoryBytes": last["totalMemoryBytes"], "cpu": rates.pop("cpuSeconds"),
        **{f"{member}PerSecond": round(rate) for member, rate in rates.items()},
    }  # fmt: skip


def series(lines: list[dict]) -> dict:
    """What the charts show of the samples, thinned out."""
    lines = lines[:: max(1, len(lines) // POINTS)]
    with_host = [line for line in lines if "host" in line]
    found = {
        "at": [line["at"] for line in lines],
        "behind": by_name(lines, ("streams", "topics"), "function", "behind"),
        "messages": by_name(lines, ("queues",), "name", "visible"),
        "running": by_name(lines, ("executions",), "machine", "running"),
    }
    if len(with_host) > 1 and len(with_host) == len(lines):
        found["cpu"] = {
            "functions": rates(lines, lambda line: sum_of(line, "cpuSeconds", functions=True)),
            "emulator": rates(lines, lambda line: line["processes"].get("emulator", {}).get("cpuSeconds", 0)),
            "other servers": rates(lines, lambda line: sum_of(line, "cpuSeconds", functions=False)),
            "machine": rates(lines, lambda line: line["host"]["cpuSeconds"]),
        }
        found["memory"] = {
            "functions": [sum_of(line, "memoryBytes", functions=True) for line in lines],
            "emulator": [line["processes"].get("emulator", {}).get("memoryBytes", 0) for line in lines],
            "other servers": [sum_of(line, "memoryBytes", functions=False) for line in lines],
        }
        found["environments"] = {
            "environments": [count(line, "count") for line in lines], "in an invocation": [count(line, "busy") for line in lines],
        }  # fmt: skip
        traffic = {"loopback": "loopbackBytes", "received": "receivedBytes", "sent": "sentBytes"}
        disk = {"read": "readBytes", "written": "writtenBytes"}
        for group, members in (("network", traffic), ("disk", disk)):
            found[group] = {
                name: rates(lines, lambda line, member=member: line["host"][member]) for name, member in members.items()
            }
    return found


def by_name(lines: list[dict], groups: tuple[str, ...], key: str, member: str) -> dict[str, list]:
    names = sorted({each[key] for line in lines for group in groups for each in line[group]})
    found: dict[str, list] = {name: [] for name in names}
    for line in lines:
        of_line = {each[key]: each[member] for group in groups for each in line[group]}
        for name in names:
            found[name].append(of_line.get(name))
    # Without those that never had any.
    return {name: values for name, values in found.items() if any(values)}


def is_function(name: str) -> bool:
    return name.startswith(OF_STACK)


def sum_of(line: dict, member: str, functions: bool) -> float:
    return sum(
        figures.get(member, 0)
        for name, figures in line["processes"].items()
        if name != "emulator" and is_function(name) == functions
    )


def count(line: dict, member: str) -> int:
    return sum(figures[member] for name, figures in line["processes"].items() if is_function(name))


def rates(lines: list[dict], value) -> list[float | None]:
    """A counter's growth by second between samples; the first has none."""
    found: list[float | None] = [None]
    for before, after in zip(lines, lines[1:], strict=False):
        growth = value(after) - value(before)
        found.append(max(0.0, growth) * 1000 / max(1, after["at"] - before["at"]))
    return found
