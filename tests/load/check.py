"""What has to be true at the end, whatever happened meanwhile: stock, orders, money, ratings and events agree."""

import collections
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from run.project import Failure

from ledger import Ledger, Product
from service import Service, eventually

AT_ONCE = 6
SETTLE_SECONDS = 60
SWEEPS = ("order-sweep", "concert-sweep")
ENDED = ("confirmed", "cancelled", "rejected")


@dataclass
class Finding:
    name: str
    said: str  # what was compared
    wrong: list[str]


class Checks:
    def __init__(self, service: Service, ledger: Ledger):
        self.service, self.ledger = service, ledger
        self.orders: dict[str, dict] = {}

    def all(self, tell: Callable[[str], None]) -> list[Finding]:
        findings = []
        checks = (
            self.check_orders, self.check_stock, self.check_money, self.check_ratings, self.check_concerts, self.check_events,
            self.check_purchases,
        )  # fmt: skip
        for check in checks:
            begun = time.monotonic()
            finding = check()
            findings.append(finding)
            result = "exact" if not finding.wrong else f"WRONG: {'; '.join(finding.wrong[:5])}"
            tell(f"{finding.name}: {finding.said}: {result} ({time.monotonic() - begun:.0f} s)")
        return findings

    def settle(self) -> None:
        """Waits until no execution runs; then lets the sweep finish what is left, whatever its age."""
        eventually(self.is_idle, "executions, queues or readers of the stream have work", SETTLE_SECONDS)
        before = {sweep: self.service.configure(sweep, SWEEP_AFTER_SECONDS="0") for sweep in SWEEPS}
        try:
            eventually(self.sweep, "orders are unsettled, or concerts pending,", SETTLE_SECONDS)
        finally:
            for sweep, settings in before.items():
                self.service.configure(sweep, **settings)

    def is_idle(self) -> bool:
        now = time.time()
        figures = self.service.figures(now - 10, now)["machine"]
        behind = any(each["behind"] for each in figures["streams"] + figures["topics"])
        return not behind and not any(each["running"] for each in figures["executions"])

    def sweep(self) -> bool:
        """Whether nothing is left to do for the sweeps."""
        unsettled, pending = self.of_run() & self.service.unsettled(), self.pending()
        if unsettled:
            # A sweep waits longer after each failure of an order, and leaves it to a person at last.
            self.service.invoke("order-sweep", {"retry": sorted(unsettled)})
        if pending:
            self.service.invoke("concert-sweep", {})
        return not unsettled and not pending

    def pending(self) -> list[str]:
        return [known for known in self.ledger.concerts if self.concert(known).get("status") == "pending"]

    def concert(self, known: str) -> dict:
        return self.service.call("GET", f"/concerts/{known}", accept=(404,))

    def of_run(self) -> set[str]:
        if not self.orders:
            self.read_orders()
        return set(self.orders)

    def read_orders(self) -> None:
        """All orders of all buyers, those too whose answers were lost."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            lists = pool.map(lambda buyer: list(self.service.walk("/orders", buyer)), self.ledger.buyers)
            self.orders = {order["orderId"]: order for orders in lists for order in orders}

    def check_orders(self) -> Finding:
        self.settle()
        self.read_orders()
        wrong = [f"{known} is {order['status']}" for known, order in self.orders.items() if order["status"] not in ENDED]
        for known, told in self.ledger.answered.items():
            status = self.orders.get(known, {}).get("status", "not there")
            allowed = {"cancelled"} if known in self.ledger.cancelled else {"confirmed"} if told == "confirmed" else set(ENDED)
            # A cancellation whose answer was given up may have been carried out.
            allowed |= {"cancelled"} if self.ledger.unanswered and told == "confirmed" else set()
            if status not in allowed:
                wrong.append(f"{known} was {told} to its buyer, and is {status}")
        counts = collections.Counter(order["status"] for order in self.orders.values())
        said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "none"
        return Finding("orders", said, wrong + [f"{each} is unsettled" for each in sorted(self.of_run() & self.service.unsettled())])

    def sold(self) -> collections.Counter:
        sold: collections.Counter = collections.Counter()
        for order in self.orders.values():
            if order["status"] == "confirmed":
                sold.update({line["productId"]: line["quantity"] for line in order["lines"]})
        return sold

    def shown(self, product: Product) -> dict:
        return self.service.call("GET", f"/products/{product.id}")

    def compared(self, name: str, said: str, faulty: Callable[[Product], str]) -> Finding:
        """Compares each product until it is right, as a page of the cache may be some seconds behind."""

        def wrong_of(product: Product) -> str:
            try:
                eventually(lambda: not faulty(product), name, SETTLE_SECONDS / 3)
            except Failure:
                return faulty(product)
            return ""

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return Finding(name, said, [each for each in pool.map(wrong_of, self.ledger.products) if each])

    def check_stock(self) -> Finding:
        sold = self.sold()

        def faulty(product: Product) -> str:
            left, wanted = self.shown(product)["stock"], product.stock - sold[product.id]
            return "" if left == wanted >= 0 else f"{product.id}: {left} left of {product.stock}, {sold[product.id]} sold"

        return self.compared("stock", f"{sum(sold.values())} sold, {len(self.ledger.products)} products", faulty)

    def check_money(self) -> Finding:
        """Of a confirmed order its total is taken once, of any other nothing, and nothing is held."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            wrong = [each for each in pool.map(self.money_wrong, self.orders.values()) if each]
        confirmed = [order["total"]["amount"] for order in self.orders.values() if order["status"] == "confirmed"]
        return Finding("money", f"{sum(confirmed) / 100:,.2f} SGD for {len(confirmed)} orders", wrong)

    def money_wrong(self, order: dict) -> str:
        intents = self.service.intents(order["orderId"])
        held = sum(intent["amount_capturable"] for intent in intents)
        taken = sum(intent["amount_received"] for intent in intents)
        back = sum(refund["amount"] for intent in intents for refund in intent["refunds"] if refund["status"] == "succeeded")
        due = order["total"]["amount"] if order["status"] == "confirmed" else 0
        if (held, taken - back) == (0, due) and len(intents) <= 1:
            return ""
        return f"{order['orderId']} is {order['status']}: {held} held, {taken} taken, {back} given back in {len(intents)} payments"

    def check_ratings(self) -> Finding:
        wanted: dict[str, dict[str, int]] = collections.defaultdict(dict)
        for (product, author), rating in self.ledger.ratings.items():
            wanted[product][author] = rating

        def faulty(product: Product) -> str:
            reviews = {each["authorId"]: each["rating"] for each in self.service.walk(f"/products/{product.id}/reviews")}
            counts = collections.Counter(reviews.values())
            histogram = {f"{stars}": counts[stars] for stars in range(1, 6)}
            rating = self.shown(product)["rating"]
            # A review whose request was given up may be there, or have another rating.
            if reviews != wanted[product.id] and not self.ledger.unanswered:
                return f"{product.id}: the reviews differ from those that were written"
            if rating["histogram"] != histogram or rating["count"] != len(reviews):
                return f"{product.id}: {rating} for {histogram}"
            return ""

        return self.compared("ratings", f"{len(self.ledger.ratings)} reviews", faulty)

    def check_concerts(self) -> Finding:
        """All of a concert is seen, or nothing of it."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            wrong = [each for each in pool.map(self.concert_wrong, self.ledger.concerts) if each]
        return Finding("concerts", f"{len(self.ledger.concerts)} asked for", wrong)

    def concert_wrong(self, known: str) -> str:
        status = self.concert(known).get("status")
        request = self.service.concert_request(known)
        if status == "pending" or request is None:
            return f"concert {known} is {status}, and its request is {request}"
        parts = [f"/venues/{request['venue']['venueId']}"]
        for band in request["bands"]:
            parts += [f"/bands/{band['bandId']}", f"/concerts?bandIds={band['bandId']}"]
        seen = [part for part in parts if self.service.is_seen(part)]
        wanted = [] if status == "failed" else parts
        return "" if seen == wanted else f"concert {known} is {status or 'created'}: {len(seen)} of {len(parts)} parts are seen"

    def check_events(self) -> Finding:
        total = sum(self.ledger.events.values())
        if not self.service.clickhouse:
            return Finding("events", f"{total} sent, and no ClickHouse to count them", [])
        seller = self.ledger.seller

        def faulty(product: Product) -> str:
            self.service.refresh(seller)
            items = self.service.call("GET", f"/events/summary?productId={product.id}", user=seller.email)["items"]
            counted: collections.Counter = collections.Counter()
            for item in items:
                counted[item["event"]] += item["events"]
            sent = {name: count for (known, name), count in self.ledger.events.items() if known == product.id}
            seen = {name: counted[name] for name in sent}
            # A batch that was given up may have been stored.
            right = all(seen[name] >= sent[name] for name in sent) if self.ledger.unanswered else seen == sent
            return "" if right else f"{product.id}: {seen} counted of {sent}"

        return self.compared("events", f"{total} sent", faulty)

    def check_purchases(self) -> Finding:
        """The sums by order in ClickHouse: the total of a confirmed order, and nothing of any other."""
        if not self.service.clickhouse:
            return Finding("purchases", "no ClickHouse", [])
        due = {known: order["total"]["amount"] if order["status"] == "confirmed" else 0 for known, order in self.orders.items()}

        def wrong() -> list[str]:
            statement = "SELECT order, sum(amount) AS amount FROM events FINAL WHERE kind IN ('purchase', 'cancellation') GROUP BY order"
            amounts = {row["order"]: int(row["amount"]) for row in self.service.clickhouse_rows(statement)}
            return [f"{known}: {amounts.get(known, 0)} of {amount}" for known, amount in due.items() if amounts.get(known, 0) != amount]

        try:
            eventually(lambda: not wrong(), "purchases", SETTLE_SECONDS / 3)
        except Failure:
            return Finding("purchases", f"{len(due)} orders", wrong())
        return Finding("purchases", f"{sum(1 for amount in due.values() if amount)} stand", [])
