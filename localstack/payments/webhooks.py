"""Webhooks: events that are sent to the deployed API, with a signature as Stripe's (https://docs.stripe.com/webhooks)."""

import hashlib
import hmac
import json
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

SECRET = "whsec_local"  # Stripe's secrets are longer
PATH = "/payments/webhook"
TIMEOUT_SECONDS = 10
# Stripe repeats an event for three days; the local run has no outage of that length.
PAUSES_SECONDS = (0, 0.2, 0.5, 1, 2, 5, 10, 20)


def signature(body: bytes, at: int) -> str:
    """The header Stripe-Signature of a body that is sent at this time, in seconds since 1970."""
    signed = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={signed.hexdigest()}"


def address_of(directory: Path) -> Callable[[], str | None]:
    """Where the events of an instance go, once its API is there."""

    def address() -> str | None:
        try:
            base = json.loads((directory / "instance.json").read_text()).get("baseUrl")
        except (FileNotFoundError, ValueError):
            return None
        return base and base + PATH

    return address


def event_about(kind: str, document: dict) -> dict:
    """A new event of this type, and the object that it is about."""
    return {
        "id": f"evt_{secrets.token_hex(12)}", "object": "event", "type": kind, "created": int(time.time()),
        "livemode": False, "data": {"object": document},
    }  # fmt: skip


class Webhooks:
    def __init__(self, address: Callable[[], str | None], log: Callable[[str], None]):
        self.address, self.log = address, log

    def send(self, event: dict) -> None:
        """Sends an event until it is taken. Events do not wait for each other, so they may arrive in any order."""
        arguments = event["id"], event["type"], json.dumps(event).encode()
        threading.Thread(target=self.deliver, args=arguments, daemon=True).start()

    def deliver(self, identifier: str, kind: str, body: bytes) -> None:
        for pause in PAUSES_SECONDS:
            time.sleep(pause)
            if address := self.address():
                status = post(address, body)
                self.log(f"event {kind} {identifier} {status}")
                if isinstance(status, int) and 200 <= status < 300:
                    return


def post(address: str, body: bytes) -> int | str:
    """The status of the answer, or why there is none."""
    headers = {"content-type": "application/json", "stripe-signature": signature(body, int(time.time()))}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address, body, headers), timeout=TIMEOUT_SECONDS
        ) as response:
            return response.status
    except urllib.error.HTTPError as answer:
        return answer.code
    except OSError as error:
        return str(error)
