"""A shopper: registers, browses, tracks events, reviews, orders, cancels, watches prices.

A request without an answer, or with an answer 5xx, is sent again with the same idempotency key, as every client should,
so that the ledger knows what was done.
"""

import collections
import random
import time
import uuid

import gevent
from locust import FastHttpUser, between, task

from ledger import PASSWORD, TOKEN_SECONDS, Account, Ledger, Product

PATIENCE_SECONDS = 90
AGAIN_SECONDS = 0.2
VISA, DECLINED = "pm_card_visa", "pm_card_visa_chargeDeclined"
SAGAS = ("POST /orders", "POST /concerts")
EVENTS = ("Product Viewed", "Product Added", "Checkout Started")

Answer = collections.namedtuple("Answer", "status body headers")


class Unanswered(Exception):
    """A request that was sent again and again."""


class Refused(Exception):
    """An answer that the shopper does not expect."""


class Shopper(FastHttpUser):
    abstract = True  # until `of` gives it an instance
    wait_time = between(0.2, 1.0)
    connection_timeout = network_timeout = 40
    max_retries = 0
    ledger: Ledger
    category: str
    watchable: list[str]

    def on_start(self) -> None:
        self.account = Account(f"{uuid.uuid4().hex}@load.example", PASSWORD)
        self.register(self.account)
        self.log_in()
        self.ledger.buyers.append(self.account)
        self.events = 0

    def send(self, name: str, wanted: tuple[int, ...], body=None, path: str = "", key: str = "", user: bool = False) -> Answer:
        """The answer, once it is one of those wanted. `name` is the route, under which it is counted."""
        if user and time.monotonic() - self.account.logged_in > TOKEN_SECONDS:
            self.log_in()
        method, _, template = name.partition(" ")
        headers = {"content-type": "application/json"} if body is not None else {}
        headers |= {"authorization": f"Bearer {self.account.token}"} if user else {}
        headers |= {"idempotency-key": key} if key else {}
        headers |= {"prefer": "wait=10"} if name in SAGAS else {}
        headers |= {"if-match": "*"} if method == "PATCH" else {}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with self.client.request(
                method, path or template, name=name, json=body, headers=headers, catch_response=True
            ) as response:
                status = response.status_code or 0
                if status in wanted:
                    response.success()
                    return Answer(status, decoded(response), response.headers)
                if 0 < status < 500:
                    self.ledger.refused[name, status, (response.text or "")[:200]] += 1
                    response.failure(f"{status}")
                    raise Refused(f"{name}: {status}")
                self.ledger.faults[name, status] += 1
                response.failure(f"{status}")
            if time.monotonic() > deadline:
                self.ledger.unanswered += 1
                raise Unanswered(name)
            gevent.sleep(AGAIN_SECONDS)

    def register(self, account: Account) -> None:
        new = {"email": account.email, "password": account.password, "displayName": "A shopper"}
        self.send("POST /users", (201,), new)

    def log_in(self) -> None:
        credentials = {"email": self.account.email, "password": self.account.password}
        answer = self.send("POST /sessions", (201,), credentials)
        self.account.token, self.account.logged_in = answer.body["accessToken"], time.monotonic()
        if not self.account.id:
            self.account.id = self.send("GET /users/me", (200,), user=True).body["userId"]

    def product(self) -> Product:
        return random.choice(self.ledger.products)

    @task(3)
    def look_at_health(self) -> None:
        self.send("GET /health", (200,))

    @task(10)
    def browse(self) -> None:
        self.send("GET /products", (200,), path=f"/products?category={self.category}")
        product = self.product()
        self.send("GET /products/{productId}", (200,), path=f"/products/{product.id}")
        self.track(product, EVENTS[0])
        if random.random() < 0.3:
            self.send("GET /products/{productId}/reviews", (200,), path=f"/products/{product.id}/reviews")

    @task(3)
    def put_in_cart(self) -> None:
        self.track(self.product(), *EVENTS[1:])

    def track(self, product: Product, *names: str) -> None:
        batch = [
            {"type": "track", "event": name, "anonymousId": self.account.email, "properties": {"productId": product.id},
             "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
            for name in names
        ]  # fmt: skip
        # With an id of the batch, a repeat is recognised.
        self.send("POST /events", (202,), {"batch": batch, "batchId": str(uuid.uuid4())})
        self.ledger.events.update((product.id, name) for name in names)

    @task(2)
    def review(self) -> None:
        product, rating = self.product(), random.randint(1, 5)
        path = f"/products/{product.id}/reviews"
        known = (product.id, self.account.id) in self.ledger.ratings
        if known:
            path += f"/{self.account.id}"
            self.send("PATCH /products/{productId}/reviews/{authorId}", (200,), {"rating": rating}, path=path, user=True)
        else:
            new = {"rating": rating, "title": "Does not drip", "body": "Not once in a year."}
            name = "POST /products/{productId}/reviews"
            self.send(name, (201,), new, path=path, key=uuid.uuid4().hex, user=True)
        self.ledger.ratings[product.id, self.account.id] = rating

    @task(4)
    def order(self) -> None:
        lines = [(product, random.randint(1, 2)) for product in random.sample(self.ledger.products, random.randint(1, 2))]
        order = {
            "lines": [{"productId": product.id, "quantity": quantity} for product, quantity in lines],
            "expectedTotal": {"amount": sum(product.amount * quantity for product, quantity in lines), "currency": "SGD"},
            "paymentMethod": DECLINED if random.random() < 0.1 else VISA,
        }
        placed = self.send("POST /orders", (201, 202, 422), order, key=uuid.uuid4().hex, user=True)
        if placed.status == 422:
            return  # out of stock or declined
        path = placed.headers["location"]
        known = path.rpartition("/")[2]
        self.ledger.answered[known] = placed.body["status"]
        self.send("GET /orders/{orderId}", (200,), path=path, user=True)
        if random.random() < 0.2:
            # 409: it is not confirmed yet.
            answer = self.send("POST /orders/{orderId}/cancellation", (200, 409), path=f"{path}/cancellation", user=True)
            if answer.status == 200:
                self.ledger.cancelled.add(known)

    @task(1)
    def watch(self) -> None:
        if self.watchable:
            self.send("POST /watchlist", (200, 201), {"url": random.choice(self.watchable)}, user=True)
            self.send("GET /watchlist", (200,), user=True)

    @task(1)
    def put_on_a_concert(self) -> None:
        name = f"Band {uuid.uuid4().hex}"
        concert = {
            "name": "Night", "startsAt": "2030-01-01T20:00:00+08:00", "bands": [{"name": name}, {"name": f"{name} Two"}],
            "venue": {"name": "Hall", "address": "1 Road", "latitude": round(random.uniform(-60, 60), 4),
                      "longitude": round(random.uniform(-170, 170), 4), "timeZone": "Asia/Singapore"},
        }  # fmt: skip
        asked = self.send("POST /concerts", (201, 202, 422), concert, key=uuid.uuid4().hex, user=True)
        # 422: it could not be created.
        if known := (asked.headers.get("location") or "").rpartition("/")[2]:
            self.ledger.concerts.append(known)
            self.send("GET /concerts/{concertId}", (200,), path=f"/concerts/{known}")

    @task(1)
    def look_at_orders(self) -> None:
        self.send("GET /orders", (200,), user=True)


def decoded(response):
    try:
        return response.json()
    except ValueError:
        return None


def of(base: str, ledger: Ledger, category: str, watchable: list[str]) -> type[Shopper]:
    members = {"abstract": False, "host": base, "ledger": ledger, "category": category, "watchable": watchable}
    return type("ShopperOfRun", (Shopper,), members)
