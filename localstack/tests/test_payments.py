"""payments/: the payment provider, and run/payments.py, which starts it."""

import http.client
import json
import os
import signal
import sqlite3
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from payments.server import Server
from payments.store import KEPT_SECONDS, Store
from tests.project import Project

KEY = "sk_test_local"
BEGIN = {"amount": "650", "currency": "sgd", "capture_method": "manual", "metadata[order_id]": "order-1"}


def call(url: str, method: str, path: str, form=None, key: str | None = None, secret: str = KEY, timeout: float = 10):
    """(status, headers, body) of one call; `form` may be text."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)
    headers = {"authorization": f"Bearer {secret}"} | ({"idempotency-key": key} if key else {})
    try:
        connection.request(method, path, form if isinstance(form, str) else urlencode(form or {}), headers)
        response = connection.getresponse()
        return response.status, response.headers, json.load(response)
    finally:
        connection.close()


class Provider(unittest.TestCase):
    def setUp(self):
        self.file = Path(tempfile.mkdtemp(prefix="souk-test-")) / "payments.sqlite"
        self.events: list[tuple[str, str, str]] = []
        self.start()

    def send(self, event: dict):
        document = event["data"]["object"]
        self.events.append((event["type"], document["id"], document["status"]))

    def start(self):
        self.server = Server(0, Store(self.file), log=lambda line: None, send=self.send)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(self.stop, self.server)

    def stop(self, server):
        server.faults.remove()
        server.shutdown()
        server.server_close()

    def post(self, path: str, form=None, **options):
        return call(self.url, "POST", f"/v1/{path}", form, **options)

    def get(self, path: str):
        return call(self.url, "GET", f"/v1/{path}")[2]

    def done(self, path: str, form=None, **options) -> dict:
        status, _headers, body = self.post(path, form, **options)
        self.assertEqual(status, 200, body)
        return body

    def refused(self, path: str, form=None, status: int = 400, **options) -> dict:
        found, _headers, body = self.post(path, form, **options)
        self.assertEqual(found, status, body)
        return body["error"]

    def begun(self, **members: str) -> str:
        return self.done("payment_intents", BEGIN | members)["id"]

    def step(self, intent: str, name: str, form=None, **options) -> dict:
        return self.done(f"payment_intents/{intent}/{name}", form, **options)

    def authorized(self, method: str = "pm_card_visa") -> str:
        intent = self.begun()
        self.step(intent, "confirm", {"payment_method": method, "error_on_requires_action": "true"})
        return intent

    def changed(self, what: str, status: str, expected: int = 200) -> dict:
        found, _headers, body = call(self.url, "PUT", f"/_souk/{what}", json.dumps({"status": status}))
        self.assertEqual(found, expected, body)
        return body

    def fault(self, *rules: dict):
        status, _headers, body = call(self.url, "PUT", "/_souk/faults", json.dumps(rules))
        self.assertEqual(status, 200, body)


class Life(Provider):
    def test_money_is_held_then_taken_then_given_back(self):
        begun = self.done("payment_intents", BEGIN | {"payment_method_types[]": "card"})
        self.assertEqual((begun["status"], begun["amount"], begun["metadata"]["order_id"]),
                         ("requires_payment_method", 650, "order-1"))  # fmt: skip
        held = self.step(begun["id"], "confirm", {"payment_method": "pm_card_mastercard"})
        self.assertEqual((held["status"], held["amount_capturable"], held["amount_received"]),
                         ("requires_capture", 650, 0))  # fmt: skip
        taken = self.step(begun["id"], "capture")
        self.assertEqual((taken["status"], taken["amount_capturable"], taken["amount_received"]), ("succeeded", 0, 650))
        refund = self.done("refunds", {"payment_intent": begun["id"]})
        self.assertEqual((refund["object"], refund["amount"], refund["status"]), ("refund", 650, "succeeded"))
        error = self.refused("refunds", {"payment_intent": begun["id"]})
        self.assertEqual(error["code"], "charge_already_refunded")
        self.assertEqual(self.get(f"refunds?payment_intent={begun['id']}")["data"], [refund])

    def test_what_is_cancelled_is_over(self):
        for intent in (self.begun(), self.authorized()):
            canceled = self.step(intent, "cancel")
            self.assertEqual((canceled["status"], canceled["amount_capturable"]), ("canceled", 0))
            for name, form in (("cancel", {}), ("capture", {}), ("confirm", {"payment_method": "pm_card_visa"})):
                error = self.refused(f"payment_intents/{intent}/{name}", form)
                self.assertEqual(error["code"], "payment_intent_unexpected_state")
                self.assertEqual(error["payment_intent"]["status"], "canceled")

    def test_a_refund_that_fails_later_can_be_made_again(self):
        intent = self.authorized()
        self.step(intent, "capture")
        first = self.done("refunds", {"payment_intent": intent})["id"]
        self.changed(f"refunds/{first}", "failed")
        self.assertEqual(self.events, [(kind, first, "failed") for kind in ("charge.refund.updated", "refund.failed")])
        second = self.done("refunds", {"payment_intent": intent})
        self.assertEqual((second["amount"], second["status"]), (650, "succeeded"))
        self.assertEqual(self.refused("refunds", {"payment_intent": intent})["code"], "charge_already_refunded")
        self.changed("refunds/re_none", "failed", 400)
        self.changed(f"refunds/{first}", "gone", 400)

    def test_a_disputed_payment_is_not_refunded_until_the_dispute_is_won(self):
        intent = self.authorized()
        self.changed(f"disputes/{intent}", "needs_response", 400)
        self.step(intent, "capture")
        self.assertEqual(self.get(f"disputes?payment_intent={intent}")["data"], [])
        for status in ("needs_response", "lost"):
            dispute = self.changed(f"disputes/{intent}", status)["id"]
            self.assertEqual(self.refused("refunds", {"payment_intent": intent})["code"], "charge_disputed")
        [shown] = self.get(f"disputes?payment_intent={intent}")["data"]
        self.assertEqual((shown["id"], shown["status"], shown["payment_intent"]), (dispute, "lost", intent))
        self.changed(f"disputes/{intent}", "won")
        self.done("refunds", {"payment_intent": intent})
        self.assertEqual(self.events, [("charge.dispute.created", dispute, "needs_response"),
                                       ("charge.dispute.closed", dispute, "lost"),
                                       ("charge.dispute.closed", dispute, "won")])  # fmt: skip

    def test_events_are_listed_whether_or_not_they_are_sent(self):
        intent = self.begun()
        self.step(intent, "cancel")
        self.fault({"kind": "lose", "path": "refund", "times": 1})
        paid = self.authorized()
        self.step(paid, "capture")
        refund = self.done("refunds", {"payment_intent": paid})["id"]
        self.changed(f"refunds/{refund}", "failed")
        self.assertEqual([kind for kind, _id, _status in self.events], ["payment_intent.canceled", "refund.failed"])
        kinds = ["refund.failed", "charge.refund.updated", "payment_intent.canceled"]
        listed = self.get("events?limit=2")
        self.assertEqual(([event["type"] for event in listed["data"]], listed["has_more"]), (kinds[:2], True))
        rest = self.get(f"events?starting_after={listed['data'][1]['id']}")
        self.assertEqual([event["type"] for event in rest["data"]], kinds[2:])
        self.assertEqual(listed["data"][0]["data"]["object"]["id"], refund)
        two = self.get(f"events?types[]={kinds[2]}&types[]={kinds[0]}")["data"]
        self.assertEqual([event["type"] for event in two], [kinds[0], kinds[2]])
        created = two[1]["created"]
        for query, count in ((f"created[gte]={created}", 3), (f"created[lt]={created}", 0), ("created[gte]=9999999999", 0)):
            self.assertEqual(len(self.get(f"events?{query}")["data"]), count, query)
        self.assertEqual(self.get("events?" + "types[]=x&" * 21)["error"]["param"], "types")

    def test_steps_out_of_turn(self):
        intent = self.begun()
        for path, form in ((f"payment_intents/{intent}/capture", {}), (f"payment_intents/{intent}/confirm", {}),
                           ("refunds", {"payment_intent": intent})):  # fmt: skip
            self.assertEqual(self.refused(path, form)["code"], "payment_intent_unexpected_state")
        intent = self.authorized()
        self.refused(f"payment_intents/{intent}/confirm", {"payment_method": "pm_card_visa"})
        self.step(intent, "capture")
        for name in ("capture", "cancel"):
            self.refused(f"payment_intents/{intent}/{name}")

    def test_a_part_can_be_captured_and_refunded(self):
        intent = self.authorized()
        self.assertEqual(self.step(intent, "capture", {"amount_to_capture": "600"})["amount_received"], 600)
        self.done("refunds", {"payment_intent": intent, "amount": "250"})
        self.refused("refunds", {"payment_intent": intent, "amount": "351"})
        self.assertEqual(self.done("refunds", {"payment_intent": intent})["amount"], 350)

    def test_declined_payments(self):
        for method, code, decline_code in (
            ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
            ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
            ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
            ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
            ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
            ("pm_card_authenticationRequired", "authentication_required", "authentication_not_handled"),
        ):
            intent = self.begun()
            form = {"payment_method": method, "error_on_requires_action": "true"}
            error = self.refused(f"payment_intents/{intent}/confirm", form, status=402)
            self.assertEqual((error["type"], error["code"], error["decline_code"]), ("card_error", code, decline_code))
            self.assertEqual(error["payment_intent"]["status"], "requires_payment_method")
            kept = self.get(f"payment_intents/{intent}")
            self.assertEqual((kept["last_payment_error"]["code"], kept["amount_capturable"]), (code, 0))
            held = self.step(intent, "confirm", {"payment_method": "pm_card_visa"})
            self.assertEqual((held["status"], held["last_payment_error"]), ("requires_capture", None))

    def test_an_authentication_may_also_be_waited_for(self):
        intent = self.begun()
        waiting = self.step(intent, "confirm", {"payment_method": "pm_card_threeDSecure2Required"})
        self.assertEqual(waiting["status"], "requires_action")
        self.step(intent, "cancel")

    def test_bad_requests(self):
        for members, code, param in (
            ({"amount": "49"}, "amount_too_small", "amount"),
            ({"amount": "100000000"}, "amount_too_large", "amount"),
            ({"amount": "6.5"}, "parameter_invalid_integer", "amount"),
            ({"currency": "kpw"}, None, "currency"),
            ({"currency": "isk", "amount": "550"}, None, "amount"),
            ({"currency": "kwd", "amount": "5124"}, None, "amount"),
            ({"amuont": "1"}, "parameter_unknown", "amuont"),
            ({"payment_method": "pm_unknown"}, "resource_missing", "payment_method"),
            ({"payment_method_types[]": "sepa_debit"}, None, "payment_method_types"),
        ):
            error = self.refused("payment_intents", BEGIN | members)
            self.assertEqual((error.get("code"), error["param"]), (code, param))
        self.assertEqual(self.refused("payment_intents", {"currency": "sgd"})["code"], "parameter_missing")
        self.assertEqual(self.refused("payment_intents/pi_0/cancel", status=404)["code"], "resource_missing")
        self.assertEqual(self.refused("refunds", {"payment_intent": "pi_0"})["code"], "resource_missing")
        self.refused("charges", status=404)
        self.assertEqual(self.get("payment_intents")["data"], [])

    def test_a_test_key_is_wanted(self):
        for secret in ("", "unset", "sk_live_x", "pk_test_x"):
            self.refused("payment_intents", BEGIN, status=401, secret=secret, key="k")
        self.done("payment_intents", BEGIN, key="k")
        basic = {"authorization": "Basic c2tfdGVzdF94Og=="}  # as `curl -u sk_test_x:` sends it
        request = urllib.request.Request(f"{self.url}/v1/payment_intents", headers=basic)
        with urllib.request.urlopen(request) as response:
            self.assertEqual(len(json.load(response)["data"]), 1)

    def test_lists_are_pages_with_the_newest_first(self):
        made = [self.begun() for _ in range(3)]
        first = self.get("payment_intents?limit=2")
        self.assertEqual([intent["id"] for intent in first["data"]], made[:0:-1])
        self.assertTrue(first["has_more"])
        second = self.get(f"payment_intents?limit=2&starting_after={made[1]}")
        self.assertEqual(([intent["id"] for intent in second["data"]], second["has_more"]), (made[:1], False))

    def test_an_order_has_all_its_intents(self):
        intent = self.authorized()
        self.step(intent, "capture")
        self.done("refunds", {"payment_intent": intent})
        other = self.begun()
        self.begun(**{"metadata[order_id]": "order-2"})
        first, second = call(self.url, "GET", "/_souk/orders/order-1")[2]["intents"]
        self.assertEqual((first["id"], first["status"], first["amount_received"]), (intent, "succeeded", 650))
        self.assertEqual([refund["amount"] for refund in first["refunds"]], [650])
        self.assertEqual((second["id"], second["refunds"]), (other, []))

    def test_nothing_is_forgotten(self):
        intent = self.done("payment_intents", BEGIN, key="k")["id"]
        self.stop(self.server)
        self.start()
        self.assertEqual(self.done("payment_intents", BEGIN, key="k")["id"], intent)
        self.assertEqual(self.get(f"payment_intents/{intent}")["amount"], 650)


class Keys(Provider):
    def test_an_answer_is_repeated_and_the_work_is_not(self):
        first = self.post("payment_intents", BEGIN, key="k")
        second = self.post("payment_intents", BEGIN, key="k")
        self.assertEqual(first[2], second[2])
        self.assertEqual((first[1]["idempotent-replayed"], second[1]["idempotent-replayed"]), (None, "true"))
        self.assertNotEqual(first[1]["request-id"], second[1]["request-id"])
        self.assertEqual(len(self.get("payment_intents")["data"]), 1)

    def test_a_decline_is_repeated_even_when_the_intent_has_gone_on(self):
        intent = self.begun()
        path, declined = f"payment_intents/{intent}/confirm", {"payment_method": "pm_card_visa_chargeDeclined"}
        first = self.refused(path, declined, status=402, key="a")
        self.step(intent, "confirm", {"payment_method": "pm_card_visa"}, key="b")
        self.assertEqual(self.refused(path, declined, status=402, key="a"), first)

    def test_another_request_with_the_key_is_refused(self):
        self.done("payment_intents", BEGIN, key="k")
        for path, form in (("payment_intents", BEGIN | {"amount": "651"}), ("refunds", BEGIN)):
            self.assertEqual(self.refused(path, form, key="k")["type"], "idempotency_error")
        self.assertEqual(self.refused("payment_intents", BEGIN, key="k" * 256)["type"], "idempotency_error")

    def test_a_key_that_is_in_use_is_a_conflict(self):
        self.assertTrue(self.server.store.take_key("k"))
        error = self.refused("payment_intents", BEGIN, status=409, key="k")
        self.assertEqual(error["code"], "idempotency_key_in_use")
        self.server.store.give_back_key("k")
        self.done("payment_intents", BEGIN, key="k")

    def test_what_parameters_alone_lead_to_is_not_kept(self):
        self.refused("payment_intents", BEGIN | {"amount": "1"}, key="k")
        self.done("payment_intents", BEGIN, key="k")

    def test_keys_expire(self):
        first = self.done("payment_intents", BEGIN, key="k")["id"]
        with sqlite3.connect(self.file) as connection:
            connection.execute("UPDATE answers SET at = at - ?", (KEPT_SECONDS + 1,))
        connection.close()
        self.assertNotEqual(self.done("payment_intents", BEGIN, key="k")["id"], first)

    def test_one_of_many_at_once_does_the_work(self):
        intent = self.authorized()
        found = []

        def capture():
            found.append(self.post(f"payment_intents/{intent}/capture")[0])

        threads = [threading.Thread(target=capture) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(found), [200] + [400] * 7)


class Faults(Provider):
    def count(self) -> int:
        return len(self.get("payment_intents")["data"])

    def test_a_lost_answer(self):
        for when, made in (("before", 0), ("after", 1)):
            self.fault({"kind": "drop", "path": "POST /v1/payment_intents", "when": when, "times": 1})
            with self.assertRaises(ConnectionError):
                self.post("payment_intents", BEGIN, key=when)
            self.assertEqual(self.count(), made)
        _status, headers, _body = self.post("payment_intents", BEGIN, key="after")
        self.assertEqual((headers["idempotent-replayed"], self.count()), ("true", 1))

    def test_silence(self):
        for when, made in (("before", 0), ("after", 1)):
            self.fault({"kind": "hang", "when": when, "times": 1})
            with self.assertRaises(TimeoutError):
                self.post("payment_intents", BEGIN, timeout=0.2)
            self.assertEqual(self.count(), made)

    def test_what_hangs_ends_with_its_rule(self):
        self.fault({"kind": "hang", "times": 1})
        found = []

        def post():
            try:
                self.post("payment_intents", BEGIN)
            except ConnectionError:
                found.append("ended")

        thread = threading.Thread(target=post)
        thread.start()
        while not call(self.url, "GET", "/_souk/faults")[2][0]["fired"]:
            time.sleep(0.01)
        call(self.url, "DELETE", "/_souk/faults")
        thread.join(10)
        self.assertEqual(found, ["ended"])

    def test_errors(self):
        for status, code in ((429, "rate_limit"), (409, "lock_timeout"), (500, None), (503, None)):
            self.fault({"kind": "status", "status": status, "shouldRetry": status != 500, "times": 1})
            found, headers, body = self.post("payment_intents", BEGIN, key=str(status))
            self.assertEqual((found, body["error"].get("code")), (status, code))
            self.assertEqual(headers["stripe-should-retry"], "false" if status == 500 else "true")
            self.assertIsNone(self.post("payment_intents", BEGIN, key=str(status))[1]["idempotent-replayed"])

    def test_an_error_that_is_kept_for_the_key(self):
        for when, made in (("before", 0), ("after", 1)):
            self.fault({"kind": "status", "when": when, "kept": True, "times": 1})
            self.refused("payment_intents", BEGIN, status=500, key=when)
            status, headers, _body = self.post("payment_intents", BEGIN, key=when)
            self.assertEqual((status, headers["idempotent-replayed"], self.count()), (500, "true", made))

    def test_which_requests_a_rule_is_about(self):
        self.fault({"kind": "status", "path": "/confirm"},
                   {"id": "x", "kind": "status", "contains": ["order-2", "k-2"]})  # fmt: skip
        self.begun()
        self.done("payment_intents", BEGIN | {"metadata[order_id]": "order-2"}, key="k-1")
        self.refused("payment_intents", BEGIN | {"metadata[order_id]": "order-2"}, status=500, key="k-2")
        listed = call(self.url, "DELETE", "/_souk/faults/x")[2]
        self.assertEqual([(rule["path"], rule["fired"]) for rule in listed], [("/confirm", 0)])
        self.done("payment_intents", BEGIN | {"metadata[order_id]": "order-2"}, key="k-2")
        added = call(self.url, "POST", "/_souk/faults", json.dumps({"kind": "drop"}))[2]
        self.assertEqual(len(added), 1)
        self.assertEqual(len(call(self.url, "GET", "/_souk/faults")[2]), 2)

    def test_rules_that_are_none(self):
        for rule in ("no JSON", {}, {"kind": "burn"}, {"kind": "drop", "when": "later"}, {"kind": "drop", "times": -1},
                     {"kind": "drop", "status": 500}, {"kind": "status", "status": 200}, {"kind": "hang", "path": 1},
                     {"kind": "status", "kept": 3}, [{"kind": "drop"}, {"kind": "burn"}]):  # fmt: skip
            body = rule if isinstance(rule, str) else json.dumps(rule)
            self.assertEqual(call(self.url, "PUT", "/_souk/faults", body)[0], 400, rule)
        self.assertEqual(call(self.url, "GET", "/_souk/faults")[2], [])
        self.assertEqual(call(self.url, "DELETE", "/_souk/faults/x")[0], 404)
        self.assertEqual(call(self.url, "GET", "/_souk/x")[0], 404)


class Started(Project):
    def environment(self) -> dict:
        return self.get("/a")["process"]["environment"]

    def begin(self) -> str:
        status, _headers, body = call(self.record()["paymentsUrl"], "POST", "/v1/payment_intents", BEGIN, key="k")
        self.assertEqual(status, 200, body)
        return body["id"]

    def test_up_starts_it_and_down_stops_it(self):
        self.up("--no-cache")
        url, pid = self.record()["paymentsUrl"], self.record()["paymentsPid"]
        self.assertEqual(self.environment()["PAYMENTS_URL"], url)
        self.assertEqual(self.environment()["SECRET_KEY"], KEY)
        intent = self.begin()
        self.assertNotIn("deploying", self.up("--no-cache").stdout)
        self.assertEqual(self.record()["paymentsPid"], pid)
        self.command("down")
        self.assert_nothing_runs()
        self.assertIsNone(self.record()["paymentsPid"])

        self.up("--no-cache")
        self.assertEqual((self.record()["paymentsUrl"], self.begin()), (url, intent))
        os.kill(self.record()["paymentsPid"], signal.SIGKILL)
        self.assertNotIn("deploying", self.up("--no-cache").stdout)
        self.assertEqual(self.begin(), intent)
        program = self.root / "localstack" / "payments" / "cards.py"
        program.write_text(program.read_text() + "\n# changed\n")
        pid = self.record()["paymentsPid"]
        self.up("--no-cache")
        self.assertNotEqual(self.record()["paymentsPid"], pid)
        self.assertEqual(self.begin(), intent)

        self.up("--no-cache", "--fresh")
        self.assertNotEqual(self.begin(), intent)
        self.assertIn("POST /v1/payment_intents k 200", (self.root / ".souk/local/payments.log").read_text())
