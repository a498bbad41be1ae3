"""shop/: the shop that is watched."""

import http.client
import json
import re
import tempfile
import threading
import time
import unittest
from pathlib import Path
from urllib.parse import urlsplit

from shop.server import Server
from shop.stock import Stock


class TheShop(unittest.TestCase):
    def setUp(self):
        self.file = Path(tempfile.mkdtemp(prefix="souk-test-")) / "shop.json"
        self.server = Server(0, Stock(self.file), log=lambda line: None)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(self.stop)

    def stop(self):
        self.server.faults.remove()
        self.server.shutdown()
        self.server.server_close()

    def call(self, method: str, path: str, document=None, headers=None):
        """(status, headers, text) of one call."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
        try:
            body = document if isinstance(document, str) else json.dumps(document)
            connection.request(method, path, None if document is None else body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    def control(self, method: str, path: str, document=None, status: int = 200):
        answer = self.call(method, f"/_souk/{path}", document)
        self.assertEqual(answer[0], status, answer[2])
        return json.loads(answer[2])

    def test_each_markup_states_name_price_and_availability(self):
        for markup in ("json-ld", "microdata", "opengraph"):
            self.control("PUT", "items/a", {"name": "Tea <b>", "price": "1.50", "currency": "EUR", "markup": markup})
            status, headers, text = self.call("GET", "/item/a")
            self.assertEqual((status, headers["content-type"]), (200, "text/html; charset=utf-8"))
            for part in ("1.50", "EUR", "InStock"):
                self.assertIn(part, text, markup)
            self.assertRegex(text, re.escape("Tea <b>") if markup == "json-ld" else "Tea &lt;b&gt;")
        self.control("PUT", "items/a", {"markup": "none"})
        self.assertNotRegex(self.call("GET", "/item/a")[2], "schema.org|product:price")

    def test_an_item_without_a_price_states_none(self):
        for markup in ("json-ld", "microdata", "opengraph"):
            self.control("PUT", "items/a", {"price": None, "availability": "OutOfStock", "markup": markup})
            self.assertNotIn("rice", self.call("GET", "/item/a")[2])

    def test_a_page_that_has_not_changed_is_not_sent_again(self):
        etag = self.call("GET", "/item/sencha")[1]["etag"]
        status, headers, text = self.call("GET", "/item/sencha", headers={"if-none-match": etag})
        self.assertEqual((status, headers["etag"], text), (304, etag, ""))
        self.control("PUT", "items/sencha", {"price": "11.90"})
        status, headers, text = self.call("GET", "/item/sencha", headers={"if-none-match": etag})
        self.assertEqual(status, 200)
        self.assertIn("11.90", text)
        shown = self.control("GET", "items/sencha")
        self.assertEqual((shown["requests"], shown["notModified"], shown["price"]), (3, 1, "11.90"))
        self.assertEqual(shown["url"], f"{self.url}/item/sencha")
        self.assertEqual(self.control("GET", "requests"), {"/item/sencha": 3})

    def test_items_are_there_after_a_restart(self):
        self.control("PUT", "items/a", {"price": "3.00"})
        self.assertEqual(Stock(self.file).item("a")["price"], "3.00")
        self.control("DELETE", "items/a")
        self.assertEqual(self.call("GET", "/item/a")[0], 404)
        self.assertIsNone(Stock(self.file).item("a"))

    def test_robots_txt_disallows_private_pages(self):
        self.assertIn("Disallow: /private/", self.call("GET", "/robots.txt")[2])
        self.assertEqual(self.call("GET", "/private/sencha")[0], 200)

    def test_calls_of_webhooks_are_taken_and_listed(self):
        self.assertEqual(self.call("GET", "/_souk/webhooks/ada")[2], "[]")
        status, _, _ = self.call("POST", "/webhooks/ada", '{"a": 1}', {"Webhook-Id": "msg_1"})
        [call] = json.loads(self.call("GET", "/_souk/webhooks/ada")[2])
        self.assertEqual((status, call["headers"]["webhook-id"], call["body"]), (204, "msg_1", '{"a": 1}'))
        self.assertEqual(self.call("POST", "/item/sencha", "{}")[0], 405)

    def test_faults(self):
        rule = {"id": "busy", "path": "/item/a", "status": 503, "retryAfter": "120", "times": 1}
        self.control("PUT", "items/a", {})
        self.control("PUT", "faults", [rule])
        status, headers, _text = self.call("GET", "/item/a")
        self.assertEqual((status, headers["retry-after"]), (503, "120"))
        self.assertEqual(self.call("GET", "/item/a")[0], 200)
        self.assertEqual(self.control("GET", "faults")[0]["fired"], 1)
        self.control("POST", "faults", {"id": "slow", "delaySeconds": 0.1})
        begun = time.monotonic()
        self.assertEqual(self.call("GET", "/item/sencha")[0], 200)
        self.assertGreaterEqual(time.monotonic() - begun, 0.1)
        self.control("DELETE", "faults/slow")
        self.control("DELETE", "faults/slow", status=404)

    def test_a_flash_sale_is_listed_by_session_and_page(self):
        items = [{"sku": f"f{number}", "price": f"{number}.00"} for number in range(1, 6)]
        session = {"id": "now", "name": "Noon", "startsAt": "2026-11-21T12:00:00Z", "endsAt": "2026-11-21T13:00:00Z"}
        sale = self.control("PUT", "flash-sale", {"sessions": [{**session, "pageSize": 2, "items": items}]})
        status, headers, text = self.call("GET", urlsplit(sale["url"]).path)
        self.assertEqual((status, headers["content-type"]), (200, "application/ld+json"))
        event = json.loads(text)["itemListElement"][0]["item"]
        self.assertEqual((event["@type"], event["identifier"], event["startDate"]), ("SaleEvent", "now", session["startsAt"]))
        path = urlsplit(event["url"]).path
        found, links = [], []
        for number in (1, 2, 3):
            _status, headers, text = self.call("GET", f"{path}?page={number}")
            links.append(re.findall(r'page=(\d+)>; rel="(\w+)"', headers["link"]))
            found += [element["item"] for element in json.loads(text)["itemListElement"]]
        self.assertEqual(links, [[("2", "next"), ("3", "last")], [("3", "next"), ("3", "last")], [("3", "last")]])
        self.assertEqual([each["offers"]["price"] for each in found], [f"{number}.00" for number in range(1, 6)])
        self.assertEqual(found[0]["url"], f"{self.url}/item/f1")
        for wrong in ("?page=4", "?page=0", "?page=x"):
            self.assertEqual(self.call("GET", path + wrong)[0], 404)
        self.assertEqual(self.call("GET", "/item/f1")[0], 200)
        others = [{"@type": "Product", "url": "https://other.example/item"}]
        self.control("PUT", "flash-sale", {"sessions": [{**session, "items": ["f1"], "others": others}]})
        listed = json.loads(self.call("GET", path)[2])["itemListElement"]
        self.assertEqual([element["item"]["url"] for element in listed], [f"{self.url}/item/f1", others[0]["url"]])

    def test_wrong_calls_are_refused_and_change_nothing(self):
        for path, document in (
            ("items/a", {"price": 3}),
            ("items/a", {"colour": "red"}),
            ("items/a", {"markup": "pdf"}),
            ("items/a", "{"),
            ("faults", [{"status": 99}]),
            ("faults", {"kind": "x"}),
            ("flash-sale", {"sessions": [{"id": "x"}]}),
            ("flash-sale", []),
        ):
            self.assertIn("message", self.control("PUT", path, document, status=400))
        self.assertEqual(self.call("GET", "/item/a")[0], 404)
        self.assertEqual(self.control("GET", "faults"), [])
        self.control("GET", "nothing", status=404)
        self.assertEqual(self.call("POST", "/item/sencha", {})[0], 405)
