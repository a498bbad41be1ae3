"""The output of functions: a file and a log group for each, and the metrics in it; the API's access log.

AWS: lines appear in the function's log group, one stream for each environment; if the group is not the function's
default, the stream's name contains the function's name; a line in the embedded metric format becomes metrics; every
invocation ends with a report, as text or as JSON, and counts in AWS/Lambda, by any caller; every request counts in
AWS/ApiGateway.

ministack 1.5.33: does not read the embedded metric format, counts invocations by the Invoke API only, and no
requests; the points of a metric grow without bound.
"""

import json
import threading
import time
import uuid
from pathlib import Path

from ministack.core.responses import request_scope
from ministack.services import cloudwatch, cloudwatch_logs, lambda_svc

from emulator import filters

LINES_KEPT = 1000  # of a log stream; the files keep them all
STREAMS_KEPT = 50  # of a function
POINTS_KEPT = 5000  # of a metric
TIMED_OUT = "Sandbox.Timedout"  # Lambda's name for it

_directory = Path()
_files: dict = {}
_lock = threading.Lock()


def open_directory(directory: Path) -> None:
    global _directory
    _directory = directory
    directory.mkdir(parents=True, exist_ok=True)
    lambda_svc._emit_lambda_metrics = count_throttle
    filters.apply()
    cloudwatch.record_metric = record_metric


def record_metric(namespace: str, name: str, value: float, unit: str = "None", dimensions: dict | None = None) -> None:
    """Replaces ministack's function of this name: equal values of one second become one point with a count."""
    dimensions = dimensions or {}
    point = {"Timestamp": float(int(time.time())), "Value": float(value), "Unit": unit, "Dimensions": dimensions}
    with _lock:
        points = cloudwatch._metric_bucket((namespace, name, cloudwatch._dims_key(dimensions)))
        last = points[-1] if points else {}
        if (last.get("Timestamp"), last.get("Value")) == (point["Timestamp"], point["Value"]) and "_stat" not in last:
            last["Count"] = last.get("Count", 1.0) + 1
            return
        points.append(point)
        if len(points) > 2 * POINTS_KEPT:
            del points[:-POINTS_KEPT]


def default_group(config: dict) -> str:
    return f"/aws/lambda/{config['FunctionName']}"


def group_name(config: dict) -> str:
    return (config.get("LoggingConfig") or {}).get("LogGroup") or default_group(config)


def stream_owner(config: dict) -> str:
    """The part of a function's stream names between the date and the environment's id."""
    function = "" if group_name(config) == default_group(config) else config["FunctionName"]
    return f"/{function}[{config.get('Version', '$LATEST')}]"


def stream_name(config: dict) -> str:
    return time.strftime("%Y/%m/%d", time.gmtime()) + stream_owner(config) + uuid.uuid4().hex


def write(name: str, text: str) -> None:
    with _lock:
        if name not in _files:
            _files[name] = (_directory / f"{name}.log").open("a", buffering=1)
        _files[name].write(text + "\n")


def access(api_id: str | None, status: int, duration_ms: float, **members) -> None:
    """Counts one request to the HTTP API and writes it to the access log."""
    write("api", json.dumps({**members, "status": status, "durationMs": round(duration_ms, 2)}))
    dimensions = {"ApiId": api_id or ""}
    record_metric("AWS/ApiGateway", "Count", 1, "Count", dimensions)
    record_metric("AWS/ApiGateway", "4xx", int(400 <= status < 500), "Count", dimensions)
    record_metric("AWS/ApiGateway", "5xx", int(status >= 500), "Count", dimensions)
    record_metric("AWS/ApiGateway", "Latency", duration_ms, "Milliseconds", dimensions)


class Stream:
    """The log of one environment."""

    def __init__(self, function: str, config: dict, scope: tuple[str, str]):
        self.function = function
        self.group = group_name(config)
        self.owner = stream_owner(config)
        self.name = stream_name(config)
        self.memory = config.get("MemorySize", 128)
        self.json = (config.get("LoggingConfig") or {}).get("LogFormat") == "JSON"
        self.scope = scope

    def line(self, text: str) -> None:
        write(self.function, text)
        with request_scope(*self.scope):
            self.keep(text)
            if '"_aws"' in text:
                for metric in embedded_metrics(text):
                    record_metric(*metric)

    def report(self, request_id: str, duration_ms: float, result: dict) -> None:
        failed = result.get("status") != "ok"
        with request_scope(*self.scope):
            self.keep(self.last_line(request_id, duration_ms, result, failed))
            dimensions = {"FunctionName": self.function}
            record_metric("AWS/Lambda", "Invocations", 1, "Count", dimensions)
            record_metric("AWS/Lambda", "Errors", int(failed), "Count", dimensions)
            record_metric("AWS/Lambda", "Duration", duration_ms, "Milliseconds", dimensions)
        if failed:
            self.line(json.dumps({"level": "ERROR", "requestId": request_id, "runtimeError": result.get("error")}))

    def last_line(self, request_id: str, duration_ms: float, result: dict, failed: bool) -> str:
        """Lambda's own line at the end of an invocation."""
        if not self.json:
            text = f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\tMemory Size: {self.memory} MB"
            return text + (f"\tStatus: error\tError: {result.get('error')}" if failed else "")
        record = {
            "requestId": request_id,
            "metrics": {"durationMs": round(duration_ms, 3), "memorySizeMB": self.memory},
            "status": "success",
        }
        if failed:
            kind = (result.get("error_payload") or {}).get("errorType", "Runtime.Unknown")
            record |= {"status": "timeout" if kind == TIMED_OUT else "error", "errorType": kind}
        at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        return json.dumps({"time": at, "type": "platform.report", "record": record})

    def keep(self, text: str) -> None:
        now = int(time.time() * 1000)
        with _lock:
            group = cloudwatch_logs._log_groups.get(self.group)
            if group is None:
                group = cloudwatch_logs._log_groups[self.group] = {
                    "arn": cloudwatch_logs._make_group_arn(self.group), "creationTime": now,
                    "retentionInDays": None, "tags": {}, "subscriptionFilters": {}, "streams": {},
                }  # fmt: skip
            streams = group["streams"]
            if self.name not in streams:
                own = [each for each in streams if self.owner in each]
                for old in own[: len(own) + 1 - STREAMS_KEPT]:
                    del streams[old]
                streams[self.name] = {
                    "events": [], "uploadSequenceToken": "1", "creationTime": now, "firstEventTimestamp": None,
                    "lastEventTimestamp": None, "lastIngestionTime": None,
                }  # fmt: skip
            stream = streams[self.name]
        cloudwatch_logs._append_log_events(stream, [{"timestamp": now, "message": text, "ingestionTime": now}])
        if len(stream["events"]) > 2 * LINES_KEPT:
            del stream["events"][:-LINES_KEPT]
        filters.count(self.group, text)


class Tee:
    """A function's output pipe; every line read from it goes to the log as well."""

    def __init__(self, pipe, log: Stream):
        self.pipe = pipe
        self.log = log

    def readline(self) -> bytes:
        line = self.pipe.readline()
        if line:
            self.log.line(line.decode("utf-8", "replace").rstrip("\r\n"))
        return line

    def close(self) -> None:
        self.pipe.close()


def embedded_metrics(text: str):
    try:
        document = json.loads(text)
        directives = document["_aws"]["CloudWatchMetrics"]
    except (KeyError, TypeError, ValueError):
        return
    for directive in directives:
        for names in directive.get("Dimensions") or [[]]:
            dimensions = {name: str(document[name]) for name in names if name in document}
            for metric in directive.get("Metrics", []):
                values = document.get(metric["Name"])
                for value in values if isinstance(values, list) else [values]:
                    if isinstance(value, (int, float)):
                        yield directive["Namespace"], metric["Name"], value, metric.get("Unit", "None"), dimensions


def count_throttle(function_name: str, duration_ms: float = 0.0, error: bool = False, throttle: bool = False) -> None:
    """Replaces ministack's counter, which would count an Invoke API call twice."""
    if throttle:
        record_metric("AWS/Lambda", "Throttles", 1, "Count", {"FunctionName": function_name})
