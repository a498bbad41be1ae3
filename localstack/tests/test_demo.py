"""demo_data/load.py, without an instance: what it does again after it failed, and when it opens a flash sale."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from demo_data import load
from demo_data.api import Refused
from demo_data.goods import PRODUCTS, USERS
from demo_data.progress import Progress


class Market:
    """What an instance without shop and ClickHouse answers; it fails at one request."""

    def __init__(self, _record: dict):
        self.shop = self.clickhouse = None
        self.tokens = {}

    users: set = set()
    requests: list = []
    fails_at: int | None = None
    sessions: list = []

    def log_in(self, user: str, _password: str) -> bool:
        return user in self.users

    def call(self, method: str, path: str, body=None, **_others) -> dict:
        if path == "/flash-sales/current":
            return {"sessions": self.sessions}
        if self.fails_at == len(self.requests):
            type(self).fails_at = None
            raise Refused("no")
        self.requests.append((path, (body or {}).get("name")))
        if path == "/users":
            self.users.add(body["email"])
        return (body or {}) | {"productId": body.get("name"), "orderId": "order"}


class Demo(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="souk-test-")
        self.addCleanup(folder.cleanup)
        self.record = Path(folder.name) / "instance.json"
        self.record.write_text("{}")
        Market.users, Market.requests, Market.fails_at, Market.sessions = set(), [], None, []
        replaced = mock.patch.object(load, "Api", Market)
        replaced.start()
        self.addCleanup(replaced.stop)

    def main(self) -> int:
        with contextlib.redirect_stderr(io.StringIO()):
            return load.main(str(self.record))

    def published(self) -> list[str]:
        return [name for path, name in Market.requests if path == "/products"]

    def test_a_load_that_failed_goes_on_with_what_is_missing(self):
        for fails_at in (0, 3, len(USERS), len(USERS) + 10, len(USERS) + len(PRODUCTS) + 2):
            self.setUp()
            Market.fails_at = fails_at
            self.assertEqual(self.main(), 1, fails_at)
            self.assertEqual(self.main(), 0)
            self.assertEqual(sorted(self.published()), sorted(name for _, name, *_ in PRODUCTS))
            self.assertEqual(len(Market.users), len(USERS))
            before = len(Market.requests)
            self.assertEqual(self.main(), 0)
            self.assertEqual(len(Market.requests), before, "there is nothing left to load")

    def test_data_that_were_lost_are_loaded_again(self):
        self.main()
        Market.users.clear()
        self.main()
        self.assertEqual(len(self.published()), 2 * len(PRODUCTS))

    def test_an_instance_whose_record_says_that_it_has_the_data_gets_none(self):
        self.record.write_text(json.dumps({"demo": True}))
        Market.users.update(USERS)
        self.assertEqual((self.main(), Market.requests), (0, []))

    def test_a_flash_sale_is_opened_if_none_is_on(self):
        opened = []
        self.record.write_text(json.dumps({"demo": True}))
        Market.users.update(USERS)
        with mock.patch.object(load, "open_sale", opened.append), mock.patch.object(Market, "__init__", with_shop):
            self.main()
            self.assertEqual(len(opened), 1)
            Market.sessions = [{"id": "demo"}]
            self.main()
            self.assertEqual(len(opened), 1)

    def test_a_part_is_done_once(self):
        for _ in range(2):
            progress = Progress(self.record.with_name("demo.json"))
            self.assertEqual(progress.once("part", lambda: [1]), [1])
        self.assertEqual(progress.once("part", lambda: self.fail("again")), [1])
        progress.forget()
        self.assertEqual(Progress(progress.file).once("part", lambda: [2]), [2])


def with_shop(self, _record: dict) -> None:
    self.shop, self.clickhouse, self.tokens = "http://shop", None, {}
