"""The figures as text, for a terminal."""

import time
from collections.abc import Callable

from figures.machine import NEEDS_PROC
from figures.requests import NO_ROUTE

Column = tuple[str, Callable[[dict], str]]
LONGEST_NAME = 44


def report(document: dict) -> str:
    parts = [head(document), requests(document["requests"]), *machine(document["machine"])]
    return "\n\n".join(part for part in parts if part)


def head(document: dict) -> str:
    seconds = document["seconds"]
    count = document["requests"]["total"]["count"]
    return (
        f"{document['instance']}: {count} requests in {span(seconds)}, {count / max(1, seconds):.1f} a second; "
        f"until {time.strftime('%H:%M:%S', time.localtime(document['until'] / 1000))}"
    )


def requests(figures: dict) -> str:
    answers: list[Column] = [
        ("count", lambda row: f"{row['count']}"),
        ("2xx", lambda row: some(row["2xx"])),
        ("4xx", lambda row: some(row["4xx"])),
        ("5xx", lambda row: some(row["5xx"])),
        ("p50 ms", lambda row: number(row["p50Ms"])),
        ("p90", lambda row: number(row["p90Ms"])),
        ("p99", lambda row: number(row["p99Ms"])),
        ("max", lambda row: number(row["maxMs"])),
        ("function p50", lambda row: number(row["functionP50Ms"])),
        ("bytes", lambda row: some(row["bytes"])),
        ("cold", lambda row: some(row["coldStarts"])),
        ("RU", lambda row: number(row["readUnits"])),
        ("WU", lambda row: number(row["writeUnits"])),
        ("of all units", lambda row: f"{row['unitsShare']:.1%}"),
    ]
    parts = []
    if figures["routes"]:
        rows = [shown(row) for row in figures["routes"]] + [figures["total"]]
        parts.append(table("route", rows, answers))
    if figures["functions"]:
        # Nobody waits at the gateway for these: the times are those of the functions.
        columns = [column for column in answers if column[0] not in ("function p50", "bytes")]
        parts.append(table("function that no client calls", [shown(row) for row in figures["functions"]], columns))
    if figures["errors"]:
        lines = ["errors"]
        for error in figures["errors"]:
            name = "(no route)" if error["name"] == NO_ROUTE else error["name"]
            detail = ": ".join(filter(None, (error["error"], error["cause"])))
            lines.append(f"{error['count']:>7}  {error['status']}  {name}  {detail}".rstrip())
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def machine(figures: dict) -> list[str]:
    def only_used(rows: list[dict], *members: str) -> list[dict]:
        return [row for row in rows if any(row[member] for member in members)]

    readers = [row | {"name": row["function"]} for row in figures["streams"] + figures["topics"]]
    parts = [
        table("reader of stream or topic", readers, [
            ("records behind", lambda row: "unknown" if row["behind"] is None else f"{row['behind']}"),
            ("most", lambda row: f"{row['mostBehind']}"),
            ("oldest", lambda row: f"{row['ageSeconds']:.1f} s" if row.get("ageSeconds") else ""),
        ]),
        table("queue", only_used(figures["queues"], "visible", "hidden", "mostVisible"), [
            ("messages", lambda row: f"{row['visible']}"),
            ("in flight", lambda row: some(row["hidden"])),
            ("most", lambda row: f"{row['mostVisible']}"),
        ]),
        table("state machine", [row | {"name": row["machine"]} for row in figures["executions"]], [
            ("running", lambda row: f"{row['running']}"),
            ("most", lambda row: f"{row['mostRunning']}"),
            ("succeeded", lambda row: f"{row['succeeded']}"),
            ("failed", lambda row: some(row["failed"])),
        ]),
    ]  # fmt: skip
    if figures["host"] is None:
        return [*parts, NEEDS_PROC if figures["noProc"] else ""]
    busiest = sorted(figures["processes"], key=lambda row: -row["cpuSeconds"])
    parts.append(table("process", busiest, [
        ("processes", lambda row: f"{row['count']}"),
        ("busy", lambda row: some(row["busy"])),
        ("CPU", lambda row: f"{row['cpuShare']:.1%}"),
        ("CPU s", lambda row: f"{row['cpuSeconds']:.2f}"),
        ("memory", lambda row: size(row["memoryBytes"])),
        ("read", lambda row: size(row["readBytes"])),
        ("written", lambda row: size(row["writtenBytes"])),
    ]))  # fmt: skip
    return [*parts, host(figures["host"])]


def host(figures: dict) -> str:
    return (
        f"machine: CPU {figures['cpu']:.2f} of {figures['processors']} processors, load {figures['load']:.1f}; "
        f"memory {size(figures['memoryBytes'])} of {size(figures['totalMemoryBytes'])}; "
        f"network a second: loopback {size(figures['loopbackBytesPerSecond'])}, "
        f"in {size(figures['receivedBytesPerSecond'])}, out {size(figures['sentBytesPerSecond'])}; "
        f"disk a second: read {size(figures['readBytesPerSecond'])}, written {size(figures['writtenBytesPerSecond'])}"
    )


def table(title: str, rows: list[dict], columns: list[Column]) -> str:
    """Aligned columns; empty without rows."""
    if not rows:
        return ""
    cells = [[title, *(name for name, _ in columns)]]
    cells += [[row["name"], *(show(row) for _, show in columns)] for row in rows]
    widths = [max(len(line[number]) for line in cells) for number in range(len(columns) + 1)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))])
        .rstrip()
        for line in cells
    )  # fmt: skip


def shown(row: dict) -> dict:
    name = "(no route)" if row["name"] == NO_ROUTE else row["name"]
    return row | {"name": name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"}


def some(count: int) -> str:
    """Nothing for 0, so that what is not 0 is seen."""
    return f"{count}" if count else "·"


def number(value: float) -> str:
    if value == 0:
        return "·"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if count >= 100 or count == int(count) or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return ""


def span(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.0f} s"
