"""The figures as one page with charts, which needs nothing else: no program, no font, no request."""

import time
from html import escape
from pathlib import Path

from figures import text
from figures.chart import chart
from figures.machine import NEEDS_PROC
from figures.requests import NO_ROUTE

STYLE = Path(__file__).parent / "page.css"


def page(document: dict, reload_seconds: int = 0) -> str:
    """The page; with `reload_seconds`, one that the browser reads again, as long as the command writes it."""
    reload = f'<meta http-equiv="refresh" content="{reload_seconds}">' if reload_seconds else ""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(document["until"] / 1000))
    requests, machine = document["requests"], document["machine"]
    body = [
        f"<header><h1>{escape(document['instance'])}</h1><p>{text.span(document['seconds'])} until {when}</p></header>",
        tiles(document),
        "<h2>Requests</h2>",
        charts(document["series"]),
        route_table("Route", requests["routes"], requests["total"]),
        route_table("Function that no client calls", requests["functions"]),
        errors(requests["errors"]),
        "<h2>Behind the requests</h2>",
        machine_charts(document["machineSeries"]),
        lists(machine),
        "<h2>Processes</h2>",
        process_charts(document["machineSeries"]) if machine["host"] else f'<p class="nothing">{NEEDS_PROC}</p>',
        processes(machine["processes"]),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{reload}<title>{escape(document['instance'])}: metrics</title><style>{STYLE.read_text()}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def tiles(document: dict) -> str:
    total, machine = document["requests"]["total"], document["machine"]
    functions = document["requests"]["functions"]
    faults = sum(row["5xx"] for row in functions)
    behind = sum(row["behind"] or 0 for row in machine["streams"] + machine["topics"])
    each = [
        ("requests a second", f"{total['count'] / max(1, document['seconds']):.1f}", ""),
        ("p50", f"{text.number(total['p50Ms'])} ms", ""),
        ("p99", f"{text.number(total['p99Ms'])} ms", ""),
        ("5xx", f"{total['5xx']}", "bad" if total["5xx"] else "good"),
        ("5xx behind them", f"{faults}", "bad" if faults else "good"),
        ("read units a request", text.number(total["readUnits"]), ""),
        ("write units a request", text.number(total["writeUnits"]), ""),
        ("records not yet read", f"{behind}", ""),
    ]
    if machine["host"]:
        each.append(("processors busy", f"{machine['host']['cpu']:.1f} of {machine['host']['processors']}", ""))
    inner = "".join(f'<li class="{kind}"><b>{escape(value)}</b><span>{name}</span></li>' for name, value, kind in each)
    return f'<ul class="tiles">{inner}</ul>'


def charts(series: dict) -> str:
    moments = series["at"]
    return grid(
        chart("Requests a second", moments, series["requests"], plain),
        chart("Time at the gateway, ms", moments, series["milliseconds"], plain),
        chart("Units of the table a second", moments, series["units"], plain),
    )


def machine_charts(series: dict) -> str:
    moments = series["at"]
    return grid(
        chart("Records not yet read", moments, series["behind"], whole),
        chart("Messages in queues", moments, series["messages"], whole),
        chart("Executions that run", moments, series["running"], whole),
    )


def process_charts(series: dict) -> str:
    if "cpu" not in series:
        return ""
    moments = series["at"]
    return grid(
        chart("CPU, in processors", moments, series["cpu"], plain),
        chart("Memory", moments, series["memory"], text.size),
        chart("Environments of functions", moments, series["environments"], whole),
        chart("Network a second", moments, series["network"], text.size),
        chart("Disk a second", moments, series["disk"], text.size),
    )


def grid(*figures: str) -> str:
    return f'<div class="charts">{"".join(figures)}</div>'


def route_table(title: str, rows: list[dict], total: dict | None = None) -> str:
    if not rows:
        return ""
    heads = ("count", "2xx", "4xx", "5xx", "p50 ms", "p90", "p99", "max", "bytes", "cold", "RU", "WU", "of all units")
    slowest = max(row["p99Ms"] for row in rows) or 1
    lines = [route_line(row, slowest) for row in rows]
    if total:
        lines.append(route_line(total, slowest, "total"))
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f'<div class="wide"><table><thead><tr><th>{title}</th>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def route_line(row: dict, slowest: float, kind: str = "") -> str:
    name = "(no route)" if row["name"] == NO_ROUTE else row["name"]
    cells = [
        cell(f"{row['count']}"), cell(text.some(row["2xx"])), cell(text.some(row["4xx"])),
        cell(text.some(row["5xx"]), "bad" if row["5xx"] else ""), cell(text.number(row["p50Ms"])),
        cell(text.number(row["p90Ms"])), bar(text.number(row["p99Ms"]), row["p99Ms"] / slowest),
        cell(text.number(row["maxMs"])), cell(text.some(row["bytes"])), cell(text.some(row["coldStarts"])),
        cell(text.number(row["readUnits"])), cell(text.number(row["writeUnits"])),
        bar(f"{row['unitsShare']:.1%}", row["unitsShare"]),
    ]  # fmt: skip
    if kind == "total":
        cells[-1] = cells[6] = cell("")
        cells[6] = cell(text.number(row["p99Ms"]))
    return f'<tr class="{kind}"><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'


def cell(value: str, kind: str = "") -> str:
    return f'<td class="{kind}">{escape(value)}</td>'


def bar(value: str, share: float) -> str:
    return f'<td class="bar" style="--share: {min(1, share):.1%}">{escape(value)}</td>'


def errors(rows: list[dict]) -> str:
    if not rows:
        return ""
    lines = "".join(
        f'<tr>{cell(str(row["count"]))}{cell(str(row["status"]), "bad" if row["status"] >= 500 else "")}'
        f'<th scope="row">{escape(row["name"])}</th>{cell(row["error"], "words")}{cell(row["cause"], "words")}</tr>'
        for row in rows
    )
    head = '<th>Errors</th><th>status</th><th class="words">route or function</th><th class="words">kind</th><th class="words">cause</th>'
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def lists(machine: dict) -> str:
    readers = [
        (row["function"], "unknown" if row["behind"] is None else f"{row['behind']}", f"{row['mostBehind']}")
        for row in machine["streams"] + machine["topics"]
    ]
    queues = [
        (row["name"], f"{row['visible']}", f"{row['mostVisible']}") for row in machine["queues"] if row["mostVisible"] or row["hidden"]
    ]
    executions = [
        (row["machine"], f"{row['running']}", f"{row['succeeded']}", text.some(row["failed"]))
        for row in machine["executions"]
    ]
    return grid(
        listed(("Reader", "behind", "most"), readers),
        listed(("Queue", "messages", "most"), queues),
        listed(("State machine", "running", "succeeded", "failed"), executions),
    )


def processes(rows: list[dict]) -> str:
    busiest = sorted(rows, key=lambda row: -row["cpuSeconds"])
    most = max((row["cpuShare"] for row in busiest), default=0) or 1
    lines = "".join(process_line(row, most) for row in busiest)
    heads = ("processes", "CPU", "CPU s", "memory", "most", "read", "written")
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f'<div class="wide"><table><thead><tr><th>Process</th>{head}</tr></thead><tbody>{lines}</tbody></table></div>' if lines else ""


def process_line(row: dict, most: float) -> str:
    share = row["cpuShare"]
    sizes = (row["memoryBytes"], row["mostMemoryBytes"], row["readBytes"], row["writtenBytes"])
    cells = [cell(f"{row['count']}"), bar(f"{share:.1%}", share / most), cell(f"{row['cpuSeconds']:.2f}")]
    cells += [cell(text.size(each)) for each in sizes]
    return f'<tr><th scope="row">{escape(row["name"])}</th>{"".join(cells)}</tr>'


def listed(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{name}</th>" for name in heads)
    lines = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(cell(value) for value in row[1:])}</tr>' for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2g}" if value < 1 else f"{value:.1f}"


def whole(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.1f}"
