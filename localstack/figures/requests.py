"""Requests by route, invocations by function, and errors by their kind."""

import collections
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from figures import logs

NO_ROUTE = "-"
WRITE_PRICE = 5  # a write unit costs as much as five read units, on demand
BUCKETS = 90  # of the charts
MOST_ERRORS = 10
LONGEST_CAUSE = 160


@dataclass
class Row:
    """A route as its clients see it, or a function that none of them calls."""

    name: str
    statuses: collections.Counter = field(default_factory=collections.Counter)
    times: list[float] = field(default_factory=list)
    bytes: int = 0
    invocations: int = 0
    function_times: list[float] = field(default_factory=list)
    cold_starts: int = 0
    read_units: float = 0
    write_units: float = 0

    @property
    def count(self) -> int:
        return len(self.times)

    @property
    def price(self) -> float:
        return self.read_units + WRITE_PRICE * self.write_units

    def figures(self, of_all: float) -> dict:
        runs = self.invocations or self.count or 1
        return {
            "name": self.name,
            "count": self.count,
            "2xx": sum(number for status, number in self.statuses.items() if status < 400),
            "4xx": sum(number for status, number in self.statuses.items() if 400 <= status < 500),
            "5xx": sum(number for status, number in self.statuses.items() if status >= 500),
            **{f"{name}Ms": value for name, value in percentiles(self.times).items()},
            "bytes": round(self.bytes / (self.count or 1)),
            "functionP50Ms": percentiles(self.function_times)["p50"],
            "coldStarts": self.cold_starts,
            "readUnits": round(self.read_units / runs, 2),
            "writeUnits": round(self.write_units / runs, 2),
            "unitsShare": round(self.price / of_all, 4) if of_all else 0,
        }


def percentiles(times: Iterable[float]) -> dict[str, float]:
    """By the nearest rank: each is a time that occurred."""
    ordered = sorted(times)
    if not ordered:
        return dict.fromkeys(("p50", "p90", "p99", "max"), 0.0)
    ranks = {"p50": 50, "p90": 90, "p99": 99, "max": 100}
    return {name: round(ordered[-(-len(ordered) * rank // 100) - 1], 2) for name, rank in ranks.items()}


class Requests:
    """All that the logs of an instance say of a period."""

    def __init__(self, folder: Path, begin: int, end: int):
        self.begin, self.end = begin, end
        self.routes: dict[str, Row] = {}
        self.functions: dict[str, Row] = {}
        self.errors: collections.Counter = collections.Counter()
        self.answers: list[tuple[int, int, float]] = []  # time, status, milliseconds
        self.units: list[tuple[int, float, float]] = []  # time, read units, write units
        for line in logs.since(folder / "api.log", begin, logs.at):
            self.add_request(line)
        for file in sorted(folder.glob("*.log")):
            for line in logs.since(file, begin, logs.of_invocation) if file.name != "api.log" else ():
                self.add_invocation(file.stem.partition("-")[2], line)

    def add_request(self, line: dict) -> None:
        name = line.get("route") or NO_ROUTE
        row = self.routes.setdefault(name, Row(name))
        row.statuses[line["status"]] += 1
        row.times.append(line["durationMs"])
        row.bytes += line.get("bytes", 0)
        self.answers.append((line["at"], line["status"], line["durationMs"]))

    def add_invocation(self, function: str, line: dict) -> None:
        """`Route` is a route's key for a request, and a kind of trigger for others."""
        route, status = line["Route"], line["status"]
        by_client = " " in route
        name = route if by_client else f"{function} ({route})"
        row = (self.routes if by_client else self.functions).setdefault(name, Row(name))
        row.invocations += 1
        row.function_times.append(line["Latency"])
        row.cold_starts += line.get("ColdStart", 0)
        row.read_units += line.get("ReadUnits", 0)
        row.write_units += line.get("WriteUnits", 0)
        self.units.append((line["_aws"]["Timestamp"], line.get("ReadUnits", 0), line.get("WriteUnits", 0)))
        if not by_client:
            row.statuses[status] += 1
            row.times.append(line["Latency"])
            row.bytes += line.get("ResponseSize", 0)
        if status >= 400:
            cause = (line.get("cause") or "")[:LONGEST_CAUSE]
            self.errors[status, name, line.get("error") or "", cause] += 1

    def figures(self) -> dict:
        rows = [*self.routes.values(), *self.functions.values()]
        of_all = sum(row.price for row in rows)
        total = Row("all requests")
        for row in self.routes.values():
            total.statuses += row.statuses
            total.times += row.times
            total.bytes += row.bytes
        for row in rows:
            total.invocations += row.invocations
            total.cold_starts += row.cold_starts
            total.read_units += row.read_units
            total.write_units += row.write_units
            total.function_times += row.function_times
        whole = total.figures(of_all)
        # The units of steps and stream functions are divided among the requests, as in a bill.
        for name, units in (("readUnits", total.read_units), ("writeUnits", total.write_units)):
            whole[name] = round(units / (total.count or 1), 2)
        return {
            "total": whole,
            "routes": [row.figures(of_all) for row in self.routes.values()],
            "functions": [row.figures(of_all) for row in self.functions.values()],
            "errors": self.top_errors(),
        }

    def top_errors(self) -> list[dict]:
        # Faults first: a 404 may be what was wanted.
        ordered = sorted(self.errors.items(), key=lambda each: (each[0][0] < 500, -each[1], each[0]))
        return [
            {"count": count, "status": status, "name": name, "error": error, "cause": cause}
            for (status, name, error, cause), count in ordered[:MOST_ERRORS]
        ]

    def series(self) -> dict:
        """Requests a second by status, times and units a second, in equal parts of the period."""
        width = max(1.0, (self.end - self.begin) / BUCKETS)
        times: list[list[float]] = [[] for _ in range(BUCKETS)]
        counts = {name: [0.0] * BUCKETS for name in ("2xx and 3xx", "4xx", "5xx")}
        units = {name: [0.0] * BUCKETS for name in ("read units", "write units")}
        a_second = 1000 / width
        for moment, status, milliseconds in self.answers:
            bucket = min(BUCKETS - 1, int((moment - self.begin) / width))
            times[bucket].append(milliseconds)
            counts["2xx and 3xx" if status < 400 else "4xx" if status < 500 else "5xx"][bucket] += a_second
        for moment, read, write in self.units:
            bucket = min(BUCKETS - 1, int((moment - self.begin) / width))
            units["read units"][bucket] += read * a_second
            units["write units"][bucket] += write * a_second
        ranks = [percentiles(each) if each else None for each in times]
        return {
            "at": [round(self.begin + (number + 0.5) * width) for number in range(BUCKETS)],
            "requests": counts,
            "milliseconds": {name: [each and each[name] for each in ranks] for name in ("p50", "p99")},
            "units": units,
        }
