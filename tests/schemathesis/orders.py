"""Orders, for hooks.py: existing orders, products that can be ordered, and invariants of every order."""

import functools
import hashlib
import hmac
import json
import secrets
import time

import requests
import schemathesis
from schemathesis.generation.meta import TestPhase
from service import BASE, caller, content_of, mostly, names_nothing, new_product, operation_of, post, somebody_else

GOOD, DECLINED = "pm_card_visa", "pm_card_visa_chargeDeclined"  # the provider's test tokens

SOLD_OUT_PRICE = 1999
PRICE = 100  # of each product of the shelf, in cents: the lowest for a card

placed = set()  # ids of the caller's orders


@functools.cache
def shelf():
    """Products for as many lines as an order may have, in one currency, with a large stock."""
    return [new_product(amount=PRICE, stock=1_000_000_000) for _ in range(50)]


@functools.cache
def sold_out():
    return new_product(amount=SOLD_OUT_PRICE, stock=0)


def sign(case):
    """Signs an event as the payment provider of the local run does."""
    at = int(time.time())
    signed = f"{at}.".encode() + json.dumps(case.body).encode()
    case.headers["Stripe-Signature"] = f"t={at},v1={hmac.new(b'whsec_local', signed, hashlib.sha256).hexdigest()}"


def new_order(customer):
    """The id of a confirmed order."""
    body = {"lines": [{"productId": shelf()[0], "quantity": 1}], "expectedTotal": {"amount": PRICE, "currency": "SGD"}, "paymentMethod": GOOD}
    headers = {"Idempotency-Key": secrets.token_urlsafe(), "Prefer": "wait=10"}
    order = post("/orders", body, customer.token, **headers)["orderId"]
    if customer is caller():
        placed.add(order)
    return order


@functools.cache
def known():
    """The ids of an order of the caller and of an order of another user."""
    return new_order(caller()), new_order(somebody_else())


@functools.cache
def following():
    """Cursors of the caller's list of all orders and of the list of confirmed orders."""
    for _ in range(3):
        new_order(caller())
    cursors = {}
    for status in (None, "confirmed"):
        query = {"limit": 1} | ({"status": status} if status else {})
        headers = {"Authorization": f"Bearer {caller().token}"}
        page = requests.get(f"{BASE}/orders", query, headers=headers, timeout=15).json()
        if "nextCursor" in page:
            cursors[str(status)] = page["nextCursor"]
    return cursors


def mend(case):
    """Products that can be ordered, each once, mostly in stock and at their price; mostly with a valid card and `Prefer: wait`."""
    body = dict(case.body)
    body["lines"] = [{**line, "productId": product} for line, product in zip(body["lines"], shelf())]
    if not mostly(("in stock", body["lines"])):
        body["lines"][-1]["productId"] = sold_out()
    if mostly(("the price", body["lines"])):
        amounts = [line["quantity"] * (PRICE if line["productId"] in shelf() else SOLD_OUT_PRICE) for line in body["lines"]]
        body["expectedTotal"] = {"amount": sum(amounts), "currency": "SGD"}
    if mostly(body["paymentMethod"]):
        body["paymentMethod"] = GOOD if mostly(("good", body["paymentMethod"])) else DECLINED
    if mostly(body):
        case.headers["Prefer"] = "wait=10"
    case.body = body


def mend_id(case, operation, broken):
    """An existing order, mostly the caller's; an order to cancel is mostly not cancelled yet."""
    if names_nothing(case, broken):
        ours, others = known()
        # In a conversation, schemathesis takes an id that a hook has set for the one of the step before, which has to be found.
        in_conversation = case.meta.phase.name == TestPhase.STATEFUL
        if not in_conversation and not mostly(("whose", content_of(case))):
            case.path_parameters["orderId"] = others
        elif operation == "order-cancel" and mostly(("anew", content_of(case))):
            case.path_parameters["orderId"] = new_order(caller())
        else:
            case.path_parameters["orderId"] = ours


def mend_list(query, broken):
    """A cursor of the same list."""
    if query and "cursor" in query and "cursor" not in broken:
        query.pop("cursor")
        status = str(query.get("status"))
        if status in following() and "status" not in broken:
            query["cursor"] = following()[status]


def orders_in(response, case):
    operation = operation_of(case)
    if operation in ("order-place", "order-get", "order-cancel") and response.status_code in (200, 201, 202):
        return [response.json()]
    if operation == "order-list" and response.status_code == 200:
        return response.json()["items"]
    return []


@schemathesis.check
def order_adds_up(ctx, response, case):
    """The lines of an order add up to its total, and its version follows from its status."""
    for order in orders_in(response, case):
        lines, total = order["lines"], order["total"]
        for line in lines:
            assert line["lineTotal"]["amount"] == line["quantity"] * line["unitPrice"]["amount"], f"a line is wrong: {line}"
            assert line["unitPrice"]["currency"] == line["lineTotal"]["currency"] == total["currency"], f"two currencies: {order}"
        assert total["amount"] == sum(line["lineTotal"]["amount"] for line in lines), f"the total is wrong: {order}"
        version = {"pending": 1, "confirmed": 2, "rejected": 2, "cancelled": 3, "paymentFailed": 3}[order["status"]]
        assert order["version"] == version, f"version {order['version']} of an order that is {order['status']}"
        if operation_of(case) != "order-list":
            tag = response.headers.get("etag", [None])[0]
            assert tag == f'"{version}"', f"ETag {tag} of version {version}"


@schemathesis.check
def order_stays_with_its_customer(ctx, response, case):
    """A placed order is found at once by its customer, and by nobody else."""
    if operation_of(case) in ("order-get", "order-cancel"):
        order = case.path_parameters.get("orderId")
        assert not (response.status_code == 404 and order in placed), f"{order} was placed and is not found"
        theirs = known.cache_info().currsize and order == known()[1]
        assert not (theirs and response.status_code in (200, 304, 409)), f"{order} is somebody else's"


@schemathesis.check
def orders_are_those_asked_for(ctx, response, case):
    """A list has the orders with the requested status, newest first, once each."""
    if operation_of(case) == "order-list" and response.status_code == 200:
        items, status = response.json()["items"], (case.query or {}).get("status")
        ids = [order["orderId"] for order in items]
        assert ids == sorted(set(ids), reverse=True), f"not newest first, or twice: {ids}"
        assert status is None or all(order["status"] == status for order in items), f"not all are {status}"
