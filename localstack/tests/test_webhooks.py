"""payments/webhooks.py: events that are signed, and sent until they are taken."""

import hashlib
import hmac
import json
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from payments import webhooks
from payments.webhooks import Webhooks, address_of, event_about


class Endpoint(unittest.TestCase):
    def setUp(self):
        self.taken: list[tuple[str, bytes]] = []
        self.answers = [503, 204]
        self.done = threading.Event()
        test = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                test.taken.append((self.headers["stripe-signature"], body))
                self.send_response(test.answers[min(len(test.taken), len(test.answers)) - 1])
                self.end_headers()
                if len(test.taken) == len(test.answers):
                    test.done.set()

            def log_message(self, *_arguments):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def test_an_event_is_signed_and_sent_until_it_is_taken(self):
        log: list[str] = []
        sender = Webhooks(lambda: f"http://127.0.0.1:{self.server.server_port}{webhooks.PATH}", log.append)
        sender.deliver("evt_1", "refund.failed", b"{}")
        self.assertTrue(self.done.wait(10))
        self.assertEqual(log, ["event refund.failed evt_1 503", "event refund.failed evt_1 204"])
        for header, body in self.taken:
            at, _comma, signature = header.removeprefix("t=").partition(",v1=")
            signed = hmac.new(b"whsec_local", f"{at}.".encode() + body, hashlib.sha256)
            self.assertEqual((signature, body), (signed.hexdigest(), b"{}"))

    def test_the_body_has_the_type_and_the_object(self):
        self.answers = [204]
        sender = Webhooks(lambda: f"http://127.0.0.1:{self.server.server_port}", print)
        sender.send(event_about("refund.failed", {"id": "re_1"}))
        self.assertTrue(self.done.wait(10))
        event = json.loads(self.taken[0][1])
        self.assertEqual((event["type"], event["data"]["object"], event["id"][:4]), ("refund.failed", {"id": "re_1"}, "evt_"))


class Address(unittest.TestCase):
    def test_it_is_that_of_the_instance_once_there_is_one(self):
        directory = Path(tempfile.mkdtemp(prefix="souk-test-"))
        address = address_of(directory)
        self.assertIsNone(address())
        for record, expected in (("{}", None), ('{"baseUrl": "http://x:1"}', "http://x:1/payments/webhook"), ("{", None)):
            (directory / "instance.json").write_text(record)
            self.assertEqual(address(), expected)
