"""The checks find what is wrong. `python3 -m unittest discover --start-directory tests/load` runs this, without an instance."""

import copy
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "localstack")]

import bottleneck  # noqa: E402
import check  # noqa: E402
from ledger import Account, Ledger, Product  # noqa: E402

BUYER, SELLER = Account("ada", "", "u1", "t"), Account("bob", "", "u2", "t")
TEA = "p1"


def order(known: str, status: str, quantity: int = 2) -> dict:
    lines = [{"productId": TEA, "quantity": quantity}]
    return {"orderId": known, "status": status, "lines": lines, "total": {"amount": 500 * quantity}}


def intent(received: int, refunded: int = 0, held: int = 0) -> dict:
    refunds = [{"amount": refunded, "status": "succeeded"}] if refunded else []
    return {"amount_received": received, "amount_capturable": held, "refunds": refunds}


class World:
    """What the service would answer: one product, three orders, a review, a concert, three events."""

    def __init__(self):
        self.orders = {known: order(known, status) for known, status in (("o1", "confirmed"), ("o2", "cancelled"), ("o3", "rejected"))}
        self.payments = {"o1": [intent(1000)], "o2": [intent(1000, 1000)], "o3": []}
        self.stock = 8
        self.reviews = {"u1": 4}
        self.rating = {"count": 1, "histogram": {"1": 0, "2": 0, "3": 0, "4": 1, "5": 0}}
        self.events = {"Seen": 3}
        self.amounts = {"o1": 1000, "o2": 0}
        self.left, self.invoked = set(), []
        self.concert: dict = {"concertId": "c1"}
        self.parts = {"/venues/v1", "/bands/b1", "/concerts?bandIds=b1"}
        self.clickhouse = "http://127.0.0.1:1"

    def figures(self, _begin, _end):
        return {"machine": {"streams": [], "topics": [], "executions": []}}

    def configure(self, _function, **variables):
        return variables

    def unsettled(self):
        return self.left

    def invoke(self, function, event):
        self.invoked.append((function, event))

    def refresh(self, _account):
        pass

    def walk(self, path, _account=None):
        if path == "/orders":
            return copy.deepcopy(list(self.orders.values()))
        return [{"authorId": author, "rating": rating} for author, rating in self.reviews.items()]

    def call(self, _method, path, user=None, accept=()):
        if path.startswith("/events"):
            return {"items": [{"event": name, "events": count} for name, count in self.events.items()]}
        return self.concert if path.startswith("/concerts") else {"stock": self.stock, "rating": self.rating}

    def intents(self, known):
        return self.payments[known]

    def concert_request(self, _known):
        return {"venue": {"venueId": "v1"}, "bands": [{"bandId": "b1"}]}

    def is_seen(self, path):
        return path in self.parts

    def clickhouse_rows(self, _statement):
        return [{"order": known, "amount": f"{amount}"} for known, amount in self.amounts.items()]


class Checks(unittest.TestCase):
    def setUp(self):
        seconds, check.SETTLE_SECONDS = check.SETTLE_SECONDS, 0
        self.addCleanup(setattr, check, "SETTLE_SECONDS", seconds)
        self.world = World()
        self.ledger = Ledger(SELLER, [Product(TEA, 500, 10)], [BUYER], {"o1": "confirmed", "o2": "confirmed"}, {"o2"}, ["c1"])
        self.ledger.ratings[TEA, "u1"] = 4
        self.ledger.events[TEA, "Seen"] = 3

    def wrong(self) -> list[str]:
        return [finding.name for finding in check.Checks(self.world, self.ledger).all(lambda _text: None) if finding.wrong]

    def test_a_world_that_agrees(self):
        self.assertEqual(self.wrong(), [])

    def test_each_disagreement_is_found(self):
        def change(**members):
            return lambda world: world.__dict__.update(members)

        cases = {
            "a unit of stock too many": (change(stock=9), ["stock"]),
            "stock that was sold twice": (lambda world: world.orders.update(o4=order("o4", "confirmed", 12)) or world.payments.update(o4=[intent(6000)]) or world.amounts.update(o4=6000), ["stock"]),
            "a pending order": (lambda world: world.orders["o3"].update(status="pending"), ["orders"]),
            "a confirmed order that is gone": (lambda world: world.orders["o1"].update(status="rejected"), ["orders", "stock", "money", "purchases"]),
            "a cancellation that was forgotten": (lambda world: world.orders["o2"].update(status="confirmed"), ["orders", "stock", "money", "purchases"]),
            "money taken twice": (lambda world: world.payments.update(o1=[intent(1000), intent(1000)]), ["money"]),
            "money of a cancelled order": (lambda world: world.payments.update(o2=[intent(1000)]), ["money"]),
            "money that is held": (lambda world: world.payments.update(o3=[intent(0, held=1000)]), ["money"]),
            "a rating that counts twice": (change(rating={"count": 2, "histogram": {"1": 0, "2": 0, "3": 0, "4": 2, "5": 0}}), ["ratings"]),
            "a review that is lost": (change(reviews={}, rating={"count": 0, "histogram": {f"{stars}": 0 for stars in range(1, 6)}}), ["ratings"]),
            "a part of a concert": (lambda world: world.parts.remove("/bands/b1"), ["concerts"]),
            "the rest of a failed concert": (change(concert={"status": "failed"}), ["concerts"]),
            "an event that counts twice": (change(events={"Seen": 4}), ["events"]),
            "an event that is lost": (change(events={}), ["events"]),
            "a purchase that is lost": (lambda world: world.amounts.pop("o1"), ["purchases"]),
            "a cancellation that does not count": (lambda world: world.amounts.update(o2=1000), ["purchases"]),
        }  # fmt: skip
        for name, (spoil, wanted) in cases.items():
            with self.subTest(name):
                self.world = World()
                spoil(self.world)
                self.assertEqual(self.wrong(), wanted)

    def test_what_is_unsettled_is_swept_and_otherwise_a_failure(self):
        self.world.left = {"o3", "of-another-run"}
        with self.assertRaisesRegex(check.Failure, "orders are unsettled"):
            self.wrong()
        self.assertEqual(self.world.invoked[0], ("order-sweep", {"retry": ["o3"]}))


class Bottleneck(unittest.TestCase):
    def step(self, cpu: float, own: float = 0.1, **shares: float):
        processes = [{"name": name, "isFunction": name.startswith("get"), "cpuShare": share} for name, share in shares.items()]

        class Step:
            own_cpu = own
            figures = {"machine": {"host": {"cpu": cpu, "processors": 2}, "processes": processes}}

        return Step()

    def test_it_is_named(self):
        for name, step in {
            "emulator, which computes": self.step(1.5, emulator=0.97, get_product=0.2),
            "the load test, which computes": self.step(1.6, own=0.9, emulator=0.6),
            "the machine's processors, most of them for functions": self.step(1.95, emulator=0.8, get_product=0.6, get_user=0.4),
            "other programs on this machine": self.step(2.0, emulator=0.2),
            "nothing is busy": self.step(0.5, emulator=0.3),
        }.items():
            with self.subTest(name):
                self.assertIn(name, bottleneck.bottleneck(step))


if __name__ == "__main__":
    unittest.main()
