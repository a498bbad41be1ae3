"""Loads the demo data: what is missing of it, and a flash sale that is on."""

import json
import pathlib
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from demo_data import experiment, prices
from demo_data.api import Api, Refused, at
from demo_data.goods import CONCERTS, DEMO, PASSWORD, PRODUCTS, REVIEWS, SALE, USERS
from demo_data.progress import Progress

# How many of a hundred reviews give 5, 4, 3, 2 and 1 stars.
STARS = {5: 52, 4: 27, 3: 12, 2: 5, 1: 4}
AT_ONCE = 6
ALL = "all"  # the part that is done when all others are


def main(record: str) -> int:
    file = pathlib.Path(record)
    described = json.loads(file.read_text())
    api, progress = Api(described), Progress(file.with_name("demo.json"))
    try:
        if not api.log_in(DEMO, PASSWORD):
            progress.forget()  # its data were lost
        elif described.get("demo"):
            progress.once(ALL, lambda: None)
        progress.once(ALL, lambda: load(api, progress))
        if api.shop and not api.call("GET", "/flash-sales/current")["sessions"]:
            open_sale(api)
    except (Refused, OSError) as error:
        print(f"localstack/demo: {error}", file=sys.stderr)
        return 1
    return 0


def load(api: Api, progress: Progress) -> None:
    """Loads the parts that are missing. Each may have been loaded in part: requests have keys, or are refused the second time."""
    once = progress.once
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda user: register(api, user), USERS))
        concerts = pool.submit(once, "concerts", lambda: add_concerts(api))
        watched = pool.submit(once, "watched pages", lambda: prices.load(api)) if api.shop else None
        # One after the other, so that the newest are the same each time.
        products = [once(f"product {name}", partial(publish, api, seller, name, *rest)) for seller, name, *rest in PRODUCTS]
        once("orders", lambda: buy(api, products))
        tested = pool.submit(experiment.load, api, products, progress) if api.clickhouse else None
        list(pool.map(lambda each: once(f"reviews {each[0]}", partial(review, api, *each)), enumerate(products)))
        for task in filter(None, (concerts, watched, tested)):
            task.result()


def register(api: Api, user: str) -> None:
    if api.log_in(user, PASSWORD):
        return
    api.call("POST", "/users", {"email": user, "password": PASSWORD, "displayName": USERS[user]})
    if not api.log_in(user, PASSWORD):
        raise Refused(f"{user} cannot log in")


def publish(api: Api, seller: str, name: str, description: str, category: str, amount: int, stock: int) -> dict:
    product = {
        "name": name, "description": description, "category": category,
        "price": {"amount": amount, "currency": "SGD"}, "stock": stock,
    }
    published = api.call("POST", "/products", product, user=f"{seller}@souk.example", key=f"demo-{name.replace(' ', '-')}")
    return published | {"seller": f"{seller}@souk.example"}


def review(api: Api, number: int, product: dict) -> None:
    chance = random.Random(number)
    authors = [user for user in USERS if user != product["seller"]]
    for author in chance.sample(authors, chance.randint(0, len(authors))):
        stars = chance.choices(list(STARS), list(STARS.values()))[0]
        title, body = chance.choice(REVIEWS[stars])
        path = f"/products/{product['productId']}/reviews"
        api.call("POST", path, {"rating": stars, "title": title, "body": body}, user=author, accept=(409,))


def buy(api: Api, products: list[dict]) -> None:
    """Orders of the demo user: two that are confirmed, one that is cancelled, one whose payment was declined."""
    named = {product["name"]: product for product in products}
    place(api, "demo-1", [(named["Kaya jam"], 2), (named["Whole black pepper"], 1)], "pm_card_visa")
    cancelled = place(api, "demo-2", [(named["Oud, student model"], 1)], "pm_card_visa")
    api.call("POST", f"/orders/{cancelled['orderId']}/cancellation", {}, user=DEMO, accept=(409,))
    place(api, "demo-3", [(named["Handwoven kilim rug"], 1)], "pm_card_visa_chargeDeclined", accept=(422,))
    place(api, "demo-4", [(named["Masala chai"], 3), (named["Ru-glaze tea cup"], 2), (named["Brass pen"], 1)], "pm_card_visa")


def place(api: Api, key: str, lines: list[tuple[dict, int]], method: str, accept=()) -> dict:
    total = sum(product["price"]["amount"] * quantity for product, quantity in lines)
    order = {
        "lines": [{"productId": product["productId"], "quantity": quantity} for product, quantity in lines],
        "expectedTotal": {"amount": total, "currency": "SGD"},
        "paymentMethod": method,
    }
    return api.call("POST", "/orders", order, user=DEMO, key=key, accept=accept)


def add_concerts(api: Api) -> None:
    for name, days, hour, bands, venue, address, latitude, longitude in CONCERTS:
        starts = at(days=days).replace(hour=hour, minute=0, second=0, microsecond=0)
        concert = {
            "name": name, "startsAt": starts.strftime("%Y-%m-%dT%H:%M:%SZ"), "bands": [{"name": band} for band in bands],
            "venue": {"name": venue, "address": address, "latitude": latitude, "longitude": longitude, "timeZone": "Asia/Singapore"},
        }
        api.call("POST", "/concerts", concert, user=DEMO, key=f"demo-{name.replace(' ', '-')}")


def open_sale(api: Api) -> None:
    """A flash sale of the instance's own shop that began an hour ago; the state machine reads it, as its schedule does."""
    form = "%Y-%m-%dT%H:%M:%SZ"
    session = {
        "id": "demo", "name": "Tea hour", "startsAt": at(hours=-1).strftime(form), "endsAt": at(hours=9).strftime(form),
        "items": [{"sku": sku, "name": name, "price": price} for sku, name, price in SALE],
    }
    api.change_shop("flash-sale", {"sessions": [session]})
    start = {"stateMachineArn": api.outputs["FlashSaleCrawlMachineArn"], "input": "{}"}
    api.aws("states", "/", start, "AWSStepFunctions.StartExecution")
