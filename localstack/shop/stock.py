"""What the shop sells: its items and its flash sale, in one file."""

import json
import re
import threading
from pathlib import Path

from loopback import Malformed

MARKUPS = ("json-ld", "microdata", "opengraph", "none")
AVAILABILITIES = ("InStock", "OutOfStock", "PreOrder", "BackOrder", "Discontinued")
ITEM = {"name": str, "price": str | None, "currency": str, "availability": str, "markup": str}
SESSION = {"id": str, "name": str, "startsAt": str, "endsAt": str, "pageSize": int, "items": list, "others": list}
SKU = r"[A-Za-z0-9._-]{1,100}"
DEMO = {
    "sencha": {"name": "Sencha, 100 g", "price": "12.90"},
    "gyokuro": {"name": "Gyokuro, 50 g", "price": "34.00", "markup": "microdata"},
    "teapot": {"name": "Teapot, 400 ml", "price": "59.90", "availability": "OutOfStock", "markup": "opengraph"},
}


class Stock:
    def __init__(self, file: Path | None = None):
        """Without a file, it exists in memory alone."""
        self.file, self.lock = file, threading.Lock()
        self.items: dict[str, dict] = {}
        self.sessions: list[dict] = []
        if file is not None and file.exists():
            known = json.loads(file.read_text())
            self.items, self.sessions = known["items"], known["sessions"]
        else:
            for sku, members in DEMO.items():
                self.put(sku, members)

    def item(self, sku: str) -> dict | None:
        with self.lock:
            return self.items.get(sku)

    def put(self, sku: str, members) -> dict:
        """Creates an item, or changes the members of it that are given. Each item has a price of its own currency."""
        with self.lock:
            item = self.changed(sku, members)
            self.items[sku] = item
            self.save()
            return item

    def changed(self, sku: str, members) -> dict:
        if not re.fullmatch(SKU, sku):
            raise Malformed(f"a SKU is {SKU}")
        check(members, ITEM)
        default = {"name": f"Item {sku}", "price": "9.90", "currency": "SGD", "availability": "InStock"}
        item = default | {"markup": "json-ld"} | self.items.get(sku, {}) | members
        for name, known in (("markup", MARKUPS), ("availability", AVAILABILITIES)):
            if item[name] not in known:
                raise Malformed(f"{name} {item[name]!r}: one of {', '.join(known)} is wanted")
        return item

    def delete(self, sku: str) -> bool:
        with self.lock:
            found = self.items.pop(sku, None) is not None
            self.save()
            return found

    def put_sale(self, sessions) -> None:
        """Replaces the sessions of the flash sale. `items` are SKUs, or items with a SKU, which are created or changed."""
        if not isinstance(sessions, list):
            raise Malformed("the sessions are a list")
        wanted, items = [], {}
        with self.lock:
            for session in sessions:
                check(session, SESSION)
                if missing := SESSION.keys() - {"pageSize", "others"} - session.keys():
                    raise Malformed(f"a session needs {', '.join(sorted(missing))}")
                skus = []
                for each in session["items"]:
                    members = {"sku": each} if isinstance(each, str) else dict(each)
                    skus.append(sku := members.pop("sku", ""))
                    items[sku] = self.changed(sku, members)
                wanted.append({"pageSize": 50, "others": [], **session, "items": skus})
            self.items |= items
            self.sessions = wanted
            self.save()

    def save(self) -> None:
        if self.file is None:
            return
        temporary = self.file.with_suffix(".tmp")
        temporary.write_text(json.dumps({"items": self.items, "sessions": self.sessions}))
        temporary.replace(self.file)


def check(members, known: dict) -> None:
    if not isinstance(members, dict):
        raise Malformed("an object is wanted")
    for name, value in members.items():
        if name not in known:
            raise Malformed(f"there is no member {name}")
        if not isinstance(value, known[name]):
            raise Malformed(f"{name} {value!r} has another type")
