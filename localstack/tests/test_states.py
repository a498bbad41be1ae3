"""emulator/states.py."""

import json
import time
import uuid

from tests.harness import Case


class Machines(Case):
    def start(self, event: dict, name: str | None = None) -> dict:
        return self.system.client("stepfunctions").start_execution(
            stateMachineArn=self.system.outputs["Machine"], name=name or uuid.uuid4().hex, input=json.dumps(event)
        )

    def finish(self, arn: str) -> dict:
        describe = self.system.client("stepfunctions").describe_execution

        def ended():
            execution = describe(executionArn=arn)
            return execution if execution["status"] != "RUNNING" else None

        return self.eventually(ended, "the execution did not end")

    def run_machine(self, event: dict) -> dict:
        execution = self.finish(self.start(event)["executionArn"])
        self.assertEqual(execution["status"], "SUCCEEDED", execution)
        return json.loads(execution["output"])

    def test_an_execution_starts_at_once(self):
        self.run_machine({"do": "warm"})
        begun = time.time()
        self.start({"do": "now", "tag": "at-once"})
        (note,) = self.eventually(
            lambda: [note for note in self.system.notes("step") if note["step"].get("tag") == "at-once"], "no step"
        )
        self.assertLess(note["at"] - begun, 0.1)

    def test_output_of_succeed_and_of_the_default_of_a_choice(self):
        self.assertEqual(self.run_machine({"do": "nothing"}), {"ended": {"by": "default"}})
        waited = self.run_machine({"do": "wait", "seconds": 0})
        self.assertEqual(waited, {"ended": {"do": "wait", "seconds": 0, "done": True}})

    def test_retry_of_an_error_type_with_a_limited_delay_and_then_catch(self):
        begun = time.monotonic()
        output = self.run_machine({"do": "unavailable", "tag": "retried"})
        self.assertEqual(output, {"caught": "Unavailable"})
        tries = [note for note in self.system.notes("step") if note["step"].get("tag") == "retried"]
        self.assertEqual(len(tries), 3)
        self.assertLess(time.monotonic() - begun, 5)  # without MaxDelaySeconds it would take 101 s

    def test_a_name_starts_one_execution(self):
        client = self.system.client("stepfunctions")
        name = uuid.uuid4().hex
        event = {"do": "wait", "seconds": 2}
        first = self.start(event, name)
        again = self.start(event, name)
        self.assertEqual(first["executionArn"], again["executionArn"])
        self.assertEqual(first["startDate"], again["startDate"])
        with self.assertRaises(client.exceptions.ExecutionAlreadyExists):
            self.start({**event, "other": 1}, name)
        self.finish(first["executionArn"])
        with self.assertRaises(client.exceptions.ExecutionAlreadyExists):
            self.start(event, name)
        self.assertEqual(len([n for n in self.system.notes("step") if n["step"] == event]), 1)

    def test_how_an_execution_stands(self):
        client = self.system.client("stepfunctions")
        arn = self.start({"do": "wait", "seconds": 30})["executionArn"]
        running = client.describe_execution(executionArn=arn)
        self.assertEqual((running["status"], running.get("stopDate")), ("RUNNING", None))
        client.stop_execution(executionArn=arn)
        self.assertEqual(client.describe_execution(executionArn=arn)["status"], "ABORTED")
        with self.assertRaises(client.exceptions.ExecutionDoesNotExist):
            client.describe_execution(executionArn=f"{arn}-none")
