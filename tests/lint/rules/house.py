"""Souk's house rules for template.yaml, as cfn-lint rules.

cfn-lint hands a rule the template after the SAM transform, in which the events, the order and the globals are gone.
These rules read the file as it is written, so that they see what a reader sees and point at the line.
"""

from functools import lru_cache

from cfnlint.decode.decode import decode
from cfnlint.rules import CloudFormationLintRule, RuleMatch

STREAM_ACTIONS = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
}
ITEM_ACTIONS = {
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
}


@lru_cache(maxsize=None)
def source(filename):
    return decode(filename)[0]


def pascal(crate):
    return "".join(part.capitalize() for part in crate.split("-"))


def listed(value):
    return value if isinstance(value, list) else [value]


def inside(value, *path):
    """The value at a path, or None where the path ends early."""
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value


def is_ref(value, name):
    return value == {"Ref": name}


def is_arn_of(value, name):
    return value == {"Fn::GetAtt": [name, "Arn"]}


def attribute(value, name):
    """The resource of which a value is this attribute; None when it is something else."""
    target = inside(value, "Fn::GetAtt") if isinstance(value, dict) and len(value) == 1 else None
    return target[0] if isinstance(target, list) and target[1:] == [name] else None


def leading_keys(statement):
    """The partitions that a policy statement is held to; empty when it is not."""
    condition = statement.get("Condition") or {}
    return [
        str(key)
        for operator in ("ForAllValues:StringLike", "ForAllValues:StringEquals")
        for key in listed(condition.get(operator, {}).get("dynamodb:LeadingKeys", []))
    ]


class Template:
    def __init__(self, written):
        self.resources = written.get("Resources", {})
        self.globals = written.get("Globals", {})
        self.parameters = written.get("Parameters", {})

    def of_type(self, kind):
        return [(name, r) for name, r in self.resources.items() if r.get("Type") == kind]

    def functions(self):
        return self.of_type("AWS::Serverless::Function")

    def function_property(self, function, name):
        own = inside(function, "Properties", name)
        return own if own is not None else inside(self.globals, "Function", name)

    def events(self, function, kind):
        events = inside(function, "Properties", "Events") or {}
        return [event for event in events.values() if event.get("Type") == kind]

    def has_retention(self, name):
        group = self.resources.get(name, {})
        return group.get("Type") == "AWS::Logs::LogGroup" and bool(inside(group, "Properties", "RetentionInDays"))

    def alarms_on(self, namespace, metric, dimension, value):
        wanted = [{"Name": dimension, "Value": value}]
        for _, alarm in self.of_type("AWS::CloudWatch::Alarm"):
            p = alarm.get("Properties", {})
            if (p.get("Namespace"), p.get("MetricName"), p.get("Dimensions")) == (namespace, metric, wanted):
                if p.get("AlarmActions"):
                    return True
        return False

    def statements(self):
        """Every statement of every identity policy: resource name, resource, statement."""
        for name, resource in self.resources.items():
            p = resource.get("Properties", {})
            documents = [p.get("PolicyDocument")]
            documents += [inside(policy, "PolicyDocument") for policy in listed(p.get("Policies", []))]
            for document in documents:
                for statement in listed(inside(document, "Statement") or []):
                    yield name, resource, statement


    def allowed_to(self, role):
        """What the role's own policies allow, as pairs of action and resource."""
        return [
            (action, target)
            for name, _, statement in self.statements()
            if name == role and statement.get("Effect") == "Allow"
            for action in listed(statement.get("Action", []))
            for target in listed(statement.get("Resource", []))
        ]


class HouseRule(CloudFormationLintRule):
    """One rule: `check` yields the resource at fault, a message and, if it is nearer, the part to point at."""

    tags = ["souk"]

    def match(self, cfn):
        written = source(cfn.filename)
        template = Template(written)
        for name, message, *part in self.check(template):
            at = part[0] if part else next(key for key in written["Resources"] if key == name)
            place = (at.start_mark.line, at.start_mark.column, at.end_mark.line, at.end_mark.column)
            yield RuleMatch(["Resources", name], f"{name}: {message}", location=place)

    def check(self, template):
        return ()


class Order(HouseRule):
    id = "E9901"
    shortdesc = "Functions are in alphabetical order, each with its parts after it"
    description = "A reader finds a function where `ls functions` shows it, and all that belongs to it right there"

    def check(self, template):
        names = list(template.resources)
        crates = []
        for name, function in template.functions():
            uri = inside(function, "Properties", "CodeUri")
            crate = uri[len("target/lambda/") : -1] if isinstance(uri, str) else ""
            if uri != f"target/lambda/{crate}/" or not crate or "/" in crate:
                yield name, "CodeUri must be target/lambda/<crate>/"
                continue
            stem = pascal(crate)
            if name != f"{stem}Function":
                yield name, f"must be called {stem}Function after its crate"
            if crates and crate < crates[-1]:
                yield name, f"must stand before {pascal(crates[-1])}Function"
            crates.append(crate)
            parts = [f"{stem}Role", f"{stem}LogGroup", f"{stem}ErrorsAlarm"]
            at = names.index(name)
            if names[at + 1 : at + 4] != parts:
                yield name, "must be followed by " + ", ".join(parts)


class OwnRole(HouseRule):
    id = "E9902"
    shortdesc = "A function or state machine has an explicit role of its own"
    description = "What a role allows is written beside the one function or machine that has it"

    def check(self, template):
        machines = template.of_type("AWS::Serverless::StateMachine")
        for name, resource in template.functions() + machines:
            role = name.removesuffix("Function") + "Role"
            if not is_arn_of(inside(resource, "Properties", "Role"), role):
                yield name, f"Role must be !GetAtt {role}.Arn"
            elif inside(template.resources, role, "Type") != "AWS::IAM::Role":
                yield name, f"{role} must be an AWS::IAM::Role"
            if inside(resource, "Properties", "Policies") is not None:
                yield name, "its permissions belong in its role, not in Policies"


class Logs(HouseRule):
    id = "E9903"
    shortdesc = "Every log group has a retention, and every function and state machine has a log group"
    description = "A log that nobody declared is kept for ever"

    def check(self, template):
        for name, _ in template.of_type("AWS::Logs::LogGroup"):
            if not template.has_retention(name):
                yield name, "must have RetentionInDays"
        for name, function in template.functions():
            group = name.removesuffix("Function") + "LogGroup"
            if not is_ref(inside(function, "Properties", "LoggingConfig", "LogGroup"), group):
                yield name, f"LoggingConfig.LogGroup must be !Ref {group}"
            elif group not in template.resources:
                yield name, f"{group} must exist"
        for name, machine in template.of_type("AWS::Serverless::StateMachine"):
            logging = inside(machine, "Properties", "Logging") or {}
            targets = [inside(d, "CloudWatchLogsLogGroup", "LogGroupArn") for d in logging.get("Destinations", [])]
            if logging.get("Level", "OFF") == "OFF" or not any(is_arn_of(t, f"{name}LogGroup") for t in targets):
                yield name, f"must log to {name}LogGroup"


class Tracing(HouseRule):
    id = "E9904"
    shortdesc = "Tracing is on for every function and state machine"
    description = "A trace with a hole in it does not tell where the time went"

    def check(self, template):
        for name, function in template.functions():
            if template.function_property(function, "Tracing") != "Active":
                yield name, "Tracing must be Active"
        for name, machine in template.of_type("AWS::Serverless::StateMachine"):
            if inside(machine, "Properties", "Tracing", "Enabled") is not True:
                yield name, "Tracing.Enabled must be true"


class Alarms(HouseRule):
    id = "E9905"
    shortdesc = "Every function and state machine has an alarm that tells somebody"
    description = "Functions: AWS/Lambda Errors. State machines: AWS/States ExecutionsFailed and ExecutionsTimedOut"

    def check(self, template):
        for name, _ in template.functions():
            if not template.alarms_on("AWS/Lambda", "Errors", "FunctionName", {"Ref": name}):
                yield name, "must have an alarm with an action on its AWS/Lambda Errors"
        for name, _ in template.of_type("AWS::Serverless::StateMachine"):
            for metric in ("ExecutionsFailed", "ExecutionsTimedOut"):
                if not template.alarms_on("AWS/States", metric, "StateMachineArn", {"Ref": name}):
                    yield name, f"must have an alarm with an action on its AWS/States {metric}"


class Wildcards(HouseRule):
    id = "E9906"
    shortdesc = "A wildcard in a policy states its reason"
    description = "Metadata.WildcardReasons of the resource says why, under the Sid of the statement"

    def check(self, template):
        for name, resource, statement in template.statements():
            if any("*" in str(action) for action in listed(statement.get("Action", "*"))):
                yield name, "an action must be named in full", statement
            if any("*" in str(target) for target in listed(statement.get("Resource", "*"))):
                reason = inside(resource, "Metadata", "WildcardReasons", statement.get("Sid"))
                if not str(reason or "").strip():
                    yield name, "a wildcard resource needs a Sid and a reason in Metadata.WildcardReasons", statement


class SecureByDefault(HouseRule):
    id = "E9907"
    shortdesc = "Every route needs a token unless it says that it is public"
    description = "The API has a default authorizer, and an event either says nothing or `Authorizer: NONE`"

    def check(self, template):
        apis = dict(template.of_type("AWS::Serverless::HttpApi"))
        for name, api in apis.items():
            auth = inside(api, "Properties", "Auth") or {}
            if not auth.get("DefaultAuthorizer") or auth["DefaultAuthorizer"] not in auth.get("Authorizers", {}):
                yield name, "Auth.DefaultAuthorizer must name one of Auth.Authorizers"
        for name, function in template.functions():
            for event in (inside(function, "Properties", "Events") or {}).values():
                if event.get("Type") == "Api":
                    yield name, "its route must be of the HttpApi", event
                if event.get("Type") != "HttpApi":
                    continue
                if inside(event, "Properties", "ApiId", "Ref") not in apis:
                    yield name, "its event must name the API", event
                if inside(event, "Properties", "Auth") not in (None, {"Authorizer": "NONE"}):
                    yield name, "Auth of an event must be absent or exactly {Authorizer: NONE}", event


class TableProtection(HouseRule):
    id = "E9908"
    shortdesc = "A table cannot be lost by mistake"
    description = "Retained, restorable, encrypted, protected from deletion, with both images in its stream and a TTL"

    def check(self, template):
        for name, table in template.of_type("AWS::DynamoDB::Table"):
            p = table.get("Properties", {})
            must = {
                "DeletionPolicy: Retain": table.get("DeletionPolicy") == "Retain",
                "UpdateReplacePolicy: Retain": table.get("UpdateReplacePolicy") == "Retain",
                "BillingMode: PAY_PER_REQUEST": p.get("BillingMode") == "PAY_PER_REQUEST",
                "point-in-time recovery": inside(p, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")
                is True,
                "encryption": inside(p, "SSESpecification", "SSEEnabled") is True,
                "deletion protection": p.get("DeletionProtectionEnabled") not in (None, False, "false"),
                "a stream of NEW_AND_OLD_IMAGES": inside(p, "StreamSpecification", "StreamViewType")
                == "NEW_AND_OLD_IMAGES",
                "a TTL on `ttl`": inside(p, "TimeToLiveSpecification") == {"AttributeName": "ttl", "Enabled": True},
            }
            for what, present in must.items():
                if not present:
                    yield name, f"must have {what}"


class BuiltOnce(HouseRule):
    id = "E9909"
    shortdesc = "No BuildMethod: cargo builds every function once"
    description = "`sam build` would compile the whole tree once for each function"

    def check(self, template):
        for name, resource in template.resources.items():
            if inside(resource, "Metadata", "BuildMethod") is not None:
                yield name, "must not have a BuildMethod"


class LeadingKeys(HouseRule):
    id = "E9910"
    shortdesc = "Access to the table names the leading keys and never scans"
    description = "DynamoDB can hold a role to the partitions it needs, so every role says which"

    def check(self, template):
        for name, _, statement in template.statements():
            for action in listed(statement.get("Action", [])):
                if action == "dynamodb:Scan" or str(action).startswith("dynamodb:PartiQL"):
                    yield name, f"{action} is never allowed", statement
                elif action in ITEM_ACTIONS:
                    keys = leading_keys(statement)
                    if not keys or any(key.startswith("*") for key in keys):
                        yield name, f"{action} must be held to dynamodb:LeadingKeys", statement


class Streams(HouseRule):
    id = "E9911"
    shortdesc = "A reader of the table's stream gives nothing up unseen and wakes for nothing"
    description = "Filter, partial failures, bisection, bounded retries, a queue with an alarm, an alarm on the delay, the rights"

    def check(self, template):
        for name, _ in template.of_type("AWS::Lambda::EventSourceMapping"):
            yield name, "a mapping belongs into the Events of its function"
        for name, function in template.functions():
            events = template.events(function, "DynamoDB")
            allowed = template.allowed_to(name.removesuffix("Function") + "Role")
            for event in events:
                properties = event.get("Properties", {})
                for what in self.missing(template, properties):
                    yield name, f"its stream event must have {what}", event
                queue = inside(properties, "DestinationConfig", "OnFailure", "Destination")
                needed = [(action, properties.get("Stream")) for action in sorted(STREAM_ACTIONS)]
                for action, target in [*needed, ("sqs:SendMessage", queue)]:
                    if (action, target) not in allowed:
                        yield name, f"its role must allow {action} on what its stream event names", event
            age = ("AWS/Lambda", "IteratorAge", "FunctionName", {"Ref": name})
            if events and not template.alarms_on(*age):
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
            "bounded MaximumRetryAttempts": self.is_bounded(template, event.get("MaximumRetryAttempts")),
            "a queue as DestinationConfig.OnFailure": inside(event, "DestinationConfig", "OnFailure", "Type") == "SQS"
            and inside(template.resources.get(queue, {}), "Type") == "AWS::SQS::Queue",
            "an alarm with an action on the messages in its queue": template.alarms_on(
                *depth, {"Fn::GetAtt": [queue, "QueueName"]}
            ),
        }
        return [what for what, present in must.items() if not present]

    def is_bounded(self, template, attempts):
        """A number, or a parameter that is one: -1 stands for no bound."""
        least = attempts
        if isinstance(attempts, dict):
            least = inside(template.parameters, attempts.get("Ref"), "MinValue")
        return isinstance(least, int) and least >= 0


class StreamAccess(HouseRule):
    id = "E9912"
    shortdesc = "Whoever reads the table's stream, and nobody else, may read that stream and no other"
    description = "The policy names the StreamArn of a table, and the function has a stream event"

    def check(self, template):
        tables = dict(template.of_type("AWS::DynamoDB::Table"))
        for name, _, statement in template.statements():
            actions = STREAM_ACTIONS.intersection(map(str, listed(statement.get("Action", []))))
            if not actions:
                continue
            if not all(attribute(target, "StreamArn") in tables for target in listed(statement.get("Resource"))):
                yield name, f"{min(actions)} must be held to the StreamArn of a table", statement
            function = template.resources.get(name.removesuffix("Role") + "Function", {})
            if not template.events(function, "DynamoDB"):
                yield name, f"{min(actions)} is of use to readers of a stream only", statement


class OutlivesRequests(HouseRule):
    id = "E9913"
    shortdesc = "A deletion outlives every request that may still write to what is deleted"
    description = "DeletionWaitSeconds is twice as long as any request: a request may have begun with a stale read"

    def check(self, template):
        wait = inside(template.parameters, "DeletionWaitSeconds", "Default")
        for name, function in template.functions():
            timeout = template.function_property(function, "Timeout") or 3
            if template.events(function, "HttpApi") and not (isinstance(wait, int) and wait >= 2 * timeout):
                yield name, f"may run for {timeout} s, so the Default of DeletionWaitSeconds must be {2 * timeout} or more"


class CacheAccess(HouseRule):
    id = "E9914"
    shortdesc = "Whoever has the address of the cache, and nobody else, runs in its network"
    description = "CACHE_URL, VpcConfig and the role's part of a network policy come together, on one condition"

    def check(self, template):
        found = {}
        for name, function in template.functions():
            url = inside(function, "Properties", "Environment", "Variables", "CACHE_URL")
            network = inside(function, "Properties", "VpcConfig")
            if url is None and network is None:
                continue
            if found.setdefault("CACHE_URL", url) != url or found.setdefault("VpcConfig", network) != network:
                yield name, "CACHE_URL and VpcConfig must be those of every other function that has one of them"
            elif url is None or network is None:
                yield name, "CACHE_URL and VpcConfig must come together"
            role = template.resources.get(name.removesuffix("Function") + "Role", {})
            branches = [inside(each, "Fn::If") for each in listed(inside(role, "Properties", "ManagedPolicyArns") or [])]
            condition = (inside(network, "Fn::If") or [None])[0]
            if not any(branch and branch[0] == condition for branch in branches):
                yield name, "its role must have the network's policy on the condition of VpcConfig"
