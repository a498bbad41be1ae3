"""The calls: the life cycle of a PaymentIntent, and refunds."""

import math
import re
import secrets
import time
from collections.abc import Callable

from payments import amounts
from payments.cards import KNOWN, Card
from payments.store import Store

MOST_TYPES = 20  # of events in one request
CONFIRMABLE = ("requires_payment_method", "requires_confirmation")
REFUND_STATUSES = ("pending", "succeeded", "failed")
DISPUTE_STATUSES = ("needs_response", "won", "lost")
CANCELABLE = (*CONFIRMABLE, "requires_action", "requires_capture", "processing")


class Refused(Exception):
    """An error answer. If it follows from the parameters alone, it is not stored for the idempotency key."""

    def __init__(self, status: int, message: str, kept: bool = False, kind: str = "invalid_request_error", **members):
        super().__init__(message)
        self.status, self.kept = status, kept
        self.body = {"error": {"type": kind, "message": message, **members}}


def unexpected(intent: dict, wanted: str) -> Refused:
    message = f"This PaymentIntent's status is {intent['status']}; this call takes one of {wanted}."
    return Refused(400, message, kept=True, code="payment_intent_unexpected_state", payment_intent=intent)


def fresh(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def only(form: dict[str, str], *known: str) -> None:
    for name in form:
        if name.partition("[")[0] not in known:
            raise Refused(400, f"There is no parameter {name}.", code="parameter_unknown", param=name)


def required(form: dict[str, str], name: str) -> str:
    if name not in form:
        raise Refused(400, f"The parameter {name} is missing.", code="parameter_missing", param=name)
    return form[name]


def whole(form: dict[str, str], name: str) -> int:
    value = required(form, name)
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise Refused(400, f"{name} is not a whole number.", code="parameter_invalid_integer", param=name)
    return int(value)


def boolean(form: dict[str, str], name: str) -> bool:
    value = form.get(name, "false")
    if value not in ("true", "false"):
        raise Refused(400, f"{name} is neither true nor false.", param=name)
    return value == "true"


def metadata(form: dict[str, str]) -> dict[str, str]:
    return {name[len("metadata[") : -1]: value for name, value in form.items() if name.startswith("metadata[")}


def chargeable(form: dict[str, str]) -> tuple[int, str]:
    amount, currency = whole(form, "amount"), required(form, "currency").lower()
    if currency not in amounts.CURRENCIES:
        raise Refused(400, f"{currency} is no currency that can be charged.", param="currency")
    if amount < max(1, amounts.LEAST.get(currency, 1)):
        raise Refused(400, "The amount is too small.", code="amount_too_small", param="amount")
    if amount > amounts.MOST.get(currency, amounts.MOST_ELSEWHERE):
        raise Refused(400, "The amount is too large.", code="amount_too_large", param="amount")
    if amount % amounts.STEPS.get(currency, 1):
        raise Refused(400, f"An amount in {currency} cannot end like this.", param="amount")
    return amount, currency


def method(name: str) -> Card:
    if name not in KNOWN:
        raise Refused(400, f"There is no payment method {name}.", code="resource_missing", param="payment_method")
    return KNOWN[name]


class Api:
    def __init__(self, store: Store, tell: Callable[[str, dict], None]):
        """`tell` sends an event: its type, and the object that it is about."""
        self.store, self.tell = store, tell

    def find(self, identifier: str, parameter: str = "intent", status: int = 404) -> dict:
        intent = self.store.intent(identifier)
        if intent is None:
            message = f"There is no PaymentIntent {identifier}."
            raise Refused(status, message, code="resource_missing", param=parameter)
        return intent

    def create(self, form: dict[str, str]) -> dict:
        only(form, "amount", "currency", "capture_method", "confirm", "description", "error_on_requires_action",
             "metadata", "payment_method", "payment_method_types")  # fmt: skip
        amount, currency = chargeable(form)
        if form.get("capture_method", "automatic") not in ("automatic", "automatic_async", "manual"):
            raise Refused(400, "There is no such capture method.", param="capture_method")
        types = [value for name, value in form.items() if name.startswith("payment_method_types[")]
        if types not in ([], ["card"]):
            raise Refused(400, "Only cards are known here.", param="payment_method_types")
        if "payment_method" in form:
            method(form["payment_method"])
        identifier = fresh("pi")
        intent = {
            "id": identifier, "object": "payment_intent", "amount": amount, "amount_capturable": 0,
            "amount_received": 0, "canceled_at": None, "cancellation_reason": None,
            "capture_method": form.get("capture_method", "automatic"), "client_secret": fresh(f"{identifier}_secret"),
            "confirmation_method": "automatic", "created": int(time.time()), "currency": currency, "customer": None,
            "description": form.get("description"), "last_payment_error": None, "latest_charge": None,
            "livemode": False, "metadata": metadata(form), "next_action": None,
            "payment_method": form.get("payment_method"), "payment_method_types": types or ["card"],
            "processing": None, "receipt_email": None, "setup_future_usage": None, "shipping": None,
            "status": "requires_confirmation" if "payment_method" in form else "requires_payment_method",
        }  # fmt: skip
        self.store.write_intent(intent)
        if boolean(form, "confirm"):
            return self.charge(intent, form)
        return intent

    def confirm(self, identifier: str, form: dict[str, str]) -> dict:
        only(form, "payment_method", "error_on_requires_action", "off_session", "return_url")
        return self.charge(self.find(identifier), form)

    def charge(self, intent: dict, form: dict[str, str]) -> dict:
        on_action = boolean(form, "error_on_requires_action")
        if intent["status"] not in CONFIRMABLE:
            raise unexpected(intent, ", ".join(CONFIRMABLE))
        name = form.get("payment_method") or intent["payment_method"]
        if name is None:
            message = "A PaymentIntent without a payment method cannot be confirmed."
            raise Refused(400, message, code="payment_intent_unexpected_state", payment_intent=intent)
        card = method(name)
        if card.code:
            self.decline(intent, card.code, card.decline_code)
        if card.authentication and on_action:
            self.decline(intent, "authentication_required", "authentication_not_handled")
        intent.update(payment_method=name, last_payment_error=None)
        if card.authentication:
            intent.update(status="requires_action", next_action={"type": "use_stripe_sdk"})
        elif intent["capture_method"] == "manual":
            intent.update(status="requires_capture", amount_capturable=intent["amount"], latest_charge=fresh("ch"))
        else:
            intent.update(status="succeeded", amount_received=intent["amount"], latest_charge=fresh("ch"))
        self.store.write_intent(intent)
        return intent

    def decline(self, intent: dict, code: str, decline_code: str | None):
        error = {
            "type": "card_error", "code": code, "decline_code": decline_code, "message": f"The charge failed: {code}.",
        }  # fmt: skip
        intent.update(status="requires_payment_method", payment_method=None, last_payment_error=error,
                      latest_charge=fresh("ch"))  # fmt: skip
        self.store.write_intent(intent)
        members = {"code": code, "decline_code": decline_code, "payment_intent": intent}
        raise Refused(402, error["message"], kept=True, kind="card_error", **members)

    def capture(self, identifier: str, form: dict[str, str]) -> dict:
        only(form, "amount_to_capture")
        intent = self.find(identifier)
        if intent["status"] != "requires_capture":
            raise unexpected(intent, "requires_capture")
        amount = whole(form, "amount_to_capture") if "amount_to_capture" in form else intent["amount_capturable"]
        if not 0 < amount <= intent["amount_capturable"]:
            raise Refused(400, "There is less to capture.", code="amount_too_large", param="amount_to_capture")
        intent.update(status="succeeded", amount_received=amount, amount_capturable=0)
        self.store.write_intent(intent)
        return intent

    def cancel(self, identifier: str, form: dict[str, str]) -> dict:
        only(form, "cancellation_reason")
        intent = self.find(identifier)
        if intent["status"] not in CANCELABLE:
            raise unexpected(intent, ", ".join(CANCELABLE))
        intent.update(status="canceled", canceled_at=int(time.time()), amount_capturable=0, next_action=None,
                      cancellation_reason=form.get("cancellation_reason"))  # fmt: skip
        self.store.write_intent(intent)
        self.tell("payment_intent.canceled", intent)
        return intent

    def refund(self, form: dict[str, str]) -> dict:
        only(form, "payment_intent", "amount", "reason", "metadata")
        intent = self.find(required(form, "payment_intent"), "payment_intent", status=400)
        if intent["status"] != "succeeded":
            raise unexpected(intent, "succeeded")
        if any(dispute["status"] != "won" for dispute in self.store.disputes_of(intent["id"])):
            raise Refused(400, "The charge is disputed.", kept=True, code="charge_disputed")
        made = self.store.refunds_of(intent["id"])
        left = intent["amount_received"] - sum(refund["amount"] for refund in made if refund["status"] != "failed")
        if left == 0:
            raise Refused(400, "The charge was refunded before.", kept=True, code="charge_already_refunded")
        amount = whole(form, "amount") if "amount" in form else left
        if not 0 < amount <= left:
            raise Refused(400, f"No more than {left} can be refunded.", kept=True, param="amount")
        refund = {
            "id": fresh("re"), "object": "refund", "amount": amount, "charge": intent["latest_charge"],
            "created": int(time.time()), "currency": intent["currency"], "metadata": metadata(form),
            "payment_intent": intent["id"], "reason": form.get("reason"),
            "status": KNOWN[intent["payment_method"]].refund,
        }  # fmt: skip
        self.store.write_refund(refund)
        return refund

    def intents(self, query: dict[str, str]) -> dict:
        only(query, "limit", "starting_after")
        return page(self.store.intents(), query, "/v1/payment_intents")

    def refunds(self, query: dict[str, str]) -> dict:
        only(query, "limit", "starting_after", "payment_intent")
        intent = query.get("payment_intent")
        return page(self.store.refunds_of(intent) if intent else self.store.refunds(), query, "/v1/refunds")

    def disputes(self, query: dict[str, str]) -> dict:
        only(query, "limit", "starting_after", "payment_intent")
        intent = query.get("payment_intent")
        return page(self.store.disputes_of(intent) if intent else self.store.disputes(), query, "/v1/disputes")

    def events(self, query: dict[str, str], types: list[str]) -> dict:
        only(query, "limit", "starting_after", "types", "created")
        first = whole(query, "created[gte]") if "created[gte]" in query else 0
        end = whole(query, "created[lt]") if "created[lt]" in query else math.inf
        if len(types) > MOST_TYPES:
            raise Refused(400, f"There are {MOST_TYPES} types at most.", param="types")
        asked = [
            event for event in self.store.events()
            if first <= event["created"] < end and (not types or event["type"] in types)
        ]  # fmt: skip
        return page(asked, query, "/v1/events")

    def change_refund(self, identifier: str, status: str) -> dict:
        """For tests: what a bank does with a refund, at any time."""
        refund = self.store.refund(identifier)
        if refund is None or status not in REFUND_STATUSES:
            raise Refused(400, f"There is no refund {identifier}, or no status {status}.")
        refund["status"] = status
        self.store.write_refund(refund)
        for kind in ("charge.refund.updated", *(["refund.failed"] if status == "failed" else [])):
            self.tell(kind, refund)
        return refund

    def dispute(self, identifier: str, status: str) -> dict:
        """For tests: a customer disputes a payment, or the bank decides."""
        intent = self.find(identifier, status=400)
        if intent["status"] != "succeeded" or status not in DISPUTE_STATUSES:
            raise Refused(400, f"{identifier} cannot be disputed, or there is no status {status}.")
        known = self.store.disputes_of(intent["id"])
        dispute = (known[0] if known else {
            "id": fresh("du"), "object": "dispute", "amount": intent["amount_received"], "reason": "fraudulent",
            "charge": intent["latest_charge"], "currency": intent["currency"], "created": int(time.time()),
            "payment_intent": intent["id"],
        }) | {"status": status}  # fmt: skip
        self.store.write_dispute(dispute)
        self.tell("charge.dispute.created" if status == "needs_response" else "charge.dispute.closed", dispute)
        return dispute

    def order(self, order_id: str) -> dict:
        """For tests: everything that was done for an order."""
        shown = ("id", "status", "amount", "amount_capturable", "amount_received", "currency", "payment_method")
        intents = []
        for intent in self.store.intents_of(order_id):
            refunds = [
                {name: refund[name] for name in ("id", "status", "amount")}
                for refund in self.store.refunds_of(intent["id"])
            ]
            intents.append({**{name: intent[name] for name in shown}, "refunds": refunds})
        return {"intents": intents}


def page(documents: list[dict], query: dict[str, str], url: str) -> dict:
    limit = whole(query, "limit") if "limit" in query else 10
    if not 1 <= limit <= 100:
        raise Refused(400, "limit is from 1 to 100.", code="parameter_invalid_integer", param="limit")
    if after := query.get("starting_after"):
        places = [place for place, document in enumerate(documents) if document["id"] == after]
        if not places:
            raise Refused(400, f"There is no {after}.", code="resource_missing", param="starting_after")
        documents = documents[places[0] + 1 :]
    return {"object": "list", "url": url, "has_more": len(documents) > limit, "data": documents[:limit]}
