"""HTTP: the pages, conditional requests, the flash sale, and the calls for tests."""

import hashlib
import json
import os
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from urllib.parse import parse_qs, unquote, urlsplit

from loopback import LoopbackHandler, LoopbackServer, Malformed
from shop import pages
from shop.faults import Faults, Rule
from shop.stock import SKU, Stock

PAGE = "text/html; charset=utf-8"
LIST = "application/ld+json"
WEBHOOK = r"/webhooks/([a-z0-9-]+)"
SESSION_ITEMS = r"/flash-sale/sessions/([^/]+)/items"


class Server(LoopbackServer):
    def __init__(self, port: int, stock: Stock, log: Callable[[str], None]):
        super().__init__(port, Handler)
        self.stock, self.faults, self.log = stock, Faults(), log
        self.lock, self.requests, self.not_modified = threading.Lock(), Counter(), Counter()
        self.calls: dict[str, list[dict]] = defaultdict(list)

    def count(self, counter: Counter, path: str) -> None:
        with self.lock:
            counter[path] += 1


class Handler(LoopbackHandler):
    server_version = "souk-shop"
    server: Server

    def handle_any(self) -> None:
        begun = time.monotonic()
        length = int(self.headers.get("content-length") or 0)
        self.body = self.rfile.read(length).decode(errors="replace")
        address = urlsplit(self.path)
        self.query = parse_qs(address.query)
        if address.path.startswith("/_souk/"):
            self.control(unquote(address.path))
            return
        self.server.count(self.server.requests, self.path)
        if rule := self.server.faults.take(self.path):
            rule.removed.wait(rule.delaySeconds)
        self.status: object = "no answer"
        if rule and rule.status is not None:
            self.fail(rule)
        else:
            self.shop(unquote(address.path))
        milliseconds = round((time.monotonic() - begun) * 1000)
        self.server.log(f"{self.command} {self.path} {self.status} {milliseconds} ms")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def fail(self, rule: Rule) -> None:
        headers = {} if rule.retryAfter is None else {"Retry-After": rule.retryAfter}
        if 300 <= rule.status < 400:
            headers["Location"] = self.path
        self.answer(rule.status, PAGE, f"The rule {rule.id} wants this.\n", headers)

    def shop(self, path: str) -> None:
        stock = self.server.stock
        if self.command == "POST" and (found := re.fullmatch(WEBHOOK, path)):
            headers = {name.lower(): value for name, value in self.headers.items()}
            with self.server.lock:
                self.server.calls[found[1]].append({"headers": headers, "body": self.body})
            self.answer(204, None, "")
        elif self.command not in ("GET", "HEAD"):
            self.answer(405, PAGE, "This shop only shows pages.\n", {"Allow": "GET, HEAD"})
        elif path == "/robots.txt":
            self.answer(200, "text/plain; charset=utf-8", pages.ROBOTS)
        elif (found := re.fullmatch(f"/(?:item|private)/({SKU})", path)) and (item := stock.item(found[1])):
            self.show(PAGE, pages.page(self.base, found[1], item))
        elif path == "/flash-sale":
            self.show(LIST, json.dumps(pages.sale(self.base, stock.sessions)))
        elif (found := re.fullmatch(SESSION_ITEMS, path)) and (answer := self.sale_page(found[1])):
            self.show(LIST, json.dumps(answer[0]), {"Link": answer[1]})
        else:
            self.answer(404, PAGE, "There is no such page.\n")

    def sale_page(self, identifier: str) -> tuple[dict, str] | None:
        [number] = self.query.get("page", ["1"])[:1]
        session = next((one for one in self.server.stock.sessions if one["id"] == identifier), None)
        if session is None or not number.isdecimal():
            return None
        return pages.sale_page(self.base, session, self.server.stock.items, int(number))

    def show(self, content_type: str, text: str, headers: dict[str, str] | None = None) -> None:
        """Answers with the text, or with 304 if the client has it."""
        etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
        headers = {"ETag": etag} | (headers or {})
        if self.headers.get("if-none-match") == etag:
            self.server.count(self.server.not_modified, self.path)
            self.answer(304, None, "", headers)
        else:
            self.answer(200, content_type, text, headers)

    def answer(self, status: int, content_type: str | None, text: str, headers: dict[str, str] | None = None) -> None:
        self.status = status
        content = text.encode()
        self.send_response(status)
        if content_type is not None:
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def control(self, path: str) -> None:
        """The calls for tests."""
        try:
            status, document = self.controlled(path)
        except ValueError as fault:  # invalid JSON, or Malformed
            status, document = 400, {"message": str(fault)}
        self.answer(status, "application/json", json.dumps(document))

    def controlled(self, path: str) -> tuple[int, object]:
        stock, faults = self.server.stock, self.server.faults
        match self.command, path.removeprefix("/_souk/").split("/"):
            case "GET", ["health"]:
                return 200, {"pid": os.getpid()}
            case "GET", ["items", sku] if item := stock.item(sku):
                return 200, self.shown(sku, item)
            case "PUT", ["items", sku]:
                return 200, self.shown(sku, stock.put(sku, json.loads(self.body)))
            case "DELETE", ["items", sku]:
                return (200 if stock.delete(sku) else 404), {}
            case "GET", ["webhooks", name]:
                with self.server.lock:
                    return 200, list(self.server.calls[name])
            case "GET", ["requests"]:
                with self.server.lock:
                    return 200, dict(self.server.requests)
            case "PUT", ["flash-sale"]:
                document = json.loads(self.body)
                if not isinstance(document, dict) or document.keys() != {"sessions"}:
                    raise Malformed("an object with the member sessions is wanted")
                stock.put_sale(document["sessions"])
                return 200, {"url": f"{self.base}/flash-sale"}
            case "GET", ["faults"]:
                return 200, faults.listed()
            case "PUT" | "POST", ["faults"]:
                return 200, faults.add(json.loads(self.body), instead=self.command == "PUT")
            case "DELETE", ["faults"]:
                faults.remove()
                return 200, []
            case "DELETE", ["faults", identifier]:
                found = faults.remove(identifier)
                return (200 if found else 404), faults.listed()
        return 404, {"message": f"there is no {self.command} {path}"}

    def shown(self, sku: str, item: dict) -> dict:
        path = f"/item/{sku}"
        with self.server.lock:
            counts = {"requests": self.server.requests[path], "notModified": self.server.not_modified[path]}
        return {"url": f"{self.base}{path}", **item, **counts}
