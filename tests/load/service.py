"""The instance: its seller and products, and what a check reads of it beside the API."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import quote

from clickhouse.account import PASSWORD as CLICKHOUSE_PASSWORD
from clickhouse.account import USER as CLICKHOUSE_USER
from demo_data.api import SIGNATURE, Api, Refused
from figures import command
from run.instance import Instance
from run.project import Failure

from ledger import PASSWORD, TOKEN_SECONDS, Account, Ledger, Product

PRODUCTS = 20
RUNNING_OUT = 5  # products of which there is little, so that some orders find none
LITTLE, PLENTY = 15, 1_000_000
LOOK_AGAIN_SECONDS = 0.5


class Service(Api):
    def __init__(self, name: str):
        self.instance = Instance(name)
        self.instance.require_running()
        record = self.instance.record
        super().__init__(record)
        self.payments, self.clickhouse = record["paymentsUrl"], record.get("clickhouseUrl")
        self.category = f"load {uuid.uuid4().hex[:8]}"

    def open_shop(self) -> Ledger:
        """A seller with products, and pages of another shop that can be watched."""
        seller = Account(f"{uuid.uuid4().hex}@load.example", PASSWORD)
        self.call("POST", "/users", {"email": seller.email, "password": PASSWORD, "displayName": "A seller"})
        self.refresh(seller)
        products = []
        for number in range(PRODUCTS):
            amount, stock = 500 + 25 * number, LITTLE if number < RUNNING_OUT else PLENTY
            new = {
                "name": f"Tea {number}", "description": "", "category": self.category, "stock": stock,
                "price": {"amount": amount, "currency": "SGD"},
            }  # fmt: skip
            known = self.call("POST", "/products", new, user=seller.email, key=uuid.uuid4().hex)["productId"]
            products.append(Product(known, amount, stock))
        return Ledger(seller, products)

    def watchable(self) -> list[str]:
        if not self.shop:
            return []
        # Of one path each, so that the pages of different instances differ.
        skus = [f"load-{number}" for number in range(5)]
        for sku in skus:
            self.change_shop(f"items/{sku}", {"name": sku, "price": "12.90", "currency": "SGD"})
        return [f"{self.shop}/item/{sku}" for sku in skus]

    def refresh(self, account: Account) -> None:
        """Logs in again, unless the token lasts for some minutes."""
        if not account.token or time.monotonic() - account.logged_in > TOKEN_SECONDS:
            if not self.log_in(account.email, account.password):
                raise Refused(f"{account.email} cannot log in")
            account.token, account.logged_in = self.tokens[account.email], time.monotonic()
        self.tokens[account.email] = account.token

    def walk(self, path: str, account: Account | None = None) -> Iterator[dict]:
        """All items of a list."""
        if account:
            self.refresh(account)
        separator = "&" if "?" in path else "?"
        cursor = ""
        while cursor is not None:
            after = f"&cursor={quote(cursor)}" if cursor else ""
            page = self.call("GET", f"{path}{separator}limit=100{after}", user=account and account.email)
            yield from page["items"]
            cursor = page.get("nextCursor")

    def intents(self, order: str) -> list[dict]:
        status, answer = self.send("GET", f"{self.payments}/_souk/orders/{order}", None, {})
        if status != 200:
            raise Refused(f"payments of {order}: {status} {answer}")
        return answer["intents"]

    def unsettled(self) -> set[str]:
        """The ids of orders whose stock or money may not agree with their status."""
        found = set()
        for shard in "0123456789abcdef":
            query = {
                "TableName": self.outputs["TableName"], "ConsistentRead": True, "KeyConditionExpression": "pk = :pk",
                "ExpressionAttributeValues": {":pk": {"S": f"UNSETTLED#{shard}"}},
            }  # fmt: skip
            answer = self.dynamodb("Query", query)
            found |= {item["sk"]["S"] for item in answer["Items"]}
        return found

    def concert_request(self, concert: str) -> dict | None:
        """What was asked for, with the ids that it was given; None once it has expired."""
        key = {"pk": {"S": f"CONCERT#{concert}"}, "sk": {"S": "REQUEST"}}
        item = self.dynamodb("GetItem", {"TableName": self.outputs["TableName"], "Key": key, "ConsistentRead": True}).get("Item")
        return item and json.loads(item["input"]["S"])

    def is_seen(self, path: str) -> bool:
        """Whether there is something at a path, and not an empty list."""
        status, answer = self.send("GET", self.base + path, None, {})
        if status not in (200, 404):
            raise Refused(f"GET {path}: {status} {answer}")
        return status == 200 and answer.get("items") != []

    def clickhouse_rows(self, statement: str) -> list[dict]:
        headers = {"X-ClickHouse-User": CLICKHOUSE_USER, "X-ClickHouse-Key": CLICKHOUSE_PASSWORD}
        address = f"{self.clickhouse}/?database=souk&query={quote(statement + ' FORMAT JSONCompact')}"
        status, answer = self.send("POST", address, None, headers)
        if status != 200:
            raise Refused(f"ClickHouse: {status} {answer}")
        return [dict(zip((column["name"] for column in answer["meta"]), row, strict=True)) for row in answer["data"]]

    def configure(self, function: str, **variables: str) -> dict[str, str]:
        """Changes settings of a function, and returns what they were."""
        address = f"{self.endpoint}/2015-03-31/functions/souk-{function}/configuration"
        headers = {"authorization": SIGNATURE.format("lambda"), "content-type": "application/json"}
        status, answer = self.send("GET", address, None, headers)
        known = answer["Environment"]["Variables"] if status == 200 else {}
        status, answer = self.send("PUT", address, {"Environment": {"Variables": known | variables}}, headers)
        if status != 200:
            raise Refused(f"configuration of {function}: {status} {answer}")
        return {name: known[name] for name in variables}

    def figures(self, begin: float, end: float) -> dict:
        """What `localstack/metrics` shows of a period, in seconds since 1970."""
        return command.gathered(self.instance.directory, self.instance.name, int(begin * 1000), int(end * 1000), "count")

    def control(self, method: str, url: str, path: str, document=None):
        status, answer = self.send(method, f"{url}/_souk/{path}", document, {})
        if status != 200:
            raise Refused(f"{method} {path}: {status} {json.dumps(answer)}")
        return answer


def eventually(find: Callable, complaint: str, seconds: float):
    """Waits for the first true value of `find()`."""
    deadline = time.monotonic() + seconds
    while not (found := find()):
        if time.monotonic() > deadline:
            raise Failure(f"{complaint} within {seconds:.0f} s")
        time.sleep(LOOK_AGAIN_SECONDS)
    return found
