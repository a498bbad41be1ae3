"""Shared by the hooks: the service, its users, and facts about a case."""

import functools
import os
import secrets
import time
import zlib

import requests
from schemathesis.generation.meta import negated_parameters

BASE = os.environ["SOUK_URL"].rstrip("/")
PASSWORD = "correct horse battery staple"


def post(path, body, token=None, **headers):
    if token:
        headers["Authorization"] = f"Bearer {token}"
    response = requests.post(BASE + path, json=body, headers=headers, timeout=15)
    if response.status_code != 201:
        raise RuntimeError(f"POST {path} answered {response.status_code}: {response.text[:300]}")
    return response.json()


class User:
    """A user of this run, who logs in again well before the access token (900 s) expires."""

    def __init__(self):
        self.email = f"{secrets.token_hex(8)}@schemathesis.example"
        self.id = post("/users", {"email": self.email, "password": PASSWORD, "displayName": "Schemathesis"})["userId"]
        self.logged_in = None

    @property
    def token(self):
        if self.logged_in is None or time.monotonic() - self.logged_in > 240:
            self.known_token = self.new_token()
            self.logged_in = time.monotonic()
        return self.known_token

    def new_token(self):
        """The token of a session of its own."""
        return post("/sessions", {"email": self.email, "password": PASSWORD})["accessToken"]


@functools.cache
def caller():
    """The user who sends the cases."""
    return User()


@functools.cache
def somebody_else():
    return User()


@functools.cache
def leaver():
    """The user whose sessions are ended by cases: the caller's token has to last."""
    return User()


def operation_of(case):
    sent_as_declared = case.method.upper() == case.operation.method.upper()
    return case.operation.definition.raw.get("operationId") if sent_as_declared else None


def mostly(value):
    """True for three of four values."""
    return zlib.crc32(str(value).encode()) % 4 != 0


def is_of_this_run(uuid):
    """Whether an id is from an answer: its time is now, which no generator produces."""
    try:
        return abs(int(uuid[:8] + uuid[9:13], 16) / 1000 - time.time()) < 86_400
    except (TypeError, ValueError):
        return False


def content_of(case):
    """Identifies a case, with the same value in every run: the coverage phase has the same ids in most cases."""
    drawn = {name: value for name, value in case.path_parameters.items() if not is_of_this_run(value)}
    return drawn, case.query, case.body, [case.headers.get(name) for name in ("If-Match", "Idempotency-Key")]


def names_nothing(case, broken):
    """Gives most cases with a random id an existing one; the other cases end in 404."""
    ids = case.path_parameters
    if broken.intersection(ids) or all(is_of_this_run(value) for value in ids.values()):
        return False
    return mostly(content_of(case))


def new_product(amount=1999, stock=1, seller=None):
    """The id of a product without reviews; unless a seller is given, it is not the caller's."""
    price = {"amount": amount, "currency": "SGD"}
    body = {"name": "Teapot", "description": "", "category": "tea", "price": price, "stock": stock}
    return post("/products", body, (seller or somebody_else()).token)["productId"]
