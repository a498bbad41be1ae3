"""Metric filters of log groups.

AWS: a line of a log group that matches the pattern of a metric filter counts in the filter's metrics.

ministack 1.5.33: keeps metric filters and never applies them. This module supports one kind of pattern: comparisons of
a JSON member with a string, or with "*" for any string, joined by &&. A template with another kind of pattern fails to deploy.
"""

import json
import re
from functools import lru_cache

from ministack.core.responses import error_response_json
from ministack.services import cloudwatch, cloudwatch_logs

COMPARISON = re.compile(r'\(?\s*\$\.([\w.]+)\s*(=|!=)\s*"([^"*]*|\*)"\s*\)?')


def apply() -> None:
    put = cloudwatch_logs._put_metric_filter

    def put_if_known(data):
        if comparisons(data.get("filterPattern", "")) is None:
            return error_response_json("InvalidParameterException", "the local run knows no such filterPattern", 400)
        return put(data)

    cloudwatch_logs._put_metric_filter = put_if_known


@lru_cache
def comparisons(pattern: str) -> list[tuple[str, str, str]] | None:
    """Each member's path, the operator and the text; None for a pattern of another kind."""
    text = pattern.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return None
    found = [COMPARISON.fullmatch(part.strip()) for part in text[1:-1].split("&&")]
    return [each.groups() for each in found] if all(found) else None


def matches(pattern: str, line: dict) -> bool:
    wanted = comparisons(pattern) or []
    return all(has(member(line, path), text) == (operator == "=") for path, operator, text in wanted)


def has(value, text: str) -> bool:
    return isinstance(value, str) if text == "*" else value == text


def member(line: dict, path: str):
    for name in path.split("."):
        line = line.get(name) if isinstance(line, dict) else None
    return line


def count(group: str, text: str) -> None:
    """Adds a line of a log group to the metrics of the group's filters."""
    filters = [each for (name, _), each in cloudwatch_logs._metric_filters.items() if name == group]
    line = parsed(text) if filters else None
    for each in filters:
        if line is not None and matches(each["filterPattern"], line):
            for metric in each["metricTransformations"]:
                name, value = metric["metricName"], float(metric["metricValue"])
                cloudwatch.record_metric(metric["metricNamespace"], name, value, metric.get("unit", "None"))


def parsed(text: str) -> dict | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None
