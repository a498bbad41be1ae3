"""HTTP: authentication, idempotency keys, faults, and routing."""

import base64
import json
import os
import re
import secrets
import select
import socket
import time
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote, urlsplit

from loopback import LoopbackHandler, LoopbackServer
from payments.api import Api, Refused
from payments.faults import Faults, Rule
from payments.store import Store
from payments.webhooks import event_about

LONGEST_KEY = 255
LOOK_SECONDS = 0.05  # seconds between checks whether the client of a hanging answer is still connected
INTENT = r"/v1/payment_intents/([A-Za-z0-9_]+)"


class Server(LoopbackServer):
    def __init__(self, port: int, store: Store, log: Callable[[str], None], send: Callable[[dict], None]):
        """`send` sends an event to the webhook."""
        super().__init__(port, Handler)
        self.store, self.api, self.faults, self.log, self.send = store, Api(store, self.tell), Faults(), log, send

    def tell(self, kind: str, document: dict) -> None:
        event = event_about(kind, document)
        self.store.write_event(event)
        if not self.faults.loses(kind, json.dumps(event)):
            self.send(event)


class Handler(LoopbackHandler):
    server_version = "souk-payments"
    server: Server

    def handle_any(self) -> None:
        begun = time.monotonic()
        length = int(self.headers.get("content-length") or 0)
        self.body = self.rfile.read(length).decode(errors="replace")
        address = urlsplit(self.path)
        pairs = parse_qsl(address.query, keep_blank_values=True)
        self.query = dict(pairs)
        self.types = [value for name, value in pairs if name == "types[]"]
        self.called = f"{self.command} {address.path}"
        self.status: object = "no answer"
        if address.path.startswith("/_souk/"):
            self.control(address.path)
            return
        self.stripe(address.path)
        milliseconds = round((time.monotonic() - begun) * 1000)
        self.server.log(f"{self.called} {self.key or '-'} {self.status} {milliseconds} ms")

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key") if self.command == "POST" else None

    def stripe(self, path: str) -> None:
        key = self.key
        taken = False
        # The text that is searched for a rule's `contains`.
        text = "\n".join((self.path, key or "", self.body))
        try:
            self.authenticate()
            if rule := self.server.faults.take("before", self.called, text):
                self.suffer(rule)
                return
            if key is not None:
                taken = self.take(key)
            status, body, replayed = self.result(path, key)
            if taken:
                self.server.store.give_back_key(key)
                taken = False
            if rule := self.server.faults.take("after", self.called, text):
                self.suffer(rule)
                return
            self.answer(status, body, {"Idempotent-Replayed": "true"} if replayed else {})
        except Refused as refused:
            self.answer(refused.status, refused.body)
        finally:
            if taken:
                self.server.store.give_back_key(key)

    def authenticate(self) -> None:
        scheme, _space, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            value = base64.b64decode(value.encode() + b"==").decode(errors="replace").partition(":")[0]
        if not re.fullmatch(r"sk_test_\w+", value):
            raise Refused(401, "A secret key that begins with sk_test_ is wanted as the bearer token.")

    def take(self, key: str) -> bool:
        if not 0 < len(key) <= LONGEST_KEY:
            raise Refused(400, f"An idempotency key has 1 to {LONGEST_KEY} characters.", kind="idempotency_error")
        if not self.server.store.take_key(key):
            message = "Another request with this idempotency key is under way."
            raise Refused(409, message, kind="idempotency_error", code="idempotency_key_in_use")
        return True

    @property
    def asked(self) -> str:
        return f"{self.called}\n{self.body}"

    def result(self, path: str, key: str | None) -> tuple[int, dict, bool]:
        """Status and body, and whether they are the stored answer to an earlier request with the key."""
        store = self.server.store
        if key is not None and (known := store.answer(key)):
            if known[0] != self.asked:
                message = "This idempotency key was used before with other parameters."
                raise Refused(400, message, kind="idempotency_error")
            return known[1], known[2], True
        with store.transaction():
            try:
                status, body = 200, self.work(path)
            except Refused as refused:
                if not refused.kept:
                    raise
                status, body = refused.status, refused.body
            if key is not None:
                store.keep_answer(key, self.asked, status, body)
        return status, body, False

    def work(self, path: str) -> dict:
        api = self.server.api
        form = dict(parse_qsl(self.body, keep_blank_values=True))
        if self.called == "POST /v1/payment_intents":
            return api.create(form)
        if self.called == "GET /v1/payment_intents":
            return api.intents(self.query)
        if self.called == "POST /v1/refunds":
            return api.refund(form)
        if self.called == "GET /v1/refunds":
            return api.refunds(self.query)
        if self.called == "GET /v1/disputes":
            return api.disputes(self.query)
        if self.called == "GET /v1/events":
            return api.events(self.query, self.types)
        if self.command == "GET" and (found := re.fullmatch(INTENT, path)):
            return api.find(found[1])
        if self.command == "POST" and (found := re.fullmatch(INTENT + "/(confirm|capture|cancel)", path)):
            return getattr(api, found[2])(found[1], form)
        raise Refused(404, f"There is no call {self.called} here.")

    def suffer(self, rule: Rule) -> None:
        if rule.kind == "status":
            kind = "api_error" if rule.status >= 500 else "invalid_request_error"
            codes = {409: "lock_timeout", 429: "rate_limit"}
            members = {"code": codes[rule.status]} if rule.status in codes else {}
            refused = Refused(rule.status, f"The rule {rule.id} wants this.", kind=kind, **members)
            if rule.kept and self.key:
                self.server.store.keep_answer(self.key, self.asked, rule.status, refused.body)
            retry = {} if rule.should_retry is None else {"Stripe-Should-Retry": str(rule.should_retry).lower()}
            self.answer(rule.status, refused.body, retry)
            return
        while rule.kind == "hang" and not rule.removed.wait(LOOK_SECONDS):
            readable = select.select([self.connection], [], [], 0)[0]
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                break
        self.close_connection = True

    def answer(self, status: int, body, headers: dict[str, str] | None = None) -> None:
        self.status = status
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Request-Id", f"req_{secrets.token_hex(7)}")
        for name in ("idempotency-key", "stripe-version"):
            if name in self.headers:
                self.send_header(name, self.headers[name])
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def control(self, path: str) -> None:
        """The calls for tests, which need no key."""
        faults, api = self.server.faults, self.server.api
        match self.command, path.removeprefix("/_souk/").split("/"):
            case "GET", ["health"]:
                self.answer(200, {"pid": os.getpid()})
            case "GET", ["orders", order_id]:
                self.answer(200, api.order(unquote(order_id)))
            case "PUT", ["refunds", identifier]:
                self.change(api.change_refund, unquote(identifier))
            case "PUT", ["disputes", intent]:
                self.change(api.dispute, unquote(intent))
            case "GET", ["faults"]:
                self.answer(200, faults.listed())
            case "PUT" | "POST", ["faults"]:
                try:
                    self.answer(200, faults.add(json.loads(self.body), instead=self.command == "PUT"))
                except ValueError as fault:  # invalid JSON, or Malformed
                    self.answer(400, {"message": str(fault)})
            case "DELETE", ["faults"]:
                faults.remove()
                self.answer(200, [])
            case "DELETE", ["faults", identifier]:
                found = faults.remove(unquote(identifier))
                self.answer(200 if found else 404, faults.listed())
            case _:
                self.answer(404, {"message": f"there is no {self.command} {path}"})

    def change(self, work: Callable[[str, str], dict], identifier: str) -> None:
        """Gives a refund or a dispute the status in the body."""
        try:
            with self.server.store.transaction():
                changed = work(identifier, json.loads(self.body)["status"])
            self.answer(200, changed)
        except Refused as refused:
            self.answer(refused.status, refused.body)
