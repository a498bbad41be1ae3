"""emulator/express.py and emulator/machines.py."""

import json
import unittest
import urllib.error
import uuid

from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from emulator import machines
from tests.harness import Case


class Express(Case):
    def setUp(self):
        self.name = uuid.uuid4().hex
        self.addCleanup(self.system.control, "DELETE", "express")

    @property
    def client(self):
        return self.system.client("stepfunctions")

    def start(self, event: dict, machine: str = "Quick") -> str:
        return self.client.start_execution(
            stateMachineArn=self.system.outputs[machine], name=self.name, input=json.dumps(event)
        )["executionArn"]

    def run_now(self, event: dict, machine: str = "Quick", **config) -> dict:
        # The client would put `sync-` before the address; ours has no such name.
        config = Config(inject_host_prefix=False, retries={"total_max_attempts": 1}, **config)
        address = self.system.instance.record["endpointUrl"]
        client = self.system.session.client("stepfunctions", endpoint_url=address, config=config)
        arguments = {"name": self.name, "input": json.dumps(event)}
        return client.start_sync_execution(stateMachineArn=self.system.outputs[machine], **arguments)

    def executions(self) -> list[dict]:
        return self.system.control("GET", f"executions/{self.name}")

    def worked(self, event: dict) -> int:
        return sum(note["step"] == event for note in self.system.notes("step"))

    def ended(self) -> list[str]:
        statuses = [execution["status"] for execution in self.executions()]
        return statuses if "RUNNING" not in statuses else []

    def test_each_start_of_a_name_begins_an_execution(self):
        event = {"do": "nothing", "tag": self.name}
        first, second = self.start(event), self.start(event)
        self.assertNotEqual(first, second)
        self.assertRegex(first, f":express:.*:{self.name}:")
        self.eventually(lambda: self.worked(event) == 2, "it did not run twice")
        self.assertEqual(self.eventually(self.ended, "it did not end"), ["SUCCEEDED", "SUCCEEDED"])

    def test_an_asynchronous_execution_may_run_several_times(self):
        self.assertEqual(self.system.control("PUT", "express", {"runs": 3}), {"runs": 3})
        event = {"do": "nothing", "tag": self.name}
        self.start(event)
        self.eventually(lambda: self.worked(event) == 3, "it did not run three times")
        self.run_now(event)
        self.assertEqual(self.worked(event), 4)  # a synchronous one runs once
        for wrong in ({"runs": 0}, {"runs": 5}, {}, {"other": 1}):
            with self.subTest(wrong), self.assertRaises(urllib.error.HTTPError) as refused:
                self.system.control("PUT", "express", wrong)
            self.assertEqual(refused.exception.code, 400)

    def test_it_is_neither_described_nor_stopped_nor_listed(self):
        arn = self.start({"do": "wait", "seconds": 30})
        for operation in ("describe_execution", "get_execution_history", "stop_execution"):
            with self.subTest(operation), self.assertRaises(self.client.exceptions.InvalidArn):
                getattr(self.client, operation)(executionArn=arn)
        with self.assertRaises(self.client.exceptions.StateMachineTypeNotSupported):
            self.client.list_executions(stateMachineArn=self.system.outputs["Quick"])
        (ended,) = self.system.control("DELETE", f"executions/{self.name}")
        self.assertEqual((ended["status"], ended["events"][-1]["type"]), ("TIMED_OUT", "ExecutionTimedOut"))

    def test_a_synchronous_execution_answers_with_its_result(self):
        answer = self.run_now({"do": "nothing"})
        self.assertEqual((answer["status"], answer["name"]), ("SUCCEEDED", self.name))
        self.assertEqual(json.loads(answer["output"]), {"ended": {"by": "default"}})
        billed = answer["billingDetails"]
        self.assertEqual((billed["billedMemoryUsedInMB"], billed["billedDurationInMilliseconds"] % 100), (64, 0))
        with self.assertRaises(self.client.exceptions.StateMachineTypeNotSupported):
            self.run_now({"do": "nothing"}, machine="Machine")

    def test_a_synchronous_execution_that_fails_names_its_error(self):
        rule = {"function": self.system.outputs["StepFunction"], "kind": "before", "contains": self.name}
        self.addCleanup(self.system.control, "DELETE", "faults")
        self.system.control("PUT", "faults", [{**rule, "errorType": "Lambda.TooManyRequestsException"}])
        answer = self.run_now({"do": "nothing", "tag": self.name})
        self.assertEqual((answer["status"], answer["error"]), ("FAILED", "Lambda.TooManyRequestsException"))
        self.assertNotIn("output", answer)

    def test_a_synchronous_execution_goes_on_without_its_caller(self):
        with self.assertRaises(ReadTimeoutError):
            self.run_now({"do": "nothing", "sleep": 1}, read_timeout=0.2)
        (execution,) = self.executions()
        self.assertEqual(execution["status"], "RUNNING")
        self.assertEqual(self.eventually(self.ended, "it did not end"), ["SUCCEEDED"])

    def test_its_events_are_there_for_tests(self):
        self.run_now({"do": "nothing"})
        (execution,) = self.executions()
        entered = [e["stateEnteredEventDetails"]["name"] for e in execution["events"] if "Entered" in e["type"]]
        self.assertEqual(entered, ["Work", "Which", "Done"])


class Limits(unittest.TestCase):
    def test_an_express_execution_ends_after_five_minutes(self):
        for kind, own, expected in (("EXPRESS", None, 300), ("EXPRESS", 600, 300), ("EXPRESS", 10, 10),
                                    ("STANDARD", 600, 600), ("STANDARD", None, None)):  # fmt: skip
            definition = json.dumps({"TimeoutSeconds": own} if own else {})
            self.assertEqual(machines.time_limit({"type": kind, "definition": definition}), expected)
