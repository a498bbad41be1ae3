"""Experiments of a seller, whose variants and prices GrowthBook's client for Python computes as the server does."""

import json
import os
import pathlib
import secrets
import time
import urllib.error
import urllib.request

from growthbook import GrowthBook, feature_repo

HERE = pathlib.Path(__file__).resolve().parent
OWN = 1999
VISITORS = 25


def call(method, path, body=None, **headers):
    """The status and the body of an answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(os.environ["SOUK_URL"] + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def succeed(*arguments, **headers):
    status, body = call(*arguments, **headers)
    assert status < 300, (arguments, status, body)
    return body


def seller():
    """The header field of a new user."""
    account = {"email": f"{secrets.token_hex(8)}@example.com", "password": secrets.token_hex(12)}
    succeed("POST", "/users", {**account, "displayName": "Mei"})
    return {"Authorization": "Bearer " + succeed("POST", "/sessions", account)["accessToken"]}


def start(token, members):
    """The product that a running experiment with these members tests."""
    price = {"amount": OWN, "currency": "SGD"}
    product = {"name": "Tea", "description": "", "category": "tea", "price": price, "stock": 1}
    product = succeed("POST", "/products", product, **token)["productId"]
    members = dict(members)
    variants = [{"key": "control", "weight": members["weights"][0]}]
    for index, weight in enumerate(members.pop("weights")[1:], 1):
        prices = [{"productId": product, "price": {**price, "amount": 1000 + index}}]
        variants.append({"key": f"v{index}", "weight": weight, "prices": prices})
    body = {"name": "Assignments", "metrics": {"primary": "conversion"}, "variants": variants, **members}
    experiment = succeed("POST", "/experiments", body, **token)["experimentId"]
    succeed("PATCH", f"/experiments/{experiment}", {"status": "running"}, If_Match="*", **token)
    return product, experiment


def client(key, visitor, seen):
    def viewed(experiment, result, **_):
        seen.append((experiment.key, result.key))

    attributes = {"id": visitor}
    return GrowthBook(api_host=os.environ["SOUK_URL"], client_key=key, attributes=attributes, on_experiment_viewed=viewed)


def compare_pages(key, products):
    """A page shows each visitor the price that GrowthBook's client computes."""
    amounts = set()
    for _ in range(VISITORS):
        visitor = succeed("POST", "/visitors")
        growthbook = client(key, visitor["visitorId"], [])
        growthbook.load_features()
        for product in products:
            computed = growthbook.get_feature_value(f"price:{product}", None)
            # A cached page may be older than the experiment for a moment.
            end = time.monotonic() + 30
            while (shown := succeed("GET", f"/products/{product}", Souk_Visitor=visitor["token"])["price"]) != computed:
                assert time.monotonic() < end, (visitor["visitorId"], product, computed, shown)
                time.sleep(0.1)
            amounts.add(shown["amount"])
        growthbook.destroy()
    assert len(amounts) > 1, amounts
    print(f"pages show {VISITORS} visitors the prices of GrowthBook's client: {sorted(amounts)}")


def main():
    known = json.loads((HERE / "assignments.json").read_text())
    token = seller()
    tested = [(*start(token, case["experiment"]), case["variants"]) for case in known["experiments"]]
    key = succeed("PUT", "/client-key", **token)["clientKey"]
    assigned = 0
    for number, visitor in enumerate(known["visitors"]):
        seen = []
        growthbook = client(key, visitor, seen)
        growthbook.load_features()
        for product, experiment, variants in tested:
            expected = variants[number]
            price = growthbook.get_feature_value(f"price:{product}", None)
            amount = OWN if expected in (None, "control") else 1000 + int(expected[1:])
            assert price == {"amount": amount, "currency": "SGD"}, (visitor, expected, price)
            # The client reports the keys with which the events come.
            assert ((experiment, expected) in seen) == (expected is not None), (visitor, expected, seen)
            assigned += expected is not None
        growthbook.destroy()
    outside = len(known["visitors"]) * len(tested) - assigned
    print(f"GrowthBook's client assigns {assigned} visitors to the variants of the server, and {outside} to none")

    compare_pages(key, [product for product, _, _ in tested])
    for _, experiment, _ in tested:
        succeed("PATCH", f"/experiments/{experiment}", {"status": "stopped"}, If_Match="*", **token)
    feature_repo.clear_cache()
    growthbook = client(key, known["visitors"][0], [])
    growthbook.load_features()
    assert growthbook.get_features() == {}, growthbook.get_features()
    growthbook.destroy()
    print("a client that reads the features again finds no experiment that was stopped")


if __name__ == "__main__":
    main()
