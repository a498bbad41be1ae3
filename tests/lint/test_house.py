"""Every house rule fails on a template that violates it, and every check of state machines on an invalid machine."""

import json
import pathlib
import tempfile
import unittest

import asl
from cfnlint.decode.decode import decode
from cfnlint.helpers import load_plugins
from cfnlint.template import Template

HERE = pathlib.Path(__file__).parent
RULES = {rule.id: rule for rule in load_plugins(str(HERE / "rules")) if rule.id}
GOOD = (HERE / "good.yaml").read_text()


def broken(template):
    """The ids of the rules that a template violates."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(pathlib.Path(folder) / "template.yaml")
        pathlib.Path(file).write_text(template)
        cfn = Template(file, decode(file)[0], ["us-east-1"])
        return [rule_id for rule_id, rule in RULES.items() for _ in rule.match(cfn)]


READER = "  {}Function: {{Type: 'AWS::Serverless::Function', {}Properties: {{Events: {{Changes: {{Type: DynamoDB}}}}}}}}\n"

# rule, the violation, the text that is replaced, its replacement
BAD = [
    ("E9901", "a function out of order", "target/lambda/item-get/", "target/lambda/a/"),
    ("E9901", "a name that is not the crate's", "  ItemGetFunction:", "  GetItemFunction:"),
    ("E9901", "code that cargo lambda does not build", "target/lambda/item-get/", "build/item-get/"),
    ("E9901", "a part that is not beside its function",
      "  ItemGetRole:", "  Stranger: {Type: 'AWS::SNS::Topic'}\n  ItemGetRole:"),
    ("E9901", "a reader of the stream without its parts", "  ItemSumFailedAlarm:", "  SumFailedAlarm:"),
    ("E9902", "another function's role", "Role: !GetAtt ItemGetRole.Arn", "Role: !GetAtt CheckRole.Arn"),
    ("E9902", "no role", "      Role: !GetAtt ItemGetRole.Arn\n", ""),
    ("E9902", "SAM's own policies",
      "      Role: !GetAtt ItemGetRole.Arn", "      Role: !GetAtt ItemGetRole.Arn\n      Policies: []"),
    ("E9902", "a machine without a role", "      Role: !GetAtt TidyMachineRole.Arn\n", ""),
    ("E9902", "the role of a function that stands after it",
      "      Role: !GetAtt CheckRole.Arn\n", "      Role: !GetAtt ItemGetRole.Arn\n"),
    ("E9903", "a log that is kept for ever", "RetentionInDays: 7", "LogGroupName: functions"),
    ("E9903", "a log group of a function's own",
      "      Role: !GetAtt ItemGetRole.Arn", "      LoggingConfig: {LogGroup: items}\n      Role: !GetAtt ItemGetRole.Arn"),
    ("E9903", "no log group for functions", "{LogGroup: !Ref FunctionLogGroup, LogFormat: JSON}", "{LogFormat: JSON}"),
    ("E9903", "lines that the filter cannot read", "LogFormat: JSON", "LogFormat: Text"),
    ("E9903", "a log that nobody may write", "Action: logs:PutLogEvents", "Action: logs:CreateLogStream"),
    ("E9903", "another log that all may write", "Resource: !GetAtt FunctionLogGroup.Arn", "Resource: !GetAtt MachineLogGroup.Arn"),
    ("E9903", "a machine that does not log", "Level: ERROR", "Level: 'OFF'"),
    ("E9903", "a machine that logs elsewhere",
      "LogGroupArn: !GetAtt MachineLogGroup.Arn", "LogGroupArn: !GetAtt FunctionLogGroup.Arn"),
    ("E9904", "tracing off for all", "Tracing: !If [HasTraces, Active, PassThrough]", "Tracing: PassThrough"),
    ("E9904", "tracing off for one",
      "      Role: !GetAtt ItemGetRole.Arn", "      Tracing: Disabled\n      Role: !GetAtt ItemGetRole.Arn"),
    ("E9904", "a machine without tracing", "Tracing: {Enabled: !If [HasTraces, true, false]}", "Tracing: {Enabled: false}"),
    ("E9905", "a filter of another log", "LogGroupName: !Ref FunctionLogGroup", "LogGroupName: !Ref MachineLogGroup"),
    ("E9905", "a filter that misses time-outs", '($.record.status != "success")', '($.record.status = "error")'),
    ("E9905", "a filter that does not count", 'MetricValue: "1"', "MetricValue: $.record.metrics.durationMs"),
    ("E9905", "an alarm on another metric", "      MetricName: FailedInvocations\n", "      MetricName: Errors\n"),
    ("E9905", "an alarm of another namespace", "      Namespace: Good", "      Namespace: Other"),
    ("E9905", "an alarm that tells nobody", "      AlarmActions: [!Ref Topic]  # functions\n", ""),
    ("E9905", "a machine that may fail unseen", "MetricName: ExecutionsFailed", "MetricName: ExecutionsStarted"),
    ("E9905", "a machine that may time out unseen", "MetricName: ExecutionsTimedOut", "MetricName: ExecutionsStarted"),
    ("E9905", "a machine that may be stopped unseen", "MetricName: ExecutionsAborted", "MetricName: ExecutionsStarted"),
    ("E9905", "a metric that no expression names", "tidyFailed + tidyTimedOut + tidyAborted", "tidyFailed + tidyTimedOut"),
    ("E9905", "metric math that tells nobody", "      AlarmActions: [!Ref Topic]  # executions\n", ""),
    ("E9906", "a wildcard without a reason",
      "        Tracing: X-Ray has no resource to name.", "        Other: another statement's reason"),
    ("E9906", "a wildcard with an empty reason",
      "        Tracing: X-Ray has no resource to name.", "        Tracing: ' '"),
    ("E9906", "a wildcard without a Sid", "- Sid: Tracing\n            Effect", "- Effect"),
    ("E9906", "a wildcard in part of a name",
      "Resource: !GetAtt Table.Arn  # item", "Resource: !Sub '${Table.Arn}/index/*'"),
    ("E9906", "a wildcard action", "Action: logs:PutLogEvents", "Action: logs:*"),
    ("E9907", "no default authorizer", "        DefaultAuthorizer: Bearer\n", ""),
    ("E9907", "an authorizer that does not exist", "DefaultAuthorizer: Bearer", "DefaultAuthorizer: Nobody"),
    ("E9907", "a public route that does not say just that", "Auth: {Authorizer: NONE}", "Auth: {Authorizer: Other}"),
    ("E9907", "a route of an API that is implied", "ApiId: !Ref Api, ", ""),
    ("E9907", "a route of a REST API", "Type: HttpApi", "Type: Api"),
    ("E9908", "a table that goes with its stack", "    DeletionPolicy: RetainExceptOnCreate\n", ""),
    ("E9908", "a table that a failed deployment leaves behind", "DeletionPolicy: RetainExceptOnCreate", "DeletionPolicy: Retain"),
    ("E9908", "a table that goes when it is replaced", "    UpdateReplacePolicy: Retain\n", ""),
    ("E9908", "no way back", "PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false"),
    ("E9908", "a key to pay for", "      BillingMode: PAY", "      SSESpecification: {SSEEnabled: true}\n      BillingMode: PAY"),
    ("E9908", "no protection", "DeletionProtectionEnabled: true", "DeletionProtectionEnabled: false"),
    ("E9908", "half a stream", "NEW_AND_OLD_IMAGES", "NEW_IMAGE"),
    ("E9908", "another TTL", "AttributeName: ttl", "AttributeName: expires"),
    ("E9908", "provisioned capacity", "PAY_PER_REQUEST", "PROVISIONED"),
    ("E9909", "a function that is built alone",
      "  ItemGetFunction:\n    Type: AWS::Serverless::Function\n    Metadata: {SkipBuild: true}\n",
      "  ItemGetFunction:\n    Type: AWS::Serverless::Function\n    Metadata: {SkipBuild: true, BuildMethod: rust-cargolambda}\n"),
    ("E9909", "a function that sam would build",
      "  ItemGetFunction:\n    Type: AWS::Serverless::Function\n    Metadata: {SkipBuild: true}\n",
      "  ItemGetFunction:\n    Type: AWS::Serverless::Function\n"),
    ("E9910", "no leading keys",
      'StringLike": {"dynamodb:LeadingKeys": ["ITEM#*"]}', 'StringNotLike": {"dynamodb:LeadingKeys": ["ITEM#*"]}'),
    ("E9910", "a request without a key",
      '{"Null": {"dynamodb:LeadingKeys": "false"}, "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [SUM]}}',
      '{"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [SUM]}}'),
    ("E9910", "nothing but a request without a key",
      '"false"}, "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [SUM]}',
      '"true"}, "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [SUM]}'),
    ("E9910", "two statements for an action", "Action: dynamodb:GetItem", "Action: [dynamodb:GetItem, dynamodb:Query]"),
    ("E9910", "any leading key", "ITEM#*", "*"),
    ("E9910", "a scan", "Action: dynamodb:Query", "Action: dynamodb:Scan"),
    ("E9910", "PartiQL", "Action: dynamodb:Query", "Action: dynamodb:PartiQLSelect"),
    ("E9911", "a mapping outside its function",
      "  ItemSumFailedQueue:", "  Mapping: {Type: 'AWS::Lambda::EventSourceMapping'}\n  ItemSumFailedQueue:"),
    ("E9911", "another stream", "Stream: !GetAtt Table.StreamArn", "Stream: arn:aws:dynamodb:stream"),
    ("E9911", "no filter", "FilterCriteria: {Filters: [{Pattern: '{\"eventName\": [\"INSERT\"]}'}]}", "BatchSize: 10"),
    ("E9911", "no partial failures", "            FunctionResponseTypes: [ReportBatchItemFailures]\n", ""),
    ("E9911", "no bisection", "BisectBatchOnFunctionError: true", "BisectBatchOnFunctionError: false"),
    ("E9911", "retries that end", "MaximumRetryAttempts: -1", "MaximumRetryAttempts: 5"),
    ("E9911", "records that are gone before they are given up", "MaximumRecordAgeInSeconds: 82800", "MaximumRecordAgeInSeconds: 86400"),
    ("E9911", "records that are given up soon", "            MaximumRecordAgeInSeconds: 82800\n", ""),
    ("E9911", "letters to another queue", "ITEM_SUM_FAILED_QUEUE_URL: !Ref ItemSumFailedQueue", "ITEM_SUM_FAILED_QUEUE_URL: other"),
    ("E9911", "no queue", "{OnFailure: {Type: SQS, Destination: !GetAtt ItemSumFailedQueue.Arn}}", "{}"),
    ("E9911", "a topic for a queue", "  ItemSumFailedQueue:\n    Type: AWS::SQS::Queue", "  ItemSumFailedQueue:\n    Type: AWS::SNS::Topic"),
    ("E9911", "a queue that nobody watches", "Visible  # of what was not added up", "NotVisible"),
    ("E9911", "an alarm on another queue", "!GetAtt ItemSumFailedQueue.QueueName", "other"),
    ("E9911", "a delay that nobody sees", "MetricName: IteratorAge", "MetricName: Duration"),
    ("E9911", "a stream that must not be read", "[dynamodb:DescribeStream, ", "["),
    ("E9911", "a queue that nothing gets into", "Action: sqs:SendMessage", "Action: sqs:ReceiveMessage"),
    ("E9912", "any stream", "                Resource: !GetAtt Table.StreamArn", "                Resource: !Sub '${Table.Arn}/stream/2'"),
    ("E9912", "a stream for who does not read it", "Action: dynamodb:Query", "Action: dynamodb:GetRecords"),
    ("E9913", "a wait as long as a request", "Default: 20", "Default: 10"),
    ("E9913", "a request as long as the wait", "    Timeout: 10", "    Timeout: 20"),
    ("E9913", "no wait", "  DeletionWaitSeconds: {Type: Number, Default: 20}\n", ""),
    ("E9914", "a cache that cannot be reached",
      "      VpcConfig: !If [HasNetwork, {SubnetIds: [!Ref Network]}, !Ref AWS::NoValue]\n", ""),
    ("E9914", "a network without need", "CACHE_URL: !Ref Network, ", ""),
    ("E9914", "two caches", "      CodeUri: target/lambda/item-get/\n",
      "      CodeUri: target/lambda/item-get/\n      Environment: {Variables: {CACHE_URL: other}}\n"),
    ("E9914", "a network that Lambda may not enter",
      "!Ref FunctionBasePolicy, !If [HasNetwork, !Ref NetworkPolicy, !Ref AWS::NoValue]", "!Ref FunctionBasePolicy"),
    ("E9915", "a function that cannot log", "      ManagedPolicyArns: [!Ref FunctionBasePolicy]  # check\n", ""),
    ("E9915", "a policy of another kind", "[!Ref FunctionBasePolicy]  # item", "[!Ref NetworkPolicy]"),
    ("E9916", "a reader for a cache that may not exist", "    Condition: HasNetwork\n    Metadata", "    Metadata"),
    ("E9916", "two readers in every deployment", "  ItemSumFunction:", READER.format("A", "") + READER.format("B", "") + "  ItemSumFunction:"),
    ("E9916", "two readers for one server", "  ItemSumFunction:",
      READER.format("A", "Condition: A, ") + READER.format("B", "Condition: A, ") + "  ItemSumFunction:"),
    ("E9916", "a fourth reader", "  ItemSumFunction:",
      "".join(READER.format(each, f"Condition: {each}, ") for each in "ABC") + "  ItemSumFunction:"),
    ("E9917", "data without a limit", "DataStorage: {Maximum: 1, Unit: GB}, ", ""),
    ("E9917", "requests without a limit", ", ECPUPerSecond: {Maximum: 1000}", ""),
    ("E9918", "few requests that may be slow unseen", "Percentile: evaluate", "Percentile: ignore"),
    ("E9901", "a reader of a queue without its parts", "  ItemSendFailedAlarm:", "  SendFailedAlarm:"),
    ("E9919", "a batch that fails as a whole", ", FunctionResponseTypes: [ReportBatchItemFailures]}", "}"),
    ("E9919", "a message that comes again too soon", "VisibilityTimeout: 60", "VisibilityTimeout: 59"),
    ("E9919", "a message that is tried for ever",
      "      RedrivePolicy: {deadLetterTargetArn: !GetAtt ItemSendFailedQueue.Arn, maxReceiveCount: 5}\n", ""),
    ("E9919", "a topic for a dead-letter queue", "AWS::SQS::Queue  # of dead letters", "AWS::SNS::Topic"),
    ("E9919", "dead letters that nobody sees", "Visible  # of what was not sent", "NotVisible"),
    ("E9919", "a queue that cannot be read", ", sqs:ReceiveMessage]", "]"),
    ("E9915", "a role that repeats it", "Action: dynamodb:GetItem", "Action: [dynamodb:GetItem, xray:PutTraceSegments]"),
    ("E9920", "a topic of another function", "FunctionName: !Ref ItemTakeFunction", "FunctionName: !Ref ItemGetFunction"),
    ("E9920", "failures that Lambda does not hear of",
      "FunctionResponseTypes: [ReportBatchItemFailures]  # of the topic", "BatchSize: 10"),
    ("E9920", "failures that Lambda does not read", "ProvisionedPollerConfig: {MinimumPollers: 1}", "BatchSize: 10"),
    ("E9920", "ten attempts", "Topics: [items]", "Topics: [items]\n      DestinationConfig: {OnFailure: {Destination: a}}"),
    ("E9920", "attempts that end", "Topics: [items]", "Topics: [items]\n      MaximumRetryAttempts: 5"),
    ("E9920", "records that are too old", "Topics: [items]", "Topics: [items]\n      MaximumRecordAgeInSeconds: 3600"),
    ("E9920", "records that are left out", "StartingPosition: TRIM_HORIZON  # of the topic", "StartingPosition: LATEST"),
    ("E9920", "a group that has no name", "{ConsumerGroupId: take}  # another cluster", "{SchemaRegistryConfig: {}}"),
    ("E9920", "letters that nobody sees",
      "Dimensions: [{Name: QueueName, Value: !GetAtt ItemTakeFailedQueue.QueueName}]", "Dimensions: []"),
    ("E9921", "a rule of EventBridge", "Type: ScheduleV2", "Type: Schedule"),
    ("E9921", "a role that SAM makes", ", RoleArn: !GetAtt ScheduleRole.Arn}", "}"),
    ("E9921", "a name that another stack has", ", OmitName: true", ""),
    ("E9921", "a function that no schedule may invoke",
      "!GetAtt ItemTakeFunction.Arn, !Ref AWS::NoValue]]", "!GetAtt ItemGetFunction.Arn, !Ref AWS::NoValue]]"),
]


class HouseRules(unittest.TestCase):
    def test_the_good_template_breaks_none(self):
        self.assertEqual(broken(GOOD), [])

    def test_each_bad_template_breaks_its_rule(self):
        for rule, what, old, new in BAD:
            with self.subTest(rule=rule, what=what):
                self.assertEqual(GOOD.count(old), 1, f"{old!r} must stand once in good.yaml")
                self.assertIn(rule, broken(GOOD.replace(old, new)))

    def test_no_rule_is_without_a_bad_template(self):
        self.assertEqual({rule for rule, *_ in BAD}, set(RULES))

    def test_a_fault_points_at_its_line(self):
        bad = GOOD.replace("DefaultAuthorizer: Bearer", "DefaultAuthorizer: Nobody")
        with tempfile.TemporaryDirectory() as folder:
            file = str(pathlib.Path(folder) / "template.yaml")
            pathlib.Path(file).write_text(bad)
            cfn = Template(file, decode(file)[0], ["us-east-1"])
            [fault] = RULES["E9907"].match(cfn)
        self.assertEqual(bad.splitlines()[fault.location[0]], "  Api:")


def task(**changes):
    retry = {
        "ErrorEquals": asl.RETRIED,
        "IntervalSeconds": 1,
        "BackoffRate": 2,
        "MaxDelaySeconds": 20,
        "MaxAttempts": 5,
        "JitterStrategy": "FULL",
    }
    state = {"Type": "Task", "Resource": "${StepFunctionArn}", "TimeoutSeconds": 9, "Retry": [retry], "End": True}
    return {**state, **changes}


def machine(**states):
    first = next(iter(states))
    return {"QueryLanguage": "JSONata", "TimeoutSeconds": 60, "StartAt": first, "States": states}


class StateMachines(unittest.TestCase):
    def assert_fault(self, definition, words, check=asl.house_faults):
        found = list(check(asl.filled(json.dumps(definition))))
        self.assertTrue(any(words in fault for fault in found), f"{words!r} is not in {found}")

    def test_a_good_machine_has_no_fault(self):
        choice = {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.more %}", "Next": "Step"}],
            "Default": "Rest",
        }
        rest = {"Type": "Wait", "Seconds": "{% ${Wait} %}", "Next": "Done"}
        step = task(Next="More")
        del step["End"]
        text = json.dumps(machine(Step=step, More=choice, Rest=rest, Done={"Type": "Succeed"}))
        self.assertEqual(list(asl.house_faults(asl.filled(text))), [])
        self.assertEqual(list(asl.language_faults(asl.filled(text))), [])

    def test_time_has_an_end(self):
        endless = machine(Step=task())
        del endless["TimeoutSeconds"]
        self.assert_fault(endless, "the machine must have TimeoutSeconds")
        self.assert_fault(machine(Step=task(TimeoutSeconds=None)), "Step must have TimeoutSeconds")

    def test_transient_errors_alone_are_retried_with_back_off_and_full_jitter(self):
        good = task()["Retry"][0]
        for change, words in [
            ({"ErrorEquals": ["States.ALL"]}, "must retry all transient errors, and no others"),
            ({"ErrorEquals": ["Unavailable"]}, "must retry all transient errors, and no others"),
            ({"ErrorEquals": [*asl.RETRIED, "States.Timeout"]}, "must retry all transient errors, and no others"),
            ({"BackoffRate": 1}, "must retry with back-off"),
            ({"JitterStrategy": "NONE"}, "JitterStrategy FULL"),
            ({"MaxAttempts": 0}, "must bound its retries"),
            ({"MaxDelaySeconds": None}, "must bound its retries"),
        ]:
            with self.subTest(change=change):
                self.assert_fault(machine(Step=task(Retry=[{**good, **change}])), words)
        self.assert_fault(machine(Step=task(Retry=[])), "Step must retry transient errors")

    def test_a_start_is_retried_or_left_to_a_sweep(self):
        start = task(Resource=asl.START, Retry=[], Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Done"}])
        good = machine(Step=start, Done={"Type": "Succeed"})
        self.assertEqual(list(asl.house_faults(asl.filled(json.dumps(good)))), [])
        for change in ({"Catch": []}, {"Resource": "${StepFunctionArn}"}):
            self.assert_fault(machine(Step={**start, **change}), "Step must retry transient errors")

    def test_an_execution_ends_before_its_history_is_full(self):
        def found(pages, attempts):
            purge = task(Retry=[{**task()["Retry"][0], "MaxAttempts": attempts}])
            return list(asl.history_faults(machine(PurgeReviews=purge), {"ReviewPagesPerRun": {"MaxValue": pages}}))

        self.assertEqual(found(780, 8), [])
        self.assertEqual(found(800, 8), ["800 pages may be 25300 events: at most 25000"])
        self.assertEqual(len(found(780, 9)), 1)

    def test_states_inside_a_map_are_checked(self):
        inner = machine(Inner=task(TimeoutSeconds=None))
        each = {
            "Type": "Map",
            "Items": "{% $states.input.items %}",
            "ItemProcessor": {"StartAt": "Inner", "States": inner["States"]},
            "End": True,
        }
        self.assert_fault(machine(Each=each), "Inner must have TimeoutSeconds")

    def test_a_state_that_does_not_exist_or_cannot_be_reached(self):
        lost = task(Next="Nowhere")
        del lost["End"]
        self.assert_fault(machine(Step=lost), "Nowhere", asl.language_faults)
        self.assert_fault(machine(Step=task(), Island={"Type": "Succeed"}), "Island", asl.language_faults)

    def test_what_is_not_the_language(self):
        wrong = machine(Step=task(Arguments={"id": "{% $states.input. %}"}))
        self.assert_fault(wrong, "is no JSONata", asl.language_faults)
        self.assert_fault(machine(Step=task(InputPath="$.a")), "InputPath", asl.language_faults)
        self.assert_fault(machine(Step={"Type": "Tusk"}), "Tusk", asl.language_faults)
        self.assert_fault({**machine(Step=task()), "QueryLanguage": "JSONPath"}, "QueryLanguage must be JSONata")

    def test_template_and_machine_agree(self):
        def found(text, **given):
            properties = {"DefinitionUri": "m.asl.json", "DefinitionSubstitutions": given}
            template = {"Resources": {"M": {"Type": "AWS::Serverless::StateMachine", "Properties": properties}}}
            return list(asl.template_faults(text, "m.asl.json", template))

        self.assertEqual(found("${A} ${B}", A=1, B=2), [])
        self.assertEqual(found("${A}"), ["${A} is missing in DefinitionSubstitutions"])
        self.assertEqual(found("", A=1), ["DefinitionSubstitutions has A, which the machine does not use"])
        self.assertEqual(len(list(asl.template_faults("", "m.asl.json", {"Resources": {}}))), 1)


if __name__ == "__main__":
    unittest.main()
