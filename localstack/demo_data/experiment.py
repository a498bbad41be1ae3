"""A price experiment that has run for two weeks.

Some visitors come the way of all: they see a price, report it, log in and order. Those of the past are written to ClickHouse, and
the experiment's start is moved back in the table, because nobody waits for weeks.
"""

import base64
import datetime
import json
import random
import uuid
from concurrent.futures import ThreadPoolExecutor

from demo_data.api import Api, at
from demo_data.goods import BUYERS, DEMO, DRAFT, EXPERIMENT, EXPERIMENT_DAYS, PASSWORD
from demo_data.progress import Progress

VISITORS_A_DAY = 1000
# Of ten thousand visitors: those who bought the product in the weeks before, and crawlers.
FORMER_CUSTOMERS, BOTS = 500, 30
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def load(api: Api, products: list[dict], progress: Progress) -> None:
    once = progress.once
    named = {product["name"]: product for product in products}
    product = named[EXPERIMENT["product"]]
    once("draft of an experiment", lambda: draft(api, DRAFT, named[DRAFT["product"]]))
    experiment = once("experiment", lambda: start(api, product))
    began = once("begin of the experiment", lambda: int(at(days=-EXPERIMENT_DAYS).timestamp()))
    with ThreadPoolExecutor(len(BUYERS)) as pool:
        list(pool.map(lambda buyer: once(f"visit of {buyer[0]}", lambda: visit(api, *buyer, product)), BUYERS))
    once("history of the experiment", lambda: api.insert("events", history(experiment, product, began * 1000)))
    began_at = datetime.datetime.fromtimestamp(began, datetime.UTC)
    once("age of the experiment", lambda: move_back(api, experiment, began_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")))


def draft(api: Api, plan: dict, product: dict) -> dict:
    def price(amount):
        return {"productId": product["productId"], "price": {"amount": amount, "currency": "SGD"}}

    experiment = {
        "name": plan["name"], "hypothesis": plan["hypothesis"],
        "variants": [
            {"key": key, "weight": weight, "prices": [price(amount)] if amount else []} for key, weight, amount, _ in plan["arms"]
        ],
        "metrics": {"primary": "revenuePerVisitor", "secondary": ["conversion", "averageOrder"]},
    }  # fmt: skip
    return api.call("POST", "/experiments", experiment, user=DEMO, key=f"demo-{product['productId']}")


def start(api: Api, product: dict) -> dict:
    drafted = draft(api, EXPERIMENT, product)
    path = f"/experiments/{drafted['experimentId']}"
    started = api.call("PATCH", path, {"status": "running"}, user=DEMO, headers={"if-match": '"1"'}, accept=(409, 412))
    # It has another version if an attempt started it that ended before it was told.
    return started if started.get("experimentId") else api.call("GET", path, user=DEMO)


def visit(api: Api, user: str, quantity: int, product: dict) -> None:
    """Looks at the product, and buys some of it."""
    visitor = api.call("POST", "/visitors")
    shown = {"souk-visitor": visitor["token"]}
    api.log_in(user, PASSWORD, shown)
    seen = api.call("GET", f"/products/{product['productId']}", headers=shown)
    exposure = {
        "type": "track", "event": "Experiment Viewed", "anonymousId": visitor["visitorId"], "timestamp": at().isoformat(),
        "properties": {
            "experimentId": seen["experiment"]["experimentId"], "variationId": seen["experiment"]["variant"],
            "productId": product["productId"],
        },
    }  # fmt: skip
    api.call("POST", "/events", {"batch": [exposure]})
    if quantity:
        order = {
            "lines": [{"productId": product["productId"], "quantity": quantity}], "paymentMethod": "pm_card_visa",
            "expectedTotal": {"amount": seen["price"]["amount"] * quantity, "currency": "SGD"},
        }  # fmt: skip
        api.call("POST", "/orders", order, user=user, key=f"demo-experiment-{user}")


def history(experiment: dict, product: dict, begin: int) -> list[dict]:
    """Visitors of two weeks with what they bought."""
    chance = random.Random(11)
    rows = []
    for day in range(EXPERIMENT_DAYS):
        for _ in range(round(VISITORS_A_DAY * chance.uniform(0.7, 1.3))):
            seen_at = begin + day * DAY_MS + chance.randrange(DAY_MS)
            rows += visitor_rows(chance, experiment, product, seen_at, begin)
    return rows


def visitor_rows(chance: random.Random, experiment: dict, product: dict, seen_at: int, begin: int) -> list[dict]:
    arms = EXPERIMENT["arms"]
    key, _, price, rate = chance.choices(arms, [weight for _, weight, _, _ in arms])[0]
    amount = price or product["price"]["amount"]
    visitor = visitor_of(key, seen_at, experiment["experimentId"], random.Random(chance.getrandbits(64)))

    def row(kind: str, event: str, time: int, **members) -> dict:
        shared = {"visitor": visitor, "kind": kind, "event": event, "id": str(uuid.UUID(int=chance.getrandbits(128), version=4))}
        return shared | {"product": product["productId"], "at": moment(time), "received_at": moment(time + 1500), "properties": "{}"} | members

    def sale(time: int, price: int, **members) -> dict:
        quantity = chance.choices([1, 2, 3], [80, 16, 4])[0]
        order = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        return row("purchase", "Order Completed", time, order=order, quantity=quantity, amount=price * quantity, currency="SGD", **members)

    tested = {"experiment": experiment["experimentId"], "variant": key}
    rows = [row("exposure", "Experiment Viewed", seen_at, bot=chance.random() * 10_000 < BOTS, **tested)]
    knows_it = chance.random() * 10_000 < FORMER_CUSTOMERS
    if knows_it:
        rows.append(sale(begin - chance.randrange(1, 27) * DAY_MS, product["price"]["amount"]))
    if chance.random() < rate * (3 if knows_it else 1):
        rows.append(sale(seen_at + chance.randrange(HOUR_MS), amount, **tested))
    return rows


def visitor_of(arm: str, seen_at: int, experiment: str, chance: random.Random) -> str:
    """A visitor whom the experiment gives this variant. So the same ones buy in each demo, and its results are the same."""
    while True:
        random_bits = (7 << 76) | (chance.getrandbits(12) << 64) | (2 << 62) | chance.getrandbits(62)
        visitor = str(uuid.UUID(int=(seen_at << 80) | random_bits))
        if arm_of(visitor, experiment) == arm:
            return visitor


def arm_of(visitor: str, seed: str) -> str:
    """The variant of a visitor, as the API assigns it: docs/experiments.md."""
    place, end = fnv1a(str(fnv1a(seed + visitor))) % 10_000, 0
    for key, weight, _, _ in EXPERIMENT["arms"]:
        end += weight
        if place < end:
            return key
    raise AssertionError("the weights do not sum to 10,000")


def fnv1a(text: str) -> int:
    hashed = 0x811C9DC5
    for byte in text.encode():
        hashed = (hashed ^ byte) * 0x01000193 & 0xFFFFFFFF
    return hashed


def moment(milliseconds: int) -> str:
    """As ClickHouse reads a time."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}"


def move_back(api: Api, experiment: dict, began: str) -> None:
    """Gives the experiment the start of its first visitors. Its stored form is its JSON, as a frame of zstd."""
    body = zstd_frame(json.dumps(experiment | {"createdAt": began, "startedAt": began}).encode())
    api.dynamodb("UpdateItem", {
        "TableName": api.outputs["TableName"],
        "Key": {"pk": {"S": f"EXPERIMENT#{experiment['experimentId']}"}, "sk": {"S": "EXPERIMENT"}},
        "UpdateExpression": "SET body = :body",
        "ConditionExpression": "attribute_exists(pk)",
        "ExpressionAttributeValues": {":body": {"B": base64.b64encode(body).decode()}},
    })  # fmt: skip


def zstd_frame(content: bytes) -> bytes:
    """A frame with one block that is not compressed (RFC 8878): Python has no zstd before 3.14."""
    single_segment_with_size_of_4_bytes = 0b1010_0000
    last_raw_block = len(content) << 3 | 1
    return b"\x28\xb5\x2f\xfd" + bytes([single_segment_with_size_of_4_bytes]) + len(content).to_bytes(4, "little") + (
        last_raw_block.to_bytes(3, "little") + content
    )
