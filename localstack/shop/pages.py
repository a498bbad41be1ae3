"""The shop's pages, and its flash sale as schema.org describes sales."""

import html
import json
from collections.abc import Iterable

SCHEMA = "https://schema.org"
ROBOTS = "User-agent: *\nDisallow: /private/\n"


def product(base: str, sku: str, item: dict) -> dict:
    """A product and its offer in JSON-LD."""
    offer = {"@type": "Offer", "availability": f"{SCHEMA}/{item['availability']}"}
    if item["price"] is not None:
        offer |= {"price": item["price"], "priceCurrency": item["currency"]}
    return {"@type": "Product", "url": f"{base}/item/{sku}", "sku": sku, "name": item["name"], "offers": offer}


def page(base: str, sku: str, item: dict) -> str:
    head, body = {"json-ld": json_ld, "microdata": microdata, "opengraph": opengraph, "none": nothing}[item["markup"]](
        base, sku, item
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(item["name"])}</title>'
        f"{head}</head>\n<body><h1>{html.escape(item['name'])}</h1>{body}</body></html>\n"
    )


def json_ld(base: str, sku: str, item: dict) -> tuple[str, str]:
    text = json.dumps({"@context": SCHEMA, **product(base, sku, item)}).replace("</", "<\\/")
    return f'<script type="application/ld+json">{text}</script>', ""


def microdata(base: str, sku: str, item: dict) -> tuple[str, str]:
    offer = properties("itemprop", price_of(item, ("price", "priceCurrency")))
    return "", (
        f'<div itemscope itemtype="{SCHEMA}/Product"><span itemprop="name">{html.escape(item["name"])}</span>'
        f'<div itemprop="offers" itemscope itemtype="{SCHEMA}/Offer">{offer}'
        f'<link itemprop="availability" href="{SCHEMA}/{item["availability"]}"></div></div>'
    )


def opengraph(base: str, sku: str, item: dict) -> tuple[str, str]:
    members = {"og:type": "product", "og:title": item["name"], "product:availability": item["availability"]}
    members |= price_of(item, ("product:price:amount", "product:price:currency"))
    return properties("property", members), ""


def nothing(base: str, sku: str, item: dict) -> tuple[str, str]:
    return "", f'<p class="price">{html.escape(str(item["price"]))}</p>'


def price_of(item: dict, names: Iterable[str]) -> dict:
    return {} if item["price"] is None else dict(zip(names, (item["price"], item["currency"]), strict=True))


def properties(attribute: str, members: dict) -> str:
    return "".join(f'<meta {attribute}="{name}" content="{html.escape(text)}">' for name, text in members.items())


def listed(items: list[dict], total: int, first: int = 1) -> dict:
    """An ItemList of JSON-LD, or the part of it that begins at this position."""
    elements = [
        {"@type": "ListItem", "position": position, "item": item} for position, item in enumerate(items, first)
    ]
    return {"@context": SCHEMA, "@type": "ItemList", "numberOfItems": total, "itemListElement": elements}


def sale(base: str, sessions: list[dict]) -> dict:
    """The sessions of the flash sale."""
    events = [
        {
            "@type": "SaleEvent", "@id": f"{base}/flash-sale/sessions/{session['id']}", "identifier": session["id"],
            "name": session["name"], "startDate": session["startsAt"], "endDate": session["endsAt"],
            "url": f"{base}/flash-sale/sessions/{session['id']}/items",
        }
        for session in sessions
    ]  # fmt: skip
    return listed(events, len(events))


def sale_page(base: str, session: dict, items: dict[str, dict], number: int) -> tuple[dict, str] | None:
    """A page of a session's items, and its Link; None if there is no such page."""
    size = session["pageSize"]
    last = max(1, -(-len(session["items"]) // size))
    if not 1 <= number <= last:
        return None
    skus = session["items"][(number - 1) * size : number * size]
    products = [product(base, sku, items[sku]) for sku in skus if sku in items]
    for each in products:
        each["offers"] |= {"validFrom": session["startsAt"], "validThrough": session["endsAt"]}
    if number == 1:
        products += session["others"]
    url = f"{base}/flash-sale/sessions/{session['id']}/items"
    links = {"next": number + 1} if number < last else {}
    link = ", ".join(f'<{url}?page={page}>; rel="{name}"' for name, page in (links | {"last": last}).items())
    return listed(products, len(session["items"]), (number - 1) * size + 1), link
