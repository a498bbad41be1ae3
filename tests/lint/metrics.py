"""Every metric, dimension and member of a log line that template.yaml names is one that our code or AWS publishes.

An alarm or a graph of a name that nobody publishes stays empty, and looks as if all were well.
"""

import json
import pathlib
import re
import sys

from cfnlint.decode.decode import decode

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMESPACE = {"Ref": "MetricsNamespace"}

# Our own, with the dimensions and the file that writes them. Metric filters of the template are added.
OURS = {
    "ReadUnits": ((), "shared/runtime/src/telemetry.rs"),
    "WriteUnits": ((), "shared/runtime/src/telemetry.rs"),
    "ResponseSize": ((), "shared/runtime/src/telemetry.rs"),
    "ClientErrors": (("Function",), "shared/runtime/src/telemetry.rs"),
    "Faults": (("Function",), "shared/runtime/src/telemetry.rs"),
    "SecurityEvents": (("event",), "shared/runtime/src/telemetry.rs"),
    "EventLag": ((), "shared/app/src/metric_log.rs"),
    "UnsettledOrders": ((), "shared/app/src/metric_log.rs"),
    "PagesChecked": ((), "shared/app/src/crawl_log.rs"),
    "PagesChanged": ((), "shared/app/src/crawl_log.rs"),
    "PagesFailed": ((), "shared/app/src/crawl_log.rs"),
}

TABLE, INDEX = ("TableName",), ("TableName", "GlobalSecondaryIndexName")
MACHINE = (("StateMachineArn",),)
FUNCTION = (("FunctionName",),)
AWS = {
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    "AWS/ApiGateway": dict.fromkeys(("Count", "4xx", "5xx", "Latency", "IntegrationLatency"), (("ApiId",),)),
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    "AWS/Lambda": {
        **dict.fromkeys(("Invocations", "Errors", "Duration", "IteratorAge"), FUNCTION),
        **dict.fromkeys(("Throttles", "ConcurrentExecutions"), ((), ("FunctionName",))),
        "ClaimedAccountConcurrency": ((),),
    },
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    "AWS/DynamoDB": dict.fromkeys(
        ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"), (TABLE, INDEX)
    ),
    # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    "AWS/States": dict.fromkeys(
        ("ExecutionsStarted", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted", "ExecutionTime"), MACHINE
    ),
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    "AWS/SQS": dict.fromkeys(
        ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"), (("QueueName",),)
    ),
    # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/serverless-metrics-events-redis.html
    "AWS/ElastiCache": dict.fromkeys(("CacheHits", "CacheMisses"), (("clusterId",),)),
}

# https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report
REPORT = {
    "type", "record.status", "record.errorType", "record.requestId", "record.metrics.initDurationMs",
    "record.metrics.billedDurationMs", "record.metrics.maxMemoryUsedMB",
}  # fmt: skip
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
DISCOVERED = {"@timestamp", "@logStream", "@message"}
WORDS = {
    "as", "and", "asc", "avg", "by", "count", "desc", "earliest", "fields", "filter", "ispresent", "latest", "limit", "max",
    "or", "parse", "pct", "sort", "stats", "sum",
}  # fmt: skip


def snake_to(style, name):
    words = name.split("_")
    return "".join(map(str.capitalize, words)) if style == "PascalCase" else words[0] + "".join(map(str.capitalize, words[1:]))


def members(code):
    """The members of the structure `Line` of a file of Rust code, as serde names them."""
    found = re.search(r'#\[serde\(rename_all = "(\w+)"\)\]\s*struct Line<\'a> \{(.*?)\n\}', code, re.DOTALL)
    names, renamed = set(), None
    for line in found[2].splitlines():
        if change := re.search(r'rename = "(\w+)"', line):
            renamed = change[1]
        elif field := re.match(r"\s*(\w+):", line):
            names.add(renamed or snake_to(found[1], field[1]))
            renamed = None
    return names


def published(template, read):
    """Our metrics and those of metric filters: name to dimensions. Yields what no code writes, as faults."""
    ours, faults = {}, []
    for name, (dimensions, file) in OURS.items():
        ours[name] = (dimensions,)
        if f'"{name}"' not in read(file):
            faults.append(f"{file} does not write the metric {name}")
    for resource in of_type(template, "AWS::Logs::MetricFilter"):
        for change in resource["Properties"]["MetricTransformations"]:
            ours[change["MetricName"]] = ((),)
    return ours, faults


def of_type(template, kind):
    return [each for each in template["Resources"].values() if each["Type"] == kind]


def of_alarms(template):
    """The metrics of alarms: who names it, namespace, name, dimensions."""
    for name, alarm in template["Resources"].items():
        if alarm["Type"] != "AWS::CloudWatch::Alarm":
            continue
        parts = [each["MetricStat"]["Metric"] for each in alarm["Properties"].get("Metrics", []) if "MetricStat" in each]
        for metric in parts or [alarm["Properties"]]:
            dimensions = tuple(each["Name"] for each in metric.get("Dimensions", []))
            namespace = metric["Namespace"]
            yield name, "ours" if namespace == NAMESPACE else namespace, metric["MetricName"], dimensions


def widgets(template):
    for dashboard in of_type(template, "AWS::CloudWatch::Dashboard"):
        body = dashboard["Properties"]["DashboardBody"]["Fn::Sub"][0]
        body = re.sub(r"(?<=: )\$\{\w+\}", "0", body)  # a parameter that is a number
        yield from json.loads(re.sub(r"\$\{\w+Alarms\}", "", body))["widgets"]


def of_graphs(template):
    for widget in widgets(template):
        title = widget["properties"]["title"]
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[0], dict):
                expression = metric[0]["expression"].replace("${MetricsNamespace}", "ours")
                found = re.search(r"SEARCH\('\{([^},]+)((?:,\w+)*)\} MetricName=\"(\w+)\"", expression)
                yield title, found[1], found[3], tuple(found[2].split(",")[1:])
            else:
                names = [each for each in metric if isinstance(each, str)]
                namespace = "ours" if names[0] == "${MetricsNamespace}" else names[0]
                yield title, namespace, names[1], tuple(names[2::2])


def used_in(query):
    """The members of lines that a query of Logs Insights names, without those that it makes itself."""
    text = re.sub(r"SOURCE '[^']*'", "", query)
    made = set(re.findall(r"\bas (\w+)", text)) | set(re.findall(r"\(\?<(\w+)>", text))
    text = re.sub(r"'[^']*'|/(?:\\.|[^/\\])+/", "", text)
    return set(re.findall(r"@?[A-Za-z][\w.]*", text)) - made - WORDS


def of_queries(template):
    """The queries: who names it, log group, text."""
    for name, query in template["Resources"].items():
        if query["Type"] == "AWS::Logs::QueryDefinition":
            [group] = query["Properties"]["LogGroupNames"]
            yield name, group["Ref"], query["Properties"]["QueryString"]
    for widget in widgets(template):
        if text := widget["properties"].get("query"):
            yield widget["properties"]["title"], re.search(r"SOURCE '\$\{(\w+)\}'", text)[1], text


def lines(template, read):
    """The members of the lines of each log group."""
    access = template["Resources"]["Api"]["Properties"]["AccessLogSettings"]["Format"]
    ours = members(read("shared/runtime/src/telemetry.rs")) | members(read("shared/app/src/incidents.rs"))
    return {
        "FunctionLogGroup": ours | REPORT | DISCOVERED,
        "ApiLogGroup": set(re.findall(r'"(\w+)":', access)) | DISCOVERED,
    }


def faults(template, read):
    ours, found = published(template, read)
    known = {**AWS, "ours": ours}
    yield from found
    for who, namespace, name, dimensions in [*of_alarms(template), *of_graphs(template)]:
        if dimensions not in known.get(namespace, {}).get(name, ()):
            yield f"{who}: nobody publishes {name} of {namespace} by {', '.join(dimensions) or 'nothing'}"
    # Functions and queues that a condition may leave out are named, not referred to.
    text = json.dumps(template)
    for widget in widgets(template):
        for kind, name in re.findall(r'"(FunctionName|QueueName)", "(\$\{AWS::StackName\}-[\w.-]+)"', json.dumps(widget)):
            if f'"{kind}": {{"Fn::Sub": "{name}"}}' not in text:
                yield f"{widget['properties']['title']}: no {kind} is {name}"
    groups = lines(template, read)
    for who, group, query in of_queries(template):
        for name in sorted(used_in(query) - groups[group]):
            yield f"{who}: lines of {group} have no {name}"


def main():
    template = decode(str(ROOT / "template.yaml"))[0]
    found = list(faults(template, lambda file: (ROOT / file).read_text()))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
