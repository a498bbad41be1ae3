"""Enforces the roles of functions.

AWS: a function's calls are checked against its role; `dynamodb:LeadingKeys` holds the partition keys that a call
names; each item of a transaction is checked on its own.

ministack 1.5.33: checks roles only when AUTH is set (which __main__ does), and does not set `dynamodb:LeadingKeys`; a
condition on them with ForAllValues is then always true. The calls that read a stream are checked as if they named no resource,
and GetBootstrapBrokers as if the path's escaped ARN were a cluster's name.
"""

import json
import re
from pathlib import Path
from urllib.parse import unquote

from ministack.core import iam_actions, iam_evaluator
from ministack.services import dynamodb, dynamodb_streams

from emulator import uses

LEADING_KEYS = "dynamodb:LeadingKeys"
BOOTSTRAP_BROKERS = re.compile(r"/v1/clusters/(.+)/bootstrap-brokers")
IN_TRANSACTION = iam_actions._DYNAMODB_TRANSACT_ITEM_ACTIONS


class ItemArn(str):
    """The ARN of a table, with the partition key of the item that is checked."""

    leading_keys: list[str]


def apply(directory: Path) -> None:
    uses.open_file(directory)
    service_context, enforce = iam_actions.dynamodb_service_context, iam_evaluator.enforce

    def context_with_keys(body):
        keys = leading_keys(parse(body))
        return {**service_context(body), **({LEADING_KEYS: keys} if keys else {})}

    def enforce_item(access_key, action, service, region, resource_arn="*", service_context=None):
        if isinstance(resource_arn, ItemArn):
            service_context = {**(service_context or {}), LEADING_KEYS: resource_arn.leading_keys}
        denied = enforce(access_key, action, service, region, resource_arn, service_context)
        if denied is None and access_key:
            uses.note(access_key, action, str(resource_arn), (service_context or {}).get(LEADING_KEYS, []))
        return denied

    resource = iam_actions.extract_resource_arn

    def resource_or_stream(service, method, path, headers, body, *others):
        if service == "dynamodbstreams":
            return stream(parse(body))
        if service == "kafka" and (named := BOOTSTRAP_BROKERS.fullmatch(path)):
            return unquote(named[1])
        return resource(service, method, path, headers, body, *others)

    iam_actions.dynamodb_service_context = context_with_keys
    iam_actions.extract_resource_arn = resource_or_stream
    iam_actions.dynamodb_transaction_checks = transaction_checks
    iam_evaluator.enforce = enforce_item


def stream(request: dict) -> str:
    """The stream that a call reads; GetRecords names it in its iterator."""
    iterator = dynamodb_streams._decode_iterator(request.get("ShardIterator") or "") or {}
    return request.get("StreamArn") or iterator.get("arn") or "*"


def transaction_checks(action: str, body: bytes, region: str, account: str) -> list[tuple[str, str]]:
    """Replaces ministack's function of this name: the actions that each item of a transaction needs."""
    if action not in ("dynamodb:TransactWriteItems", "dynamodb:TransactGetItems"):
        return []
    checks = []
    for item in parse(body).get("TransactItems", []):
        for member, operation in item.items():
            arn = ItemArn(iam_actions._dynamodb_table_arn(operation["TableName"], region, account))
            arn.leading_keys = leading_keys(operation)
            checks.append((IN_TRANSACTION[member], arn))
    return checks


def leading_keys(request: dict) -> list[str]:
    """The partition keys in a request, or in one operation of a transaction."""
    if "RequestItems" in request:
        return [key for table, wanted in request["RequestItems"].items() for key in batch_keys(table, wanted)]
    table = dynamodb._tables.get(request.get("TableName", ""))
    if table is None:
        return []
    if "KeyConditionExpression" in request:
        name = dynamodb._resolve_index_keys(table, request.get("IndexName"))[0]
        values, names = request.get("ExpressionAttributeValues", {}), request.get("ExpressionAttributeNames", {})
        key = dynamodb._extract_pk_from_condition(request["KeyConditionExpression"], values, names, name)
        return [] if key is None else [str(key)]
    item = request.get("Key") or request.get("Item") or {}
    return [value(item[table["pk_name"]])] if table["pk_name"] in item else []


def batch_keys(table: str, wanted) -> list[str]:
    if isinstance(wanted, dict):
        requests = [{"Key": key} for key in wanted.get("Keys", [])]
    else:
        requests = [operation for write in wanted for operation in write.values()]
    return [key for request in requests for key in leading_keys({"TableName": table, **request})]


def value(attribute: dict) -> str:
    return str(next(iter(attribute.values())))


def parse(body: bytes) -> dict:
    try:
        data = json.loads(body or b"{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
