"""Watched pages of the instance's own shop, with prices of the last months.

The prices are seen by real looks at the pages, one after the other; then the times of those looks are moved back, because nobody
waits for months. That is the only part of the demo that writes to the table itself.
"""

import time

from demo_data.api import Api, Refused, at
from demo_data.goods import DEMO, WATCHED

TRIES, PAUSE_SECONDS = 100, 0.1
ANEW_SECONDS = 3  # until all items were looked at, whose prices may be those that are known


def load(api: Api) -> None:
    steps = len(WATCHED[0][3]) + 1
    items = {}
    for step in range(steps):
        for sku, name, now, before in WATCHED:
            price = before[step][1] if step < len(before) else now
            api.change_shop(f"items/{sku}", {"name": name, "price": price})
            if step == 0:
                alerts = [{"kind": "drop", "percent": 10}, {"kind": "backInStock"}]
                watch = {"url": f"{api.shop}/item/{sku}", "alerts": alerts}
                items[sku] = api.call("POST", "/watchlist", watch, user=DEMO)["itemId"]
        if step == 0:
            begin_anew(api, list(items.values()))
        else:
            api.invoke("price-crawl", {"all": True})
            wait_for(api, list(items.values()), step + 1)
    for sku, _, _, before in WATCHED:
        move_back(api, items[sku], [days for days, _ in before])


def begin_anew(api: Api, items: list[str]) -> None:
    """Deletes the past prices of an attempt that did not end."""
    table = {"TableName": api.outputs["TableName"]}
    if any(len(periods(api, item)) > 1 for item in items):
        api.invoke("price-crawl", {"all": True})
        time.sleep(ANEW_SECONDS)
    for item in items:
        for row in rows(api, item):
            if row["sk"]["S"].startswith("PRICE#"):
                api.dynamodb("DeleteItem", table | {"Key": {name: row[name] for name in ("pk", "sk")}})


def rows(api: Api, item: str) -> list[dict]:
    query = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": f"ITEM#{item}"}}}
    return api.dynamodb("Query", {"TableName": api.outputs["TableName"]} | query)["Items"]


def periods(api: Api, item: str) -> list[dict]:
    return api.call("GET", f"/items/{item}/prices?limit=100", user=DEMO)["items"]


def wait_for(api: Api, items: list[str], count: int) -> None:
    for _ in range(TRIES):
        if all(len(periods(api, item)) >= count for item in items):
            return
        time.sleep(PAUSE_SECONDS)
    raise Refused("the watched pages were not looked at in time")


def move_back(api: Api, item: str, ages: list[int]) -> None:
    """Moves the past prices to the given ages in days, the oldest first, and every mention of their times with them."""
    table = {"TableName": api.outputs["TableName"]}
    found = rows(api, item)
    past = sorted((row for row in found if row["sk"]["S"].startswith("PRICE#")), key=lambda row: row["sk"]["S"])
    times = {}
    for row, days in zip(past, ages, strict=True):
        old = row["sk"]["S"].removeprefix("PRICE#")
        times[old] = moved(old, days)
    for row in found:
        if row in past or row["sk"]["S"] == "STATE":
            if row in past:
                api.dynamodb("DeleteItem", table | {"Key": {name: row[name] for name in ("pk", "sk")}})
            api.dynamodb("PutItem", table | {"Item": with_times(row, times)})


def moved(old: str, days: int) -> str:
    """The time so many days ago, at the same digits of the second, in the form of the old one."""
    then = at(days=-days)
    return then.strftime("%Y-%m-%dT%H:%M:%S.") + f"{then.microsecond // 1000:03}Z" if old.endswith("Z") else str(int(then.timestamp() * 1000))


def with_times(value, times: dict[str, str]):
    if isinstance(value, dict):
        return {name: with_times(member, times) for name, member in value.items()}
    if isinstance(value, list):
        return [with_times(member, times) for member in value]
    for old, new in times.items():
        if isinstance(value, str):
            value = value.replace(old, new)
    return value
