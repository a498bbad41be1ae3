"""Price experiments: what a visitor sees and pays."""

from playwright.sync_api import expect
from souk import BrowserTest

# So that a visitor is in the variant: all but one of ten thousand are.
MOST = [("control", 1, None), ("low", 9999, 1200)]


class Experiments(BrowserTest):
    def started(self, seller: str, product: dict, **members) -> dict:
        """An experiment that runs."""
        variants = [
            {"key": key, "weight": weight, "prices": [{"productId": product["productId"], "price": {"amount": amount, "currency": "SGD"}}] if amount else []}
            for key, weight, amount in MOST
        ]
        draft = {"name": "Cheaper", "variants": variants, "metrics": {"primary": "conversion"}} | members
        drafted = self.api.call("POST", "/experiments", draft, user=seller)
        return self.api.call("PATCH", f"/experiments/{drafted['experimentId']}", {"status": "running"}, user=seller, headers={"if-match": '"1"'})

    def test_a_visitor_sees_and_pays_the_price_of_the_variant_and_it_is_reported_once(self):
        seller, buyer = self.register(), self.register()
        product = self.publish(seller, name="Tested kettle")
        experiment = self.started(seller, product)
        page = self.page()
        reports = []
        page.on("request", lambda request: reports.append(request.post_data_json) if request.url.endswith("/events") else None)
        with page.expect_request("**/events"):
            page.goto(f"/#/category/{product['category']}")
            expect(page.locator(".card")).to_contain_text("$12.00")
        visitor = page.evaluate("JSON.parse(localStorage.getItem('souk.visitor')).visitorId")
        [event] = reports[0]["batch"]
        self.assertEqual((event["event"], event["anonymousId"]), ("Experiment Viewed", visitor))
        self.assertEqual(event["properties"], {"experimentId": experiment["experimentId"], "variationId": "low", "productId": product["productId"]})
        page.get_by_role("link", name="Tested kettle").click()
        self.heading(page, "Tested kettle")
        expect(page.get_by_role("article")).to_contain_text("$12.00")
        page.get_by_role("button", name="Put into the basket").click()
        page.get_by_role("link", name="Go to the basket").click()
        page.get_by_role("link", name="Log in to order").click()
        page.get_by_label("E-mail address").fill(buyer)
        page.get_by_label("Password").fill("correct horse battery")
        page.get_by_role("main").get_by_role("button", name="Log in").click()
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Pay").click()
        expect(page.get_by_role("main").get_by_text("confirmed")).to_be_visible()
        [order] = self.api.call("GET", "/orders", user=buyer)["items"]
        order = self.api.call("GET", f"/orders/{order['orderId']}", user=buyer)
        self.assertEqual((order["total"]["amount"], order["visitorId"]), (1200, visitor))
        self.assertEqual(order["lines"][0]["experiment"], {"experimentId": experiment["experimentId"], "variant": "low"})
        self.assertEqual(len(reports), 1, "one report says all")

    def test_an_account_without_a_visitor_sees_what_it_pays(self):
        seller, buyer = self.register(), self.register()
        product = self.publish(seller, name="Not for all")
        self.started(seller, product)
        page = self.page()
        page.route("**/visitors", lambda route: route.fulfill(status=429, content_type="application/problem+json", body='{"status": 429}'))
        self.log_in(page, buyer, f"/products/{product['productId']}")
        expect(page.get_by_role("article")).to_contain_text("$15.00")
        # Its cookie does not count for the account.
        page.evaluate("fetch('/visitors?', { method: 'POST' })")
        page.get_by_role("button", name="Put into the basket").click()
        page.get_by_role("link", name="Go to the basket").click()
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Pay $15.00").click()
        expect(page.get_by_role("main").get_by_text("confirmed")).to_be_visible()
