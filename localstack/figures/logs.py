"""The lines of a log from some time on, without reading what is before them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

STEP = 64 * 1024  # bytes; a part of a file of this size is read rather than searched
SLACK_MS = 60_000  # a line is written at the end of an invocation, and has the time of its beginning

When = Callable[[dict], int | None]


def since(file: Path, at: int, when: When) -> Iterator[dict]:
    """The JSON lines of a log that are of this time (milliseconds since 1970) or later; other lines are left out."""
    try:
        log = file.open("rb")
    except FileNotFoundError:
        return
    with log:
        seek(log, file.stat().st_size, at - SLACK_MS, when)
        for line in log:
            document = parsed(line)
            if document is not None and (moment := when(document)) is not None and moment >= at:
                yield document


def seek(log: BinaryIO, size: int, at: int, when: When) -> None:
    """Moves to the beginning of a line that is not after the first one of this time."""
    low, high = 0, size
    while high - low > STEP:
        middle = (low + high) // 2
        log.seek(middle)
        log.readline()
        moment = first_moment(log, when)
        if moment is None or moment >= at:
            high = middle
        else:
            low = middle
    log.seek(low)
    if low:
        log.readline()


def first_moment(log: BinaryIO, when: When) -> int | None:
    for line in log:
        document = parsed(line)
        if document is not None and (moment := when(document)) is not None:
            return moment
    return None


def parsed(line: bytes) -> dict | None:
    try:
        document = json.loads(line)
    except ValueError:  # a panic's text, or a line that is being written
        return None
    return document if isinstance(document, dict) else None


def at(document: dict) -> int | None:
    """The time of a line of the access log or of a sample."""
    return document.get("at")


def of_invocation(document: dict) -> int | None:
    """The time of the line that ends an invocation of a function."""
    return document.get("_aws", {}).get("Timestamp") if "Route" in document else None
