"""emulator/faults.py, emulator/rules.py, emulator/histories.py, emulator/maps.py and the delays of emulator/states.py."""

import json
import threading
import time
import urllib.error
import uuid
from contextlib import suppress

from tests.harness import Case

QUICK = 3  # seconds; a longer execution has waited for a delay or a timeout of the machines here


class Faults(Case):
    """Each rule is limited to one run by its id, as concurrent tests do it."""

    def setUp(self):
        self.run_id = f"run-{uuid.uuid4().hex[:8]}"
        self.step, self.undo = self.system.outputs["StepFunction"], self.system.outputs["UndoFunction"]
        self.system.control("PUT", "delays", {"retry": 0.001})
        self.addCleanup(self.system.control, "DELETE", "delays")
        self.addCleanup(self.system.control, "DELETE", "faults")

    def put(self, *rules: dict) -> None:
        bound = {"function": self.step, "contains": self.run_id}
        self.system.control("PUT", "faults", [{**bound, **rule} for rule in rules])

    def counts(self, member: str = "fired") -> list[int]:
        return [rule[member] for rule in self.system.control("GET", "faults")]

    def start(self, *items: str, machine: str = "Saga") -> str:
        event = {"run": self.run_id, "items": items, "do": "limited"}
        return self.system.client("stepfunctions").start_execution(
            stateMachineArn=self.system.outputs[machine], input=json.dumps(event)
        )["executionArn"]

    def finish(self, arn: str) -> dict:
        describe = self.system.client("stepfunctions").describe_execution

        def ended():
            execution = describe(executionArn=arn)
            return execution if execution["status"] != "RUNNING" else None

        return self.eventually(ended, "the execution did not end")

    def saga(self, *items: str) -> dict:
        self.arn, begun = self.start(*items), time.monotonic()
        execution = self.finish(self.arn)
        self.assertLess(time.monotonic() - begun, QUICK)
        return execution

    def history(self, arn: str = "") -> list[dict]:
        client = self.system.client("stepfunctions")
        return client.get_execution_history(executionArn=arn or self.arn, maxResults=1000)["events"]

    def kinds(self, *wanted: str) -> list[str]:
        kinds = [event["type"] for event in self.history()]
        return [kind for kind in kinds if kind in wanted] if wanted else kinds

    def worked(self) -> list[str]:
        """The invocations of this run, in order."""
        return [note["step"]["do"] for note in self.system.notes("step") if note["step"].get("run") == self.run_id]

    def failure(self, execution: dict) -> list[str]:
        self.assertEqual((execution["status"], execution["error"]), ("FAILED", "Undone"))
        return execution["cause"].split("|", 1)


class Kinds(Faults):
    def test_before_means_that_the_function_is_not_invoked(self):
        self.put({"kind": "before", "times": 2})
        self.assertEqual(self.saga("one")["status"], "SUCCEEDED")
        self.assertEqual(self.worked(), ["one", "last"])
        self.assertEqual((self.counts(), self.counts("seen")), ([2], [4]))
        failed = [e["lambdaFunctionFailedEventDetails"] for e in self.history() if e["type"] == "LambdaFunctionFailed"]
        self.assertEqual([each["error"] for each in failed], ["Unavailable"] * 2)
        self.assertEqual(json.loads(failed[0]["cause"])["errorType"], "Unavailable")

    def test_after_means_that_the_work_is_done_and_the_answer_lost(self):
        self.put({"kind": "after", "times": 1, "errorType": "Unavailable"})
        self.assertEqual(self.saga("one")["status"], "SUCCEEDED")
        self.assertEqual(self.worked(), ["one", "one", "last"])

    def test_an_error_that_stays_uses_up_the_attempts(self):
        self.put({"kind": "before"})
        self.assertEqual(self.failure(self.saga("one"))[0], "Unavailable")
        self.assertEqual((self.worked(), self.counts()), (["undo"], [4]))

    def test_fail_is_not_retried(self):
        for when, worked in (("before", ["undo"]), ("after", ["one", "undo"])):
            with self.subTest(when):
                self.setUp()
                self.put({"kind": "fail", "when": when})
                self.assertEqual(self.failure(self.saga("one"))[0], "Internal")
                self.assertEqual((self.worked(), self.counts()), (worked, [1]))

    def test_a_task_that_times_out(self):
        for when, worked in (("before", ["undo"]), ("after", ["one", "undo"])):
            with self.subTest(when):
                self.setUp()
                self.put({"kind": "timeout", "when": when, "afterSeconds": 0.1})
                self.assertEqual(self.failure(self.saga("one")), ["States.Timeout", ""])
                self.assertEqual(self.worked(), worked)
                (event,) = [event for event in self.history() if event["type"] == "LambdaFunctionTimedOut"]
                self.assertEqual(event["lambdaFunctionTimedOutEventDetails"], {"error": "States.Timeout"})

    def test_a_task_of_the_invoke_action_that_times_out(self):
        self.put({"kind": "timeout", "skip": 1})
        self.assertEqual(self.failure(self.saga("one")), ["States.Timeout", ""])
        self.assertEqual(self.worked(), ["one", "last", "undo"])
        task = [event for event in self.history() if event["type"].startswith("Task") and "State" not in event["type"]]
        self.assertEqual([event["type"] for event in task], ["TaskScheduled", "TaskStarted", "TaskTimedOut"])
        about = {"error": "States.Timeout", "resource": "invoke", "resourceType": "lambda"}
        self.assertEqual(task[2]["taskTimedOutEventDetails"], about)

    def test_a_function_that_times_out(self):
        self.put({"kind": "timeout", "errorType": "Sandbox.Timedout"})
        error, cause = self.failure(self.saga("one"))
        self.assertEqual(error, "Sandbox.Timedout")
        self.assertIn("Task timed out after 10.00 seconds", json.loads(cause)["errorMessage"])

    def test_an_error_of_lambda_itself(self):
        errors = ("ServiceException", "AWSLambdaException", "SdkClientException", "ClientExecutionTimeoutException")
        for error in (*errors, "Unknown"):
            for kind, worked in (("before", ["undo"]), ("after", ["one", "undo"])):
                with self.subTest(error, kind=kind):
                    self.setUp()
                    self.put({"kind": kind, "errorType": f"Lambda.{error}", "id": "its"})
                    self.assertEqual(self.failure(self.saga("one")), [f"Lambda.{error}", f"fault its: {kind}"])
                    self.assertEqual(self.worked(), worked)

    def test_a_function_that_is_throttled(self):
        self.put({"kind": "throttle"})
        error, cause = self.failure(self.saga("one"))
        self.assertEqual((error, self.worked()), ("Lambda.TooManyRequestsException", ["undo"]))
        self.assertIn("Status Code: 429", cause)

    def test_a_function_whose_own_concurrency_is_used_up(self):
        client = self.system.client("lambda")
        client.put_function_concurrency(FunctionName=self.step, ReservedConcurrentExecutions=0)
        self.addCleanup(client.delete_function_concurrency, FunctionName=self.step)
        self.assertEqual(self.failure(self.saga("one"))[0], "Lambda.TooManyRequestsException")

    def test_work_that_comes_after_its_undo(self):
        self.put({"kind": "timeout", "when": "later"})
        self.assertEqual(self.failure(self.saga("one"))[0], "States.Timeout")
        self.assertEqual((self.worked(), self.counts("waiting")), (["undo"], [1]))
        self.system.control("DELETE", "faults")
        self.eventually(lambda: self.worked() == ["undo", "one"], "the work did not come")

    def test_a_held_invocation_goes_on_when_its_rule_is_deleted(self):
        for when, held, worked in (("before", [], ["one", "last"]), ("after", ["one"], ["one", "last"])):
            with self.subTest(when):
                self.setUp()
                self.put({"kind": "hold", "when": when, "times": 1, "id": "door"})
                arn = self.start("one")
                self.eventually(lambda: self.counts("waiting") == [1], "nothing waits")
                time.sleep(0.1)
                self.assertEqual(self.worked(), held)
                self.system.control("DELETE", "faults/door")
                self.assertEqual(self.finish(arn)["status"], "SUCCEEDED")
                self.assertEqual(self.worked(), worked)

    def test_a_held_invocation_may_fail_afterwards(self):
        self.put({"kind": "hold", "times": 1, "id": "door"}, {"kind": "fail"})
        arn = self.start("one")
        self.eventually(lambda: self.counts("waiting") == [1, 0], "nothing waits")
        self.system.control("DELETE", "faults/door")
        self.assertEqual(self.failure(self.finish(arn))[0], "Internal")
        self.assertEqual(self.worked(), ["undo"])

    def test_a_held_invocation_holds_up_no_other(self):
        self.put({"kind": "hold", "contains": [self.run_id, "slow"]})
        slow = self.start("slow", "slow", "slow")
        self.eventually(lambda: self.counts("waiting") == [2], "MaxConcurrency is not kept")
        self.assertEqual(self.saga("quick")["status"], "SUCCEEDED")
        self.assertEqual(self.system.request("GET", "/things/1")[0], 200)
        self.system.control("DELETE", "faults")
        self.assertEqual(self.finish(slow)["status"], "SUCCEEDED")

    def test_each_undo_fails_twice_and_then_succeeds(self):
        self.put({"kind": "fail", "skip": 1, "times": 1}, {"function": self.undo, "kind": "after", "times": 2})
        self.assertEqual(self.failure(self.saga("one"))[0], "Internal")
        self.assertEqual((self.worked(), self.counts()), (["one", "undo", "undo", "undo"], [1, 2]))


class Callers(Faults):
    def test_the_http_api(self):
        answer = self.system.outputs["AnswerFunction"]
        for rule in ({"kind": "before"}, {"kind": "after"}, {"kind": "fail"}, {"kind": "timeout"}):
            with self.subTest(rule):
                self.put({"function": answer, "contains": "/things/faulty", **rule})
                status, _headers, body = self.system.request("GET", "/things/faulty")
                self.assertEqual((status, json.loads(body)), (500, {"message": "Internal Server Error"}))
                self.assertEqual(self.system.request("GET", "/things/1")[0], 200)

    def test_a_throttled_function_is_not_available(self):
        answer = self.system.outputs["AnswerFunction"]
        self.put({"function": answer, "contains": "/things/faulty", "kind": "throttle"})
        status, _headers, body = self.system.request("GET", "/things/faulty")
        self.assertEqual((status, json.loads(body)), (503, {"message": "Service Unavailable"}))
        self.put({"kind": "throttle"})
        client = self.system.client("lambda")
        with self.assertRaises(client.exceptions.TooManyRequestsException):
            client.invoke(FunctionName=self.step, Payload=json.dumps({"run": self.run_id}))

    def test_the_invoke_api(self):
        for rule, kind in (
            ({"kind": "before"}, "Unavailable"),
            ({"kind": "fail", "errorType": "Own"}, "Own"),
            ({"kind": "timeout"}, "Sandbox.Timedout"),
        ):
            with self.subTest(rule):
                self.put(rule)
                answer = self.system.client("lambda").invoke(
                    FunctionName=self.step, Payload=json.dumps({"run": self.run_id})
                )
                self.assertEqual(answer["FunctionError"], "Unhandled")
                self.assertEqual(json.load(answer["Payload"])["errorType"], kind)

    def test_a_stream(self):
        key = f"take-{self.run_id}"
        self.put({"function": self.system.outputs["ConsumerFunction"], "kind": "before", "times": 2})
        self.system.client("dynamodb").put_item(TableName=self.system.outputs["Table"], Item={"pk": {"S": key}})
        self.eventually(lambda: [n for n in self.system.notes("record") if n["record"] == key], "not delivered")
        self.assertEqual(self.counts(), [2])

    def test_a_throttle_uses_up_no_attempt_of_a_stream(self):
        key = f"take-{self.run_id}"
        self.put({"function": self.system.outputs["ConsumerFunction"], "kind": "throttle", "times": 5})
        self.system.client("dynamodb").put_item(TableName=self.system.outputs["Table"], Item={"pk": {"S": key}})
        self.eventually(lambda: [n for n in self.system.notes("record") if n["record"] == key], "not delivered")
        self.assertEqual(self.counts(), [5])  # MaximumRetryAttempts is 2


class Rules(Faults):
    def test_rules_are_added_and_taken_away(self):
        self.put({"kind": "before", "id": "a"})
        (added,) = self.system.control("POST", "faults", {"function": self.step, "kind": "hold"})
        self.assertEqual([rule["id"] for rule in self.system.control("GET", "faults")], ["a", added["id"]])
        self.system.control("DELETE", f"faults/{added['id']}")
        self.assertEqual([rule["id"] for rule in self.system.control("GET", "faults")], ["a"])

    def test_what_is_no_rule_changes_nothing(self):
        self.put({"kind": "before", "id": "a"})
        good = {"function": self.step, "kind": "before"}
        for wrong in (
            {"function": "none"}, {"kind": "sometimes"}, {"when": "after"}, {"times": -1}, {"skip": 0.5}, {"id": "a"},
            {"colour": 1}, {"contains": 1}, {"kind": "timeout", "errorType": "Own"}, {"afterSeconds": 61},
        ):  # fmt: skip
            with self.subTest(wrong), self.assertRaises(urllib.error.HTTPError) as refused:
                self.system.control("POST", "faults", [good, {**good, **wrong}])
            self.assertEqual(refused.exception.code, 400)
        for method, path in (("DELETE", "faults/none"), ("GET", "nothing")):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                self.system.control(method, path)
            self.assertEqual(refused.exception.code, 404)
        self.assertEqual(self.counts("id"), ["a"])

    def test_delays_are_scaled_until_they_are_reset(self):
        self.assertEqual(self.system.control("GET", "delays"), {"retry": 0.001, "wait": 1})
        self.assertEqual(self.system.control("PUT", "delays", {"wait": 0}), {"retry": 0.001, "wait": 0})
        begun = time.monotonic()
        event = {"do": "wait", "seconds": 60}
        arn = self.system.client("stepfunctions").start_execution(
            stateMachineArn=self.system.outputs["Machine"], input=json.dumps(event)
        )["executionArn"]
        self.assertEqual(self.finish(arn)["status"], "SUCCEEDED")
        self.assertLess(time.monotonic() - begun, QUICK)
        self.assertEqual(self.system.control("DELETE", "delays"), {"retry": 1, "wait": 1})
        for wrong in ({"wait": -1}, {"retry": "1"}, {"other": 1}, [1]):
            with self.subTest(wrong), self.assertRaises(urllib.error.HTTPError) as refused:
                self.system.control("PUT", "delays", wrong)
            self.assertEqual(refused.exception.code, 400)


class Histories(Faults):
    def test_an_execution_that_succeeds(self):
        self.assertEqual(self.saga("one")["status"], "SUCCEEDED")
        self.assertEqual(
            self.kinds(),
            ["ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapIterationStarted", "TaskStateEntered",
             "LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded", "TaskStateExited",
             "MapIterationSucceeded", "MapStateSucceeded", "MapStateExited", "TaskStateEntered", "TaskScheduled",
             "TaskStarted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"],
        )  # fmt: skip
        events = self.history()
        self.assertEqual([event["id"] for event in events], list(range(1, len(events) + 1)))
        self.assertEqual(events[1]["previousEventId"], 0)
        entered = [e["stateEnteredEventDetails"] for e in events if e["type"].endswith("StateEntered")]
        self.assertEqual([each["name"] for each in entered], ["All", "Each", "Last"])
        self.assertEqual(json.loads(entered[1]["input"]), {"do": "one", "run": self.run_id})
        scheduled = events[5]["lambdaFunctionScheduledEventDetails"]
        self.assertEqual(json.loads(scheduled["input"]), {"do": "one", "run": self.run_id})
        self.assertEqual(scheduled["timeoutInSeconds"], 30)
        self.assertIn(self.step, scheduled["resource"])
        self.assertEqual(events[3]["mapIterationStartedEventDetails"], {"name": "All", "index": 0})

    def test_iterations_are_told_apart(self):
        self.put({"kind": "before", "times": 1, "contains": [self.run_id, "two"]})
        self.assertEqual(self.saga("one", "two", "three")["status"], "SUCCEEDED")
        events = self.history()
        self.assertEqual([event["id"] for event in events], list(range(1, len(events) + 1)))
        before = {event["id"]: event["previousEventId"] for event in events}
        started = {
            event["mapIterationStartedEventDetails"]["index"]: event["id"]
            for event in events if event["type"] == "MapIterationStarted"
        }  # fmt: skip
        (failed,) = [event["id"] for event in events if event["type"] == "LambdaFunctionFailed"]
        while failed not in started.values():
            failed = before[failed]
        self.assertEqual(failed, started[1])
        self.assertEqual(self.kinds("MapIterationSucceeded"), ["MapIterationSucceeded"] * 3)

    def test_a_failed_iteration_ends_the_map_though_another_still_works(self):
        self.put({"kind": "hold", "contains": [self.run_id, "slow"], "id": "door"},
                 {"kind": "fail", "contains": [self.run_id, "bad"]})  # fmt: skip
        self.assertEqual(self.failure(self.saga("slow", "bad", "never", "never"))[0], "Internal")
        self.assertEqual(self.worked(), ["undo"])
        end = ["MapIterationFailed", "MapIterationAborted", "MapStateFailed", "MapStateExited"]
        self.assertEqual(self.kinds("MapIterationStarted", *end), ["MapIterationStarted"] * 2 + end)
        length = len(self.history())
        self.system.control("DELETE", "faults")
        self.eventually(lambda: self.worked() == ["undo", "slow"], "the function did not go on")
        time.sleep(0.1)
        self.assertEqual(len(self.history()), length)

    def test_the_time_limit_of_a_machine(self):
        self.put({"kind": "hold"})
        self.arn = self.start(machine="Limited")
        self.assertEqual(self.finish(self.arn)["status"], "TIMED_OUT")
        self.assertEqual(self.kinds()[-1], "ExecutionTimedOut")
        length = len(self.history())
        self.system.control("DELETE", "faults")
        self.eventually(self.worked, "the function did not go on")
        time.sleep(0.1)
        self.assertEqual((len(self.history()), self.finish(self.arn)["status"]), (length, "TIMED_OUT"))

    def test_a_stopped_execution_makes_no_further_attempt(self):
        self.put({"kind": "hold", "id": "door"}, {"kind": "before"})
        self.arn = self.start("one")
        self.eventually(lambda: self.counts("waiting") == [1, 0], "nothing waits")
        self.system.client("stepfunctions").stop_execution(executionArn=self.arn)
        self.system.control("DELETE", "faults/door")
        self.eventually(lambda: self.counts() == [1], "the fault was not met")
        time.sleep(0.1)
        self.assertEqual((self.counts(), self.worked()), ([1], []))
        self.assertEqual(self.finish(self.arn)["status"], "ABORTED")
        self.assertEqual(self.kinds()[-1], "ExecutionAborted")


class Stopping(Faults):
    def test_a_held_request_does_not_keep_the_emulator(self):
        self.put({"function": self.system.outputs["AnswerFunction"], "kind": "hold", "contains": "/things/held"})
        caller = threading.Thread(target=self.quietly, daemon=True)
        caller.start()
        self.eventually(lambda: self.counts("waiting") == [1], "nothing waits")
        begun = time.monotonic()
        self.system.instance.stop()
        stopped = time.monotonic() - begun
        self.system.start()
        self.system.deploy()
        self.assertLess(stopped, 10)
        self.assertEqual(self.system.control("GET", "faults"), [])

    def quietly(self) -> None:
        with suppress(OSError):
            self.system.request("GET", "/things/held")
