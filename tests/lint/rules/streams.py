"""Souk's house rules for functions that read the table's stream."""

import pathlib
import sys

# cfn-lint loads each file of this folder by itself.
sys.path.append(str(pathlib.Path(__file__).parent))

from house import HouseRule, attribute, inside, listed  # noqa: E402

STREAM_ACTIONS = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
}


class Streams(HouseRule):
    id = "E9911"
    shortdesc = "A reader of the table's stream gives nothing up unseen and wakes for nothing"
    description = "Filter, partial failures, bisection, retries until a record is old, a queue with an alarm, an alarm on the delay, the rights"

    def check(self, template):
        for name, mapping in template.of_type("AWS::Lambda::EventSourceMapping"):
            # Whether a topic is one of MSK is a condition, and SAM knows none for the type of an event.
            if inside(mapping, "Properties", "Topics") is None:
                yield name, "a mapping belongs into the Events of its function"
        for name, function in template.functions():
            events = template.events(function, "DynamoDB")
            allowed = template.allowed_to(name.removesuffix("Function") + "Role")
            for event in events:
                properties = event.get("Properties", {})
                for what in self.missing(template, properties):
                    yield name, f"its stream event must have {what}", event
                queue = inside(properties, "DestinationConfig", "OnFailure", "Destination")
                settings = inside(function, "Properties", "Environment", "Variables") or {}
                urls = [value for setting, value in settings.items() if setting.endswith("_FAILED_QUEUE_URL")]
                if urls != [{"Ref": attribute(queue, "Arn")}]:
                    yield name, "its …_FAILED_QUEUE_URL must be the queue of its stream event", event
                needed = [(action, properties.get("Stream")) for action in sorted(STREAM_ACTIONS)]
                for action, target in [*needed, ("sqs:SendMessage", queue)]:
                    if (action, target) not in allowed:
                        yield name, f"its role must allow {action} on what its stream event names", event
            age = ("AWS/Lambda", "IteratorAge", "FunctionName", {"Ref": name})
            if events and not template.has_alarm(*age):
                yield name, "must have an alarm with an action on its AWS/Lambda IteratorAge"

    def missing(self, template, event):
        queue = attribute(inside(event, "DestinationConfig", "OnFailure", "Destination"), "Arn")
        depth = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName")
        must = {
            "the StreamArn of a table": attribute(event.get("Stream"), "StreamArn")
            in dict(template.of_type("AWS::DynamoDB::Table")),
            "FilterCriteria": bool(inside(event, "FilterCriteria", "Filters")),
            "ReportBatchItemFailures": event.get("FunctionResponseTypes") == ["ReportBatchItemFailures"],
            "BisectBatchOnFunctionError": event.get("BisectBatchOnFunctionError") is True,
            # A longer unavailability than the retries bridge would lose what the batch says.
            "MaximumRetryAttempts: -1": event.get("MaximumRetryAttempts") == -1,
            # Older records are described in the queue while the stream, which keeps them for 24 hours, still has them.
            "MaximumRecordAgeInSeconds of 12 to 23 hours": event.get("MaximumRecordAgeInSeconds")
            in range(12 * 3600, 23 * 3600 + 1),
            "a queue as DestinationConfig.OnFailure": inside(event, "DestinationConfig", "OnFailure", "Type") == "SQS"
            and inside(template.resources.get(queue, {}), "Type") == "AWS::SQS::Queue",
            "an alarm with an action on the messages in its queue": template.has_alarm(
                *depth, {"Fn::GetAtt": [queue, "QueueName"]}
            ),
        }
        return [what for what, present in must.items() if not present]


class StreamAccess(HouseRule):
    id = "E9912"
    shortdesc = "Whoever reads the table's stream, and nobody else, may read that stream and no other"
    description = "The policy names the StreamArn of a table, and the function has a stream event, or that ARN to read by hand"

    def check(self, template):
        tables = dict(template.of_type("AWS::DynamoDB::Table"))
        for name, _, statement in template.statements():
            actions = STREAM_ACTIONS.intersection(map(str, listed(statement.get("Action", []))))
            if not actions:
                continue
            if not all(attribute(target, "StreamArn") in tables for target in listed(statement.get("Resource"))):
                yield name, f"{min(actions)} must be held to the StreamArn of a table", statement
            function = template.resources.get(name.removesuffix("Role") + "Function", {})
            by_hand = inside(function, "Properties", "Environment", "Variables", "TABLE_STREAM_ARN") is not None
            if not template.events(function, "DynamoDB") and not by_hand:
                yield name, f"{min(actions)} is of use to readers of a stream only", statement


class StreamReaders(HouseRule):
    id = "E9916"
    shortdesc = "One function reads the table's stream in every deployment, and others where they are needed"
    description = "AWS advises at most two readers of a shard; what reads for a server exists on the Condition of that server"

    def check(self, template):
        readers = [(name, function) for name, function in template.functions() if template.events(function, "DynamoDB")]
        always = [name for name, function in readers if "Condition" not in function]
        for name in always[1:]:
            yield name, "reads the stream beside another function, so it must have a Condition"
        conditions = [function["Condition"] for _, function in readers if "Condition" in function]
        if len(set(conditions)) < len(conditions):
            yield readers[-1][0], "reads the stream for what another function reads it for"
        for name, _ in readers[3:]:
            yield name, "is a fourth reader of the stream"
        for name, function in readers:
            settings = inside(function, "Properties", "Environment", "Variables") or {}
            if name in always and ("CACHE_URL" in settings or "KAFKA_BROKERS" in settings):
                yield name, "reads the stream for a server, so it must have the Condition of that server"


class Topics(HouseRule):
    id = "E9920"
    shortdesc = "A reader of a Kafka topic loses no record"
    description = "Lambda hears of failures, in provisioned mode; no on-failure destination; a group; a queue with an alarm"

    def check(self, template):
        functions = dict(template.functions())
        for name, mapping in template.of_type("AWS::Lambda::EventSourceMapping"):
            properties = mapping.get("Properties", {})
            if properties.get("Topics") is None:
                continue
            function = name.removesuffix("Topic") + "Function"
            if function not in functions or properties.get("FunctionName") != {"Ref": function}:
                yield name, f"must have the FunctionName of {function}"
                continue
            for what in self.missing(template, properties, functions[function]):
                yield name, f"must have {what}"

    def missing(self, template, mapping, function):
        settings = inside(function, "Properties", "Environment", "Variables") or {}
        queues = [value.get("Ref") for setting, value in settings.items() if setting.endswith("_FAILED_QUEUE_URL")]
        depth = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName")
        groups = str([mapping.get(f"{kind}KafkaEventSourceConfig") for kind in ("AmazonManaged", "SelfManaged")])
        must = {
            "ReportBatchItemFailures": mapping.get("FunctionResponseTypes") == ["ReportBatchItemFailures"],
            # Without it, Lambda does not read which records failed.
            "ProvisionedPollerConfig": mapping.get("ProvisionedPollerConfig") is not None,
            # With a destination, Lambda gives up after ten attempts.
            "no DestinationConfig": mapping.get("DestinationConfig") is None,
            "no limit on attempts": mapping.get("MaximumRetryAttempts", -1) == -1,
            "no limit on the age of records": mapping.get("MaximumRecordAgeInSeconds", -1) == -1,
            "StartingPosition: TRIM_HORIZON": mapping.get("StartingPosition") == "TRIM_HORIZON",
            # A mapping that is made anew would read the topic from its beginning as another group.
            "a ConsumerGroupId for both kinds of clusters": groups.count("ConsumerGroupId") == 2,
            "a queue with an alarm for records that cannot be read": len(queues) == 1
            and template.has_alarm(*depth, {"Fn::GetAtt": [queues[0], "QueueName"]}),
        }
        return [what for what, present in must.items() if not present]
