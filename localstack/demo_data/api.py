"""Calls to an instance: its API, its shop, its ClickHouse, and its AWS API."""

import datetime
import json
import urllib.error
import urllib.parse
import urllib.request

from clickhouse.account import PASSWORD, USER

SIGNATURE = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
DATABASE = "souk"


class Refused(Exception):
    """An answer other than the one that was expected."""


class Api:
    def __init__(self, record: dict):
        self.base, self.endpoint, self.shop = record["baseUrl"], record["endpointUrl"], record.get("shopUrl")
        self.clickhouse = record.get("clickhouseUrl")
        self.outputs, self.tokens = record["outputs"], {}

    def call(self, method: str, path: str, body=None, user: str | None = None, key: str | None = None, accept=(), headers=None):
        """The JSON of an answer. `user` is an e-mail address that has logged in; `accept` has the statuses that are no failure."""
        headers = {"content-type": "application/json"} | (headers or {})
        if user:
            headers["authorization"] = f"Bearer {self.tokens[user]}"
        if key:
            headers |= {"idempotency-key": key, "prefer": "wait=10"}
        status, answer = self.send(method, self.base + path, body, headers)
        if status >= 300 and status not in accept:
            raise Refused(f"{method} {path}: {status} {answer}")
        return answer

    def log_in(self, user: str, password: str, headers=None) -> bool:
        """Whether the user could log in."""
        credentials = {"email": user, "password": password}
        status, answer = self.send("POST", self.base + "/sessions", credentials, {"content-type": "application/json"} | (headers or {}))
        if status == 201:
            self.tokens[user] = answer["accessToken"]
        return status == 201

    def insert(self, table: str, rows: list[dict]) -> None:
        """Inserts rows into a table of ClickHouse."""
        query = urllib.parse.urlencode({"query": f"INSERT INTO {table} FORMAT JSONEachRow", "database": DATABASE})
        headers = {"x-clickhouse-user": USER, "x-clickhouse-key": PASSWORD}
        request = urllib.request.Request(f"{self.clickhouse}/?{query}", "\n".join(map(json.dumps, rows)).encode(), headers)
        try:
            urllib.request.urlopen(request, timeout=60).close()
        except urllib.error.HTTPError as error:
            raise Refused(f"ClickHouse: {error.read().decode(errors='replace')}") from error

    def change_shop(self, path: str, body) -> None:
        status, answer = self.send("PUT", f"{self.shop}/_souk/{path}", body, {})
        if status >= 300:
            raise Refused(f"the shop: {path}: {status} {answer}")

    def aws(self, service: str, path: str, body: dict, target: str | None = None):
        headers = {"authorization": SIGNATURE.format(service)}
        if target:
            headers |= {"x-amz-target": target, "content-type": "application/x-amz-json-1.0"}
        status, answer = self.send("POST", self.endpoint + path, body, headers)
        if status >= 300:
            raise Refused(f"{service}: {target or path}: {status} {answer}")
        return answer

    def invoke(self, function: str, event: dict):
        return self.aws("lambda", f"/2015-03-31/functions/souk-{function}/invocations", event)

    def dynamodb(self, operation: str, body: dict):
        return self.aws("dynamodb", "/", body, f"DynamoDB_20120810.{operation}")

    @staticmethod
    def send(method: str, url: str, body, headers: dict):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text or b"null")
        except ValueError:
            return status, text.decode(errors="replace")


def at(**ago) -> datetime.datetime:
    """A time relative to now, such as `at(days=3)`."""
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(**ago)
