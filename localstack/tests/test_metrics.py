"""figures/ and what the emulator writes for it: emulator/samples.py and emulator/host.py."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
from pathlib import Path

from emulator import host, samples
from figures import chart, command, logs, machine, page, requests, text
from run.project import LOCALSTACK
from tests.harness import Case

MINUTE_MS = 60_000


def invocation(at: int, route: str, status: int = 200, **members) -> dict:
    """A line that a function writes at the end of an invocation."""
    line = {"_aws": {"Timestamp": at}, "Route": route, "status": status, "Latency": 1.0, "ColdStart": 0}
    return line | {"ReadUnits": 0.5, "WriteUnits": 0, "ResponseSize": 10} | members


def request(at: int, route: str, status: int = 200, duration_ms: float = 5) -> dict:
    return {"at": at, "route": route, "status": status, "durationMs": duration_ms, "bytes": 100}


def written(file: Path, lines: list) -> Path:
    file.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return file


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="souk-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class Logs(Folder):
    def test_a_search_finds_what_reading_finds(self):
        at = [1_000_000 + 100 * number + (number % 7) * 500 for number in range(20_000)]
        lines = [request(moment, "GET /x") for moment in at]
        lines[50:50] = ["a panic's text\n", "[1]\n", '{"other": 1}\n']
        file = written(self.folder / "api.log", [*lines, '{"at": 99999999, "unfinished'])
        self.assertGreater(file.stat().st_size, 10 * logs.STEP)
        for begin in (0, at[0], at[1234], at[19_000] + 1, at[-1], at[-1] + 10_000):
            found = [line["at"] for line in logs.since(file, begin, logs.at)]
            self.assertEqual(found, [moment for moment in at if moment >= begin], begin)

    def test_a_search_reads_little(self):
        lines = [request(1_000_000 + 100 * number, "GET /x") for number in range(20_000)]
        file = written(self.folder / "api.log", lines)
        begin = 1_000_000 + 100 * 19_990
        with file.open("rb") as log:
            logs.seek(log, file.stat().st_size, begin, logs.at)
            self.assertLess(file.stat().st_size - log.tell(), 2 * logs.STEP)

    def test_a_log_that_is_not_there_has_no_lines(self):
        self.assertEqual(list(logs.since(self.folder / "api.log", 0, logs.at)), [])


class Requests(Folder):
    def figures(self, api: list, **functions: list) -> dict:
        written(self.folder / "api.log", api)
        for name, lines in functions.items():
            written(self.folder / f"souk-{name.replace('_', '-')}.log", lines)
        return requests.Requests(self.folder, 0, MINUTE_MS).figures()

    def test_percentiles_are_times_that_occurred(self):
        hundred = [float(number) for number in range(1, 101)]
        self.assertEqual(requests.percentiles(hundred), {"p50": 50, "p90": 90, "p99": 99, "max": 100})
        self.assertEqual(requests.percentiles([3.0]), {"p50": 3, "p90": 3, "p99": 3, "max": 3})
        self.assertEqual(requests.percentiles([])["p99"], 0)

    def test_a_route_has_what_its_clients_and_its_function_saw(self):
        answers = [(200, 4), (304, 6), (404, 2), (500, 90)]
        figures = self.figures(
            [request(1, "GET /x", status, time) for status, time in answers] + [request(2, "-", 404)],
            product_get=[
                invocation(1, "GET /x", ColdStart=1, ReadUnits=2, WriteUnits=1),
                invocation(2, "GET /x", 500, ReadUnits=1, error="unavailable", cause="the table"),
            ],
            order_confirm=[invocation(3, "step", ReadUnits=2, WriteUnits=3)],
        )
        rows = {row["name"]: row for row in figures["routes"]}
        row = rows["GET /x"]
        self.assertEqual((row["count"], row["2xx"], row["4xx"], row["5xx"]), (4, 2, 1, 1))
        self.assertEqual((row["p50Ms"], row["maxMs"], row["bytes"], row["coldStarts"]), (4, 90, 100, 1))
        self.assertEqual((row["readUnits"], row["writeUnits"]), (1.5, 0.5))
        # 3 + 5 of 8 + 17: a write unit costs as much as five read units.
        self.assertEqual(row["unitsShare"], 0.32)
        self.assertEqual(rows["-"]["4xx"], 1)
        (behind,) = figures["functions"]
        self.assertEqual((behind["name"], behind["count"], behind["unitsShare"]), ("order-confirm (step)", 1, 0.68))
        total = figures["total"]
        self.assertEqual((total["count"], total["5xx"], total["readUnits"], total["writeUnits"]), (5, 1, 1.0, 0.8))
        self.assertEqual(
            figures["errors"], [{"count": 1, "status": 500, "name": "GET /x", "error": "unavailable", "cause": "the table"}]
        )

    def test_errors_that_are_ours_come_first(self):
        lines = [invocation(1, "GET /x", 404, error="not-found")] * 3 + [invocation(1, "GET /x", 503, error="unavailable")]
        self.assertEqual([each["status"] for each in self.figures([], product_get=lines)["errors"]], [503, 404])

    def test_series_count_by_second(self):
        written(self.folder / "api.log", [request(at, "GET /x", 200 if at % 2 else 503) for at in range(1, 60_000, 50)])
        series = requests.Requests(self.folder, 0, MINUTE_MS).series()
        self.assertEqual(len(series["at"]), requests.BUCKETS)
        for values in series["requests"].values():
            self.assertEqual(len(values), requests.BUCKETS)
        average = sum(series["requests"]["2xx and 3xx"]) / requests.BUCKETS
        self.assertAlmostEqual(average, 20, places=3)


class Samples(Folder):
    def sample(self, at: int, cpu: float, ended: int) -> dict:
        process = {"count": 1, "busy": 0, "memoryBytes": 100 - at // 1000, "cpuSeconds": cpu, "readBytes": 0, "writtenBytes": 0}
        counters = ("cpuSeconds", "loopbackBytes", "receivedBytes", "sentBytes", "readBytes", "writtenBytes")
        return {
            "at": at, "streams": [{"function": "rating-average", "behind": at % 7, "ageSeconds": 0}],
            "topics": [{"function": "event-sink", "behind": None}], "queues": [],
            "executions": [{"machine": "order-place", "running": 0, "ended": {"SUCCEEDED": ended, "FAILED": 1}}],
            "processes": {"souk-product-get": process},
            "host": {"processors": 2, "load": 1.0, "memoryBytes": 5, "totalMemoryBytes": 10} | dict.fromkeys(counters, cpu),
        }  # fmt: skip

    def test_counters_may_begin_anew(self):
        self.assertEqual(machine.rise([5, 7, 1, 2]), 4)
        lines = [self.sample(0, 5, 10), self.sample(2000, 6, 12), self.sample(4000, 1, 3)]
        figures = machine.figures(lines)
        (process,) = figures["processes"]
        self.assertEqual((process["name"], process["cpuSeconds"], process["cpuShare"]), ("product-get", 2, 0.5))
        self.assertEqual(process["mostMemoryBytes"], 100)
        (execution,) = figures["executions"]
        self.assertEqual((execution["succeeded"], execution["failed"]), (5, 0))
        self.assertEqual(figures["streams"][0]["mostBehind"], max(at % 7 for at in (0, 2000, 4000)))
        self.assertIsNone(figures["topics"][0]["behind"])
        self.assertEqual(figures["host"]["cpu"], 0.5)
        self.assertEqual(machine.series(lines)["cpu"]["functions"], [None, 0.5, 0.0])

    def test_without_proc_the_rest_is_shown_with_a_reason(self):
        line = self.sample(1000, 1, 1)
        del line["processes"], line["host"]
        written(self.folder / "samples.jsonl", [line])
        document = command.gathered(self.folder, "local", 0, MINUTE_MS, "count")
        for shown in (text.report(document), page.page(document)):
            self.assertIn("rating-average", shown)
            self.assertIn(machine.NEEDS_PROC, shown)

    def test_a_full_file_is_put_aside_and_still_read(self):
        samples._file, file = self.folder / "samples.jsonl", samples._file
        self.addCleanup(setattr, samples, "_file", file)
        most = samples.MOST_BYTES
        samples.MOST_BYTES = 10
        self.addCleanup(setattr, samples, "MOST_BYTES", most)
        samples.write(self.sample(1000, 1, 1))
        samples.MOST_BYTES = most
        samples.write(self.sample(2000, 1, 1))
        self.assertEqual([line["at"] for line in machine.samples(self.folder, 0)], [1000, 2000])
        self.assertEqual([line["at"] for line in machine.samples(self.folder, 1500)], [2000])


class Host(Folder):
    def test_a_process_is_read_whatever_its_name(self):
        proc, host.PROC = host.PROC, self.folder
        self.addCleanup(setattr, host, "PROC", proc)
        self.assertFalse(host.has_figures())
        (self.folder / "7").mkdir()
        ticks = 3 * host.TICKS
        written(self.folder / "7" / "stat", [f"7 (a) b (c) S 1 7 7 0 -1 0 1 0 0 0 {ticks} {host.TICKS} 0 0 20 0 1 0 5"])
        written(self.folder / "7" / "statm", ["900 2 1 1 0 1 0"])
        figures = {"cpuSeconds": 4, "memoryBytes": 2 * host.PAGE, "readBytes": 0, "writtenBytes": 0}
        self.assertEqual(host.process(7), figures)
        written(self.folder / "7" / "io", ["rchar: 1\nwchar: 2\nread_bytes: 30\nwrite_bytes: 40\ncancelled_write_bytes: 5\n"])
        self.assertEqual(host.process(7), figures | {"readBytes": 30, "writtenBytes": 40})
        self.assertIsNone(host.process(8))

    def test_loopback_is_apart(self):
        interface = "{:>6}: {} 1 0 0 0 0 0 0 {} 1 0 0 0 0 0 0\n"
        given = "head\nhead\n" + interface.format("lo", 7, 7) + interface.format("eth0", 11, 13) + interface.format("eth1", 1, 2)
        self.assertEqual(host.traffic(given), {"loopbackBytes": 7, "receivedBytes": 12, "sentBytes": 15})


class Page(unittest.TestCase):
    def document(self, **members) -> dict:
        with tempfile.TemporaryDirectory(prefix="souk-test-") as folder:
            (Path(folder) / "logs").mkdir()
            written(Path(folder) / "logs" / "api.log", [request(at, "GET /x") for at in range(1, 50_000, 500)])
            fault = invocation(5, "GET /x", 500, error="internal", cause="<script>alert(1)</script>")
            written(Path(folder) / "logs" / "souk-product-get.log", [fault])
            return command.gathered(Path(folder), "local", 0, MINUTE_MS, "count") | members

    def test_the_page_needs_nothing_else_and_trusts_no_text(self):
        html = page.page(self.document())
        self.assertEqual(re.findall(r"(?:src|href)=|https?:|@import|url\(", html), [])
        self.assertNotIn("<script", html)
        self.assertIn("&lt;script&gt;alert(1)", html)
        self.assertEqual((html.count("<svg"), html.count("Nothing in this period")), (3, 3))

    def test_a_watched_page_is_read_again(self):
        self.assertIn('http-equiv="refresh" content="2"', page.page(self.document(), 2))
        self.assertNotIn("http-equiv", page.page(self.document()))

    def test_an_axis_has_round_steps_and_holds_the_highest_value(self):
        for most, wanted in ((7, (2, 8)), (100, (50, 100)), (0.9, (0.5, 1)), (230, (100, 300)), (1, (0.5, 1))):
            step, top = chart.scale(most)
            self.assertAlmostEqual(step, wanted[0])
            self.assertAlmostEqual(top, wanted[1])

    def test_a_value_that_is_missing_is_a_gap(self):
        drawn = chart.path([0, 1, 2, 3], [1, None, 2, 3], lambda value: value)
        self.assertEqual(drawn.count("M"), 2)


class OfAnInstance(Case):
    """The shared emulator, with a function that is not ours: it writes no lines of invocations."""

    def gathered(self) -> dict:
        now = int(time.time() * 1000)
        return command.gathered(self.system.instance.directory, "shared", now - 30 * MINUTE_MS, now + 1000, "count")

    def test_requests_and_what_waits_behind_them_are_counted(self):
        self.addCleanup(self.system.control, "DELETE", "faults")
        self.system.control("PUT", "faults", [{"function": self.system.outputs["StepFunction"], "kind": "hold"}])
        for number in range(3):
            self.system.request("GET", f"/things/measured-{number}")
        self.system.client("sqs").send_message(QueueUrl=self.system.outputs["Failures"], MessageBody="{}")
        self.addCleanup(self.system.client("sqs").purge_queue, QueueUrl=self.system.outputs["Failures"])
        event = {"do": "nothing", "tag": uuid.uuid4().hex}
        self.system.client("stepfunctions").start_execution(
            stateMachineArn=self.system.outputs["Quick"], name=event["tag"], input=json.dumps(event)
        )

        def measured() -> bool:
            figures = self.gathered()["machine"]
            waits = any(row["visible"] for row in figures["queues"])
            runs = any(row["mostRunning"] for row in figures["executions"])
            return waits and runs and (figures["host"] is not None or not host.has_figures())

        self.eventually(measured, "the samples do not show it")
        document = self.gathered()
        row = next(row for row in document["requests"]["routes"] if row["name"] == "GET /things/{id}")
        self.assertGreaterEqual(row["2xx"], 3)
        self.assertGreater(row["bytes"], 0)
        readers = {each["function"] for each in document["machine"]["streams"]}
        self.assertTrue(any(name.startswith("Consumer") for name in readers), readers)
        if host.has_figures():
            names = [each["name"] for each in document["machine"]["processes"]]
            self.assertIn("emulator", names)
            self.assertTrue(any(name.startswith("Answer") for name in names), names)
            self.assertGreater(document["machine"]["host"]["cpu"], 0)

    def command(self, *options: str) -> subprocess.CompletedProcess:
        words = [sys.executable, str(LOCALSTACK / "metrics"), "--name", self.system.instance.name, *options]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    def test_the_command_prints_text_json_and_a_page(self):
        self.system.request("GET", "/things/printed")
        printed = self.command("--since", "1h")
        self.assertEqual((printed.returncode, printed.stderr), (0, ""))
        self.assertIn("GET /things/{id}", printed.stdout)
        document = json.loads(self.command("--json").stdout)
        self.assertEqual(document["instance"], self.system.instance.name)
        with tempfile.TemporaryDirectory(prefix="souk-test-") as folder:
            file = Path(folder) / "metrics.html"
            self.assertEqual(self.command("--html", str(file)).returncode, 0)
            self.assertIn("GET /things/{id}", file.read_text())
            refused = self.command("--html", str(Path(folder) / "none" / "metrics.html"))
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, r"^localstack/metrics: .* cannot be written: No such file or directory\n$")

    def test_a_reader_that_has_enough_is_no_failure(self):
        for options in ([], ["--json"]):
            read, write = os.pipe()
            os.close(read)
            words = [sys.executable, str(LOCALSTACK / "metrics"), "--name", self.system.instance.name, *options]
            result = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
            os.close(write)
            self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_period_has_a_unit(self):
        for word in ("10", "0m", "m", "-5s", "1d"):
            refused = self.command(f"--since={word}")
            self.assertEqual(refused.returncode, 2, word)
            self.assertIn("is not a time such as 90s, 10m or 2h", refused.stderr)
