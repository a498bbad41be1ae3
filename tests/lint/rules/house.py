"""Souk's house rules for template.yaml, as cfn-lint rules.

cfn-lint gives a rule the template after the SAM transform, which no longer has the events, the order and the globals.
These rules read the file itself, so they check what a reader sees, and report its lines.
"""

import re
from functools import lru_cache

from cfnlint.decode.decode import decode
from cfnlint.rules import CloudFormationLintRule, RuleMatch

# What Lambda's last line about an invocation says of those that did not succeed.
FAILED_INVOCATIONS = '{ ($.type = "platform.report") && ($.record.status != "success") }'
BASE_POLICY = "FunctionBasePolicy"
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
    """The value at a path, or None if the path does not exist."""
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
    """The resource whose attribute a value is; None if it is something else."""
    target = inside(value, "Fn::GetAtt") if isinstance(value, dict) and len(value) == 1 else None
    return target[0] if isinstance(target, list) and target[1:] == [name] else None


def branches(value):
    """A value, or those between which an Fn::If chooses."""
    chosen = inside(value, "Fn::If") if isinstance(value, dict) and len(value) == 1 else None
    return chosen[1:] if isinstance(chosen, list) else [value]


def leading_keys(statement):
    """The partitions to which a policy statement is limited; empty if it is not limited."""
    condition = statement.get("Condition") or {}
    keys = inside(condition, "ForAllValues:StringLike", "dynamodb:LeadingKeys")
    return [str(key) for key in listed(keys or [])]


def watched_by(alarm):
    """The metrics of an alarm: namespace, name, dimensions. Of metric math, those that its expressions name."""
    expressions = " ".join(each.get("Expression", "") for each in alarm.get("Metrics", []))
    for each in [{"MetricStat": {"Metric": alarm}}, *alarm.get("Metrics", [])]:
        metric = inside(each, "MetricStat", "Metric") or {}
        if "Id" not in each or re.search(rf"\b{re.escape(each['Id'])}\b", expressions):
            yield metric.get("Namespace"), metric.get("MetricName"), metric.get("Dimensions")


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

    def has_alarm(self, namespace, metric, dimension=None, value=None):
        """Whether an alarm with an action watches a metric, by itself or as a part of metric math."""
        wanted = (namespace, metric, [{"Name": dimension, "Value": value}] if dimension else None)
        for _, alarm in self.of_type("AWS::CloudWatch::Alarm"):
            p = alarm.get("Properties", {})
            if p.get("AlarmActions") and wanted in list(watched_by(p)):
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
        """The pairs of action and resource that the role's own policies allow."""
        return [
            (action, target)
            for name, _, statement in self.statements()
            if name == role and statement.get("Effect") == "Allow"
            for action in listed(statement.get("Action", []))
            for target in listed(statement.get("Resource", []))
        ]


class HouseRule(CloudFormationLintRule):
    """One rule: `check` yields the invalid resource, a message and, optionally, the part to report."""

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
            parts = [f"{stem}Role"] if own_role(template, name) == f"{stem}Role" else []
            if template.events(function, "DynamoDB"):
                parts += [f"{stem}IteratorAgeAlarm", f"{stem}FailedQueue", f"{stem}FailedAlarm"]
            if template.events(function, "SQS"):
                parts += [f"{stem}Queue", f"{stem}FailedQueue", f"{stem}FailedAlarm"]
            at = names.index(name) + 1
            if names[at : at + len(parts)] != parts:
                yield name, "must be followed by " + ", ".join(parts)


def own_role(template, name):
    """The role that a function or machine must have: its own, or that of a function before it if it has none."""
    role = name.removesuffix("Function") + "Role"
    other = attribute(inside(template.resources, name, "Properties", "Role"), "Arn") or ""
    before = list(template.resources)[: list(template.resources).index(name)]
    shared = role not in template.resources and other.removesuffix("Role") + "Function" in before
    return other if shared else role


class OwnRole(HouseRule):
    id = "E9902"
    shortdesc = "A function or state machine has an explicit role, which only functions with the same rights share"
    description = "What a role allows is written beside the first function that has it; a contract test compares it with each"

    def check(self, template):
        machines = template.of_type("AWS::Serverless::StateMachine")
        for name, resource in template.functions() + machines:
            role = own_role(template, name)
            if not is_arn_of(inside(resource, "Properties", "Role"), role):
                yield name, f"Role must be !GetAtt {role}.Arn"
            elif inside(template.resources, role, "Type") != "AWS::IAM::Role":
                yield name, f"{role} must be an AWS::IAM::Role"
            if inside(resource, "Properties", "Policies") is not None:
                yield name, "its permissions belong in its role, not in Policies"


class Logs(HouseRule):
    id = "E9903"
    shortdesc = "Functions share one log group, and state machines one; every log group has a retention"
    description = "A log group that is not declared is kept for ever. FunctionErrorsFilter reads Lambda's lines as JSON"

    def check(self, template):
        for name, _ in template.of_type("AWS::Logs::LogGroup"):
            if not template.has_retention(name):
                yield name, "must have RetentionInDays"
        shared = inside(template.globals, "Function", "LoggingConfig") or {}
        written = ("logs:PutLogEvents", {"Fn::GetAtt": ["FunctionLogGroup", "Arn"]}) in template.allowed_to(BASE_POLICY)
        for name, function in template.functions():
            if inside(function, "Properties", "LoggingConfig") is not None:
                yield name, "must not have a LoggingConfig of its own"
            elif not is_ref(shared.get("LogGroup"), "FunctionLogGroup") or shared.get("LogFormat") != "JSON":
                yield name, "Globals must have LoggingConfig {LogGroup: !Ref FunctionLogGroup, LogFormat: JSON}"
            elif not written:
                yield name, f"{BASE_POLICY} must allow logs:PutLogEvents on FunctionLogGroup"
        for name, machine in template.of_type("AWS::Serverless::StateMachine"):
            logging = inside(machine, "Properties", "Logging") or {}
            targets = [inside(d, "CloudWatchLogsLogGroup", "LogGroupArn") for d in logging.get("Destinations", [])]
            if logging.get("Level", "OFF") == "OFF" or not any(is_arn_of(t, "MachineLogGroup") for t in targets):
                yield name, "must log to MachineLogGroup"


class Tracing(HouseRule):
    id = "E9904"
    shortdesc = "One parameter turns traces of all functions and state machines on"
    description = "A trace with a hole in it does not tell where the time went"

    def check(self, template):
        for name, function in template.functions():
            if template.function_property(function, "Tracing") != {"Fn::If": ["HasTraces", "Active", "PassThrough"]}:
                yield name, "Tracing must be !If [HasTraces, Active, PassThrough]"
        for name, machine in template.of_type("AWS::Serverless::StateMachine"):
            if inside(machine, "Properties", "Tracing", "Enabled") != {"Fn::If": ["HasTraces", True, False]}:
                yield name, "Tracing.Enabled must be !If [HasTraces, true, false]"


class Alarms(HouseRule):
    id = "E9905"
    shortdesc = "A failed invocation and an execution that did not succeed raise an alarm that tells somebody"
    description = "Functions: one filter of their log. State machines: AWS/States Executions Failed, TimedOut, Aborted"

    def check(self, template):
        if not any(template.has_alarm(*metric) for metric in self.counted_failures(template)):
            for name, _ in template.functions():
                yield name, "must have an alarm with an action on the failed invocations in FunctionLogGroup"
        for name, machine in template.of_type("AWS::Serverless::StateMachine"):
            # An EXPRESS execution cannot be stopped.
            stopped = [] if inside(machine, "Properties", "Type") == "EXPRESS" else ["ExecutionsAborted"]
            for metric in ("ExecutionsFailed", "ExecutionsTimedOut", *stopped):
                if not template.has_alarm("AWS/States", metric, "StateMachineArn", {"Ref": name}):
                    yield name, f"must have an alarm with an action on its AWS/States {metric}"

    def counted_failures(self, template):
        """The metrics, as namespace and name, that count every failed invocation in the functions' log."""
        for _, found in template.of_type("AWS::Logs::MetricFilter"):
            p = found.get("Properties", {})
            if is_ref(p.get("LogGroupName"), "FunctionLogGroup") and p.get("FilterPattern") == FAILED_INVOCATIONS:
                for metric in p.get("MetricTransformations", []):
                    if str(metric.get("MetricValue")) == "1":
                        yield metric.get("MetricNamespace"), metric.get("MetricName")


class Schedules(HouseRule):
    id = "E9921"
    shortdesc = "A schedule is one of EventBridge Scheduler, under the role of all schedules"
    description = "A rule of EventBridge takes two resources; a role made by SAM, one more. Its name would clash with another stack's"

    def check(self, template):
        allowed = template.allowed_to("ScheduleRole")
        for name, function in template.functions():
            for event in template.events(function, "Schedule"):
                yield name, "its schedule must be of the type ScheduleV2", event
            for event in template.events(function, "ScheduleV2"):
                p = event.get("Properties", {})
                if not is_arn_of(p.get("RoleArn"), "ScheduleRole") or p.get("OmitName") is not True:
                    yield name, "its schedule must have RoleArn: !GetAtt ScheduleRole.Arn and OmitName: true", event
                targets = [each for action, each in allowed if action == "lambda:InvokeFunction"]
                if not any(is_arn_of(each, name) for target in targets for each in branches(target)):
                    yield name, "ScheduleRole must allow lambda:InvokeFunction on it", event


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
    description = "Retained, restorable, protected from deletion, with both images in its stream and a TTL; no key to pay for"

    def check(self, template):
        for name, table in template.of_type("AWS::DynamoDB::Table"):
            p = table.get("Properties", {})
            must = {
                # A first deployment that fails would leave the table behind, and the next one would make another.
                "DeletionPolicy: RetainExceptOnCreate": table.get("DeletionPolicy") == "RetainExceptOnCreate",
                "UpdateReplacePolicy: Retain": table.get("UpdateReplacePolicy") == "Retain",
                "BillingMode: PAY_PER_REQUEST": p.get("BillingMode") == "PAY_PER_REQUEST",
                "point-in-time recovery": inside(p, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")
                is True,
                # Without it the table is encrypted with a key that AWS owns; with it, each use of the key is charged.
                "no SSESpecification": p.get("SSESpecification") is None,
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
    shortdesc = "Every function has SkipBuild and no BuildMethod: cargo builds all of them once"
    description = "`sam build` would compile the whole tree once for each function, or fail for want of a builder"

    def check(self, template):
        for name, function in template.functions():
            if inside(function, "Metadata", "SkipBuild") is not True:
                yield name, "must have Metadata {SkipBuild: true}"
        for name, resource in template.resources.items():
            if inside(resource, "Metadata", "BuildMethod") is not None:
                yield name, "must not have a BuildMethod"


class LeadingKeys(HouseRule):
    id = "E9910"
    shortdesc = "Access to the table names the leading keys, once for each action, and never scans"
    description = "One statement has all keys, which may be compared for a request as a whole; ForAllValues needs a Null check"

    def check(self, template):
        seen = set()
        for name, _, statement in template.statements():
            for action in listed(statement.get("Action", [])):
                if action == "dynamodb:Scan" or str(action).startswith("dynamodb:PartiQL"):
                    yield name, f"{action} is never allowed", statement
                elif action in ITEM_ACTIONS:
                    keys = leading_keys(statement)
                    if not keys or any(key.startswith("*") for key in keys):
                        yield name, f"{action} must be held to dynamodb:LeadingKeys", statement
                    if inside(statement, "Condition", "Null", "dynamodb:LeadingKeys") != "false":
                        yield name, f'{action} needs "Null": {{"dynamodb:LeadingKeys": "false"}} beside it', statement
                    for target in listed(statement.get("Resource")):
                        if (name, action, str(target)) in seen:
                            yield name, f"{action} must have one statement with all its keys", statement
                        seen.add((name, action, str(target)))




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
    shortdesc = "Whoever has the address of the cache or of Kafka, and nobody else, runs in their network"
    description = "CACHE_URL or KAFKA_BROKERS, VpcConfig and the role's part of a network policy come together, on one condition"

    def check(self, template):
        found = {}
        for name, function in template.functions():
            settings = inside(function, "Properties", "Environment", "Variables") or {}
            servers = {each: settings[each] for each in ("CACHE_URL", "KAFKA_BROKERS") if each in settings}
            network = inside(function, "Properties", "VpcConfig")
            if not servers and network is None:
                continue
            if any(found.setdefault(each, value) != value for each, value in [*servers.items(), ("VpcConfig", network)]):
                yield name, "CACHE_URL and VpcConfig must be those of every other function that has one of them"
            elif not servers or network is None:
                yield name, "CACHE_URL or KAFKA_BROKERS and VpcConfig must come together"
            role = template.resources.get(name.removesuffix("Function") + "Role", {})
            branches = [inside(each, "Fn::If") for each in listed(inside(role, "Properties", "ManagedPolicyArns") or [])]
            condition = (inside(network, "Fn::If") or [None])[0]
            if not any(branch and branch[0] == condition for branch in branches):
                yield name, "its role must have the network's policy on the condition of VpcConfig"


class BasePolicy(HouseRule):
    id = "E9915"
    shortdesc = "What every function needs is in one managed policy, and nothing of it in a role"
    description = "The role of a function names FunctionBasePolicy, which allows the log and the traces"

    def check(self, template):
        base = {action for action, _ in template.allowed_to(BASE_POLICY)}
        for name, _ in template.functions():
            role = own_role(template, name)
            policies = listed(inside(template.resources, role, "Properties", "ManagedPolicyArns") or [])
            if not any(is_ref(policy, BASE_POLICY) for policy in policies):
                yield name, f"its role must have {BASE_POLICY} in ManagedPolicyArns"
            for action in sorted(base.intersection(action for action, _ in template.allowed_to(role))):
                yield role, f"{action} is allowed by {BASE_POLICY} already"



class CacheLimits(HouseRule):
    id = "E9917"
    shortdesc = "A serverless cache has a limit on what it may cost"
    description = "Without CacheUsageLimits it grows with whatever is asked of it"

    def check(self, template):
        for name, cache in template.of_type("AWS::ElastiCache::ServerlessCache"):
            for what in ("DataStorage", "ECPUPerSecond"):
                if inside(cache, "Properties", "CacheUsageLimits", what, "Maximum") is None:
                    yield name, f"must have CacheUsageLimits.{what}.Maximum"


class Percentiles(HouseRule):
    id = "E9918"
    shortdesc = "An alarm on a percentile looks at few requests, too"
    description = "With `ignore`, an alarm on p99 says nothing about a period of fewer than 1,000 requests"

    def check(self, template):
        for name, alarm in template.of_type("AWS::CloudWatch::Alarm"):
            p = alarm.get("Properties", {})
            if "ExtendedStatistic" in p and p.get("EvaluateLowSampleCountPercentile") != "evaluate":
                yield name, "must have EvaluateLowSampleCountPercentile: evaluate"
