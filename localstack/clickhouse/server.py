"""The part of ClickHouse's HTTP interface (https://clickhouse.com/docs/interfaces/http) that Souk and curl use.

A statement comes in the parameter `query`, in the body, or in a form; other parameters are settings, and those that begin with
`param_` values of the statement's parameters. Compressed bodies other than gzip, and sessions, are not implemented.
"""

import base64
import email.parser
import gzip
import json
import os
import time
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

from clickhouse.account import PASSWORD, USER
from clickhouse.engine import Engine, Refused
from loopback import LoopbackHandler, LoopbackServer
from shop.faults import Faults

NOT_SETTINGS = {"query", "database", "default_format", "user", "password", "compress", "decompress", "query_id"}


class Server(LoopbackServer):
    engine: Engine

    def __init__(self, port: int, log: Callable[[str], None]):
        super().__init__(port, Handler)
        self.log, self.faults = log, Faults()


class Handler(LoopbackHandler):
    server_version = "souk-clickhouse"
    server: Server

    def handle_any(self) -> None:
        begun = time.monotonic()
        self.address = urlsplit(self.path)
        self.body = self.read_body()
        if self.address.path.startswith("/_souk/"):
            self.control(unquote(self.address.path))
            return
        if self.address.path == "/ping":
            self.answer(200, b"Ok.\n")
            return
        rule = self.server.faults.take(unquote_plus(self.path))
        if rule:
            rule.removed.wait(rule.delaySeconds)
        if rule and rule.status is not None:
            self.refuse(Refused(f"The rule {rule.id} wants this.", "1002"), rule.status)
        else:
            self.statement()
        milliseconds = round((time.monotonic() - begun) * 1000)
        self.server.log(f"{self.sql[:300]!r} {self.status} {milliseconds} ms")

    do_GET = do_POST = do_PUT = do_DELETE = handle_any
    status, sql = 0, ""

    def read_body(self) -> bytes:
        body = bytearray()
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while length := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body += self.rfile.read(int(self.headers.get("content-length") or 0))
        return gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else bytes(body)

    def statement(self) -> None:
        values = dict(parse_qsl(self.address.query, keep_blank_values=True))
        kind = self.headers.get("content-type", "")
        if kind.startswith("multipart/form-data"):
            values |= form(kind, self.body)
            self.body = b""
        self.sql = values.get("query", "")
        if not self.sql:
            self.sql, self.body = self.body.decode(errors="replace"), b""
        if not self.allowed(values):
            self.refuse(Refused("Authentication failed: password is incorrect, or there is no such user.", "516"), 403)
            return
        database, output = values.get("database", "default"), values.get("default_format", "TabSeparated")
        parameters = {name[6:]: value for name, value in values.items() if name.startswith("param_")}
        settings = {name: value for name, value in values.items()
                    if name not in NOT_SETTINGS and not name.startswith("param_")}  # fmt: skip
        try:
            result = self.server.engine.run(self.sql, database, output, settings, parameters, self.body)
            self.answer(200, result, {"X-ClickHouse-Format": output})
        except Refused as error:
            self.refuse(error, 404 if error.code in ("60", "81") else 500)  # UNKNOWN_TABLE, UNKNOWN_DATABASE

    def allowed(self, values: dict[str, str]) -> bool:
        user, password = self.headers.get("x-clickhouse-user"), self.headers.get("x-clickhouse-key")
        if (authorization := self.headers.get("authorization", "")).startswith("Basic "):
            user, _, password = base64.b64decode(authorization[6:]).decode(errors="replace").partition(":")
        return (values.get("user", user), values.get("password", password)) == (USER, PASSWORD)

    def refuse(self, error: Refused, status: int) -> None:
        self.answer(status, f"{error}\n".encode(), {"X-ClickHouse-Exception-Code": error.code})

    def control(self, path: str) -> None:
        """Calls for tests: health, and fault rules as those of the shop; `path` is a part of the address."""
        faults, identifier = self.server.faults, path.removeprefix("/_souk/faults").strip("/") or None
        try:
            if path == "/_souk/health":
                result = {"pid": os.getpid()}
            elif self.command in ("PUT", "POST"):
                result = faults.add(json.loads(self.body), instead=self.command == "PUT")
            else:
                result = {"deleted": faults.remove(identifier)} if self.command == "DELETE" else faults.listed()
            self.answer(200, json.dumps(result).encode())
        except ValueError as error:  # invalid JSON, or Malformed
            self.answer(400, f"{error}\n".encode())

    def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def form(kind: str, body: bytes) -> dict[str, str]:
    """The fields of a form."""
    message = email.parser.BytesParser().parsebytes(b"content-type: " + kind.encode() + b"\r\n\r\n" + body)
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True).decode().removesuffix("\r\n")
        for part in message.get_payload()
    }
