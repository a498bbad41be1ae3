"""`localstack/metrics`: its options, and the document that it shows."""

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path

from figures import machine, page, text
from figures.requests import Requests
from run.commands import named
from run.instance import Instance
from run.project import Failure, fail

UNITS = {"s": 1, "m": 60, "h": 3600}
DEFAULT_SECONDS, DEFAULT_WATCH_SECONDS = 15 * 60, 60
PAUSE_SECONDS = 2
SORTS = ("count", "p50", "p99", "max", "4xx", "5xx", "bytes", "cold", "units", "name")
LATE_MS = 10_000  # samples are two seconds apart
TO_THE_TOP = "\x1b[H\x1b[J"


def main() -> int:
    arguments = parse()
    try:
        instance = Instance(arguments.name)
        instance.require_running()
        while True:
            now = int(time.time() * 1000)
            document = gathered(instance.directory, instance.name, now - int(arguments.since * 1000), now, arguments.sort)
            show(document, arguments)
            if not arguments.watch:
                return 0
            time.sleep(PAUSE_SECONDS)
    except Failure as failure:
        return fail("metrics", failure)
    except BrokenPipeError:
        # The reader, such as `head`, has enough. Python would complain when it flushes the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 0


def parse() -> argparse.Namespace:
    parser = named("Prints what the running system does: requests by route, lag, queues, executions, processes.")
    parser.add_argument(
        "--since", type=seconds, metavar="TIME",
        help="the period, such as 90s, 10m or 2h (default: 15m, with --watch 60s)",
    )  # fmt: skip
    parser.add_argument("--sort", choices=SORTS, default="count", help="the order of routes (default: count)")
    parser.add_argument("--watch", action="store_true", help="print it again every two seconds")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one line of JSON")
    form.add_argument("--html", type=Path, metavar="FILE", help="write one page with charts")
    arguments = parser.parse_args()
    if arguments.since is None:
        arguments.since = DEFAULT_WATCH_SECONDS if arguments.watch else DEFAULT_SECONDS
    return arguments


def seconds(word: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", word)
    if not found or not (length := float(found[1]) * UNITS[found[2]]):
        raise argparse.ArgumentTypeError(f"{word} is not a time such as 90s, 10m or 2h")
    return length


def show(document: dict, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(json.dumps(document), flush=True)
    elif arguments.html:
        written(arguments.html, page.page(document, PAUSE_SECONDS if arguments.watch else 0))
    else:
        clear = TO_THE_TOP if arguments.watch and sys.stdout.isatty() else ""
        print(f"{clear}{text.report(document)}\n", flush=True)


def written(file: Path, content: str) -> None:
    """Replaces the file at once: a browser may be reading it."""
    temporary = file.with_name(f".{file.name}.new")
    try:
        temporary.write_text(content)
        temporary.replace(file)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}") from error


def gathered(directory: Path, name: str, begin: int, end: int, sort: str) -> dict:
    """The figures of an instance in a period, in milliseconds since 1970."""
    lines = machine.samples(directory, begin)
    if lines and lines[0]["at"] - begin > LATE_MS:
        begin = lines[0]["at"]  # the instance is younger than the period
    requests = Requests(directory / "logs", begin, end)
    figures = requests.figures()
    for rows in (figures["routes"], figures["functions"]):
        rows.sort(key=lambda row: in_order(row, sort))
    return {
        "instance": name,
        "from": begin,
        "until": end,
        "seconds": (end - begin) / 1000,
        "requests": figures,
        "series": requests.series(),
        "machine": machine.figures(lines) | {"noProc": bool(lines) and "host" not in lines[-1]},
        "machineSeries": machine.series(lines),
    }


def in_order(row: dict, sort: str) -> tuple:
    """The largest first, and names by the alphabet."""
    members = {"p50": "p50Ms", "p99": "p99Ms", "max": "maxMs", "cold": "coldStarts", "units": "unitsShare"}
    return (0 if sort == "name" else -row[members.get(sort, sort)], row["name"])
