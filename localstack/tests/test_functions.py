"""emulator/functions.py and emulator/logs.py."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

from emulator import filters
from tests.harness import HERE, Case


class Environments(Case):
    def process(self, path="/things/1") -> dict:
        return json.loads(self.system.request("GET", path)[2])["process"]

    def test_a_process_is_used_again(self):
        one, other = self.process(), self.process()
        self.assertEqual(one["pid"], other["pid"])
        self.assertEqual(one["seen"] + 1, other["seen"])

    def test_a_function_sees_lambdas_variables_and_nothing_of_the_machine(self):
        seen = self.process()["environment"]
        for name in (
            "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL",
            "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_LOG_GROUP_NAME",
            "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "NOTES", "_HANDLER",
        ):  # fmt: skip
            self.assertTrue(seen.get(name), name)
        self.assertNotIn("HOME", seen)
        self.assertNotIn("PERSIST_STATE", seen)

    def test_a_killed_process_is_replaced(self):
        killed = self.process()["pid"]
        os.kill(killed, signal.SIGKILL)
        statuses = [self.system.request("GET", "/things/1")[0] for _ in range(5)]
        self.assertEqual(statuses[1:], [200] * 4)
        self.assertIn(statuses[0], (200, 500))  # the first call may meet it while it exits
        self.assertNotEqual(self.process()["pid"], killed)

    def test_a_crowd_of_calls_does_not_start_a_process_for_each(self):
        pids = []

        def call():
            status, _headers, body = self.system.request("GET", "/things/1?sleep=0.4")
            pids.append(json.loads(body)["process"]["pid"] if status == 200 else None)

        callers = [threading.Thread(target=call) for _ in range(100)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        self.assertNotIn(None, pids)
        self.assertLess(len(set(pids)), 80)

    def test_a_call_through_the_invoke_api(self):
        answer = self.system.client("lambda").invoke(
            FunctionName=self.system.outputs["AnswerFunction"], Payload=json.dumps({"do": "echo"})
        )
        self.assertEqual(json.load(answer["Payload"]), {"do": "echo", "done": True})


class Logs(Case):
    def test_output_goes_to_a_file_and_to_the_log_group(self):
        self.system.request("GET", "/things/1")
        name = self.system.outputs["AnswerFunction"]
        file = self.system.instance.directory / "logs" / f"{name}.log"
        self.eventually(lambda: file.exists() and '"_aws"' in file.read_text(), "no line in the file")
        logs = self.system.client("logs")
        streams = logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
        self.assertLessEqual(len(streams), 50)
        messages = [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=f"/aws/lambda/{name}", logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]
        self.assertTrue(any('"_aws"' in message for message in messages))
        self.assertTrue(any(message.startswith("REPORT RequestId") for message in messages))

    def test_embedded_metrics_and_invocations_are_counted_once(self):
        name = self.system.outputs["AnswerFunction"]
        before = self.count("Test", "calls", {"route": "all"}), self.invocations(name)
        for _ in range(3):
            self.system.request("GET", "/things/1")
        self.system.client("lambda").invoke(FunctionName=name, Payload=b"{}")
        self.eventually(
            lambda: (
                (self.count("Test", "calls", {"route": "all"}), self.invocations(name))
                == (before[0] + 4, before[1] + 4)
            ),
            "metrics do not add up",
        )

    def test_functions_that_share_a_log_group(self):
        crash = {"requestContext": {}, "rawPath": "/die"}
        first, second = self.system.outputs["SharingFunction"], self.system.outputs["AlsoSharingFunction"]
        failed = self.count("Test", "FailedInvocations", {})
        for name, event in (
            (first, {}), (first, {"do": "unavailable"}), (first, crash), (second, {}), (second, {"sleep": 3}),
        ):  # fmt: skip
            self.system.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        self.assertEqual(sorted(self.statuses(first)), ["error", "error", "success"])
        self.assertEqual(sorted(self.statuses(second)), ["success", "timeout"])
        self.assertEqual(self.count("Test", "FailedInvocations", {}) - failed, 3)

    def statuses(self, function: str) -> list[str]:
        """The final statuses of a function's invocations, from its streams in the shared log group."""
        logs, group = self.system.client("logs"), self.system.outputs["SharedLog"]
        streams = [each["logStreamName"] for each in logs.describe_log_streams(logGroupName=group)["logStreams"]]
        own = [name for name in streams if re.fullmatch(rf"\d{{4}}/\d\d/\d\d/{function}\[\$LATEST\][0-9a-f]{{32}}", name)]
        lines = [
            json.loads(event["message"])
            for name in own
            for event in logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)["events"]
        ]
        return [line["record"]["status"] for line in lines if line.get("type") == "platform.report"]

    def invocations(self, name: str) -> float:
        return self.count("AWS/Lambda", "Invocations", {"FunctionName": name})

    def count(self, namespace: str, metric: str, dimensions: dict) -> float:
        points = self.system.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=time.time() - 3600,
            EndTime=time.time() + 60,
            Period=7200,
            Statistics=["Sum"],
        )["Datapoints"]
        return sum(point["Sum"] for point in points)


class Processes(Case):
    def processes(self, *options: str) -> list[int]:
        words = [sys.executable, str(HERE.parent / "processes"), "--name", self.system.instance.name, *options]
        result = subprocess.run(words, capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return [int(line) for line in result.stdout.splitlines()]

    def test_the_pids_are_of_the_processes_that_answer(self):
        name = self.system.outputs["AnswerFunction"]
        answering = json.loads(self.system.request("GET", "/things/1")[2])["process"]["pid"]
        self.assertIn(answering, self.processes(name))
        self.eventually(lambda: not self.processes("--busy", name), "a process stays busy")

    def test_a_function_that_there_is_not(self):
        words = [sys.executable, str(HERE.parent / "processes"), "--name", self.system.instance.name, "none"]
        result = subprocess.run(words, capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(result.stderr, "localstack/processes: there is no function none\n")

    def test_a_process_killed_in_a_call_fails_that_call_at_once_and_no_other(self):
        name = self.system.outputs["AnswerFunction"]
        answers = []

        def call():
            answers.append((self.system.request("GET", "/things/1?sleep=15"), time.monotonic()))

        caller = threading.Thread(target=call)
        caller.start()
        (busy,) = self.eventually(lambda: self.processes("--busy", name), "nothing is busy")
        killed = time.monotonic()
        os.kill(busy, signal.SIGKILL)
        self.assertEqual(self.system.request("GET", "/things/1")[0], 200)
        caller.join()
        ((status, _headers, body), answered) = answers[0]
        self.assertEqual((status, json.loads(body)), (500, {"message": "Internal Server Error"}))
        self.assertLess(answered - killed, 2)
        self.assertEqual(self.system.request("GET", "/things/1")[0], 200)


class MetricFilters(unittest.TestCase):
    def test_patterns(self):
        line = {"type": "report", "record": {"status": "error"}}
        for pattern, expected in (
            ('{ $.type = "report" }', True),
            ('{ $.record.status != "error" }', False),
            ('{ ($.type = "report") && ($.record.status != "success") }', True),
            ('{ ($.type = "report") && ($.record.status = "success") }', False),
            ('{ $.none.status != "error" }', True),
            ('{ $.type = "*" }', True),
            ('{ $.none = "*" }', False),
            ('{ $.record = "*" }', False),
        ):
            with self.subTest(pattern):
                self.assertEqual(filters.matches(pattern, line), expected)

    def test_patterns_of_other_kinds_are_refused(self):
        for pattern in ("", "ERROR", "{ $.latency > 5 }", '{ $.type = "a" || $.type = "b" }', '{ $.type = "a*" }'):
            with self.subTest(pattern):
                self.assertIsNone(filters.comparisons(pattern))
