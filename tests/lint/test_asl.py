"""The rules of asl.py for EXPRESS machines."""

import unittest

from asl import express_faults, longest_delay, schedule_faults


def machine(attempts=3, longest=10, rest=20, limit=290, resource="${WorkFunctionArn}"):
    retry = {"IntervalSeconds": 1, "BackoffRate": 2, "MaxAttempts": attempts, "MaxDelaySeconds": longest}
    work = {"Type": "Task", "Resource": resource, "Retry": [retry], "Next": "Rest"}
    states = {"Work": work, "Rest": {"Type": "Wait", "Seconds": rest}}
    return {"TimeoutSeconds": limit, "States": states}


class Express(unittest.TestCase):
    def test_the_longest_delay_of_a_retrier(self):
        retry = {"IntervalSeconds": 1, "BackoffRate": 2, "MaxAttempts": 6, "MaxDelaySeconds": 10}
        self.assertEqual(longest_delay(retry), 1 + 2 + 4 + 8 + 10 + 10)

    def test_retries_and_waits_fit_into_five_minutes(self):
        self.assertEqual(list(express_faults(machine())), [])
        for broken in (machine(attempts=40), machine(rest=61), machine(limit=300)):
            self.assertEqual(len(list(express_faults(broken))), 1)

    def test_it_waits_for_no_job_and_no_token(self):
        started, token = "arn:aws:states:::states:startExecution.sync:2", "arn:aws:states:::lambda:invoke.waitForTaskToken"
        for resource in (started, started.removesuffix(":2"), token, "arn:aws:states:eu-west-1:111111111111:activity:work"):
            with self.subTest(resource=resource):
                self.assertEqual(len(list(express_faults(machine(resource=resource)))), 1)

    def test_it_has_no_distributed_map(self):
        spread = {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "States": {}}}
        whole = machine()
        whole["States"]["Spread"] = spread
        self.assertEqual(len(list(express_faults(whole))), 1)


class Scheduled(unittest.TestCase):
    def faults(self, rate, target):
        schedule = {"ScheduleExpression": rate, "Target": {"Arn": {"Ref": target}}}
        resources = {
            "Machine": {"Type": "AWS::Serverless::StateMachine", "Properties": {"DefinitionUri": "m.asl.json"}},
            "Other": {"Type": "AWS::Serverless::StateMachine", "Properties": {"DefinitionUri": "o.asl.json"}},
            "Clock": {"Type": "AWS::Scheduler::Schedule", "Properties": schedule},
        }
        return list(schedule_faults({"TimeoutSeconds": 890}, "m.asl.json", {"Resources": resources}))

    def test_executions_do_not_overlap(self):
        for rate, target, count in (
            ("rate(15 minutes)", "Machine", 0),
            ("rate(14 minutes)", "Machine", 1),
            ("rate(1 hour)", "Machine", 1),
            ("rate(1 minutes)", "Other", 0),
        ):
            with self.subTest(rate=rate, target=target):
                self.assertEqual(len(self.faults(rate, target)), count)
