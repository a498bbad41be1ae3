"""Price experiments: what a visitor sees and pays, and what their seller does with them."""

import json

from playwright.sync_api import expect
from souk import DEMO, BrowserTest

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
        self.enter(page, buyer, f"/products/{product['productId']}")
        expect(page.get_by_role("article")).to_contain_text("$15.00")
        # A visitor that the browser became elsewhere does not count for the account.
        page.evaluate("fetch('/visitors', { method: 'POST' })")
        page.get_by_role("button", name="Put into the basket").click()
        page.get_by_role("link", name="Go to the basket").click()
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Pay $15.00").click()
        expect(page.get_by_role("main").get_by_text("confirmed")).to_be_visible()

    def test_an_experiment_is_drafted_changed_started_and_stopped_with_a_winner(self):
        seller = self.register()
        product = self.publish(seller, name="Kettle to test")
        page = self.page()
        self.enter(page, seller, "/experiments")
        expect(page.get_by_text("You have no experiments yet.", exact=False)).to_be_visible()
        page.evaluate("id => { location.hash = `#/products/${id}`; }", product["productId"])
        page.get_by_role("link", name="Test another price").click()
        self.heading(page, "Draft an experiment")
        page.get_by_label("Name").fill("Kettle at twelve")
        control, low = page.get_by_role("group", name="Control"), page.get_by_role("group", name="Variant 1")
        control.get_by_label("Share, per cent").fill("40")
        save = page.get_by_role("button", name="Save the draft")
        save.click()
        expect(page.get_by_role("alert")).to_contain_text("90%")
        low.get_by_label("Share, per cent").fill("60")
        save.click()
        expect(page.get_by_role("alert")).to_contain_text("prices of 1 to 50 products")
        low.get_by_label("Kettle to test").fill("12")
        low.get_by_label("Key").fill("control")
        save.click()
        expect(low.get_by_label("Key")).to_have_attribute("aria-invalid", "true")
        low.get_by_label("Key").fill("low")
        save.click()
        self.heading(page, "Kettle at twelve")
        prices = page.get_by_role("region", name="Prices of the variants")
        expect(prices.get_by_role("row").nth(1)).to_contain_text("Kettle to test$15.00$12.00")
        page.get_by_role("button", name="Change the draft").click()
        page.get_by_label("Name").fill("Kettle at eleven")
        page.get_by_role("button", name="Add a variant").click()
        page.get_by_role("group", name="Variant 2").get_by_label("Kettle to test").fill("11")
        save.click()
        self.heading(page, "Kettle at eleven")
        page.get_by_role("button", name="Start the experiment").click()
        page.get_by_role("button", name="Start it").click()
        expect(page.get_by_text("running", exact=True)).to_be_visible()
        expect(page.get_by_text("No visitor has been counted yet.", exact=False).or_(page.get_by_text("There are no figures at the moment", exact=False))).to_be_visible()
        page.get_by_role("button", name="Stop the experiment").click()
        page.get_by_label("Prices from then on").select_option("variant-2")
        page.get_by_role("button", name="Stop it").click()
        expect(page.get_by_text("You stopped it. The products have the prices of variant-2 now.")).to_be_visible()
        self.assertEqual(self.api.call("GET", f"/products/{product['productId']}")["price"]["amount"], 1100)
        page.get_by_role("link", name="Price experiments").click()
        expect(page.get_by_role("link", name="Kettle at eleven")).to_contain_text("3 variants, 1 product")

    def test_the_keyboard_alone_starts_and_stops_an_experiment(self):
        seller = self.register()
        product = self.publish(seller, name="Keyed kettle")
        page = self.page()
        self.enter(page, seller, f"/experiments/new?product={product['productId']}")
        expect(page.get_by_role("textbox", name="Keyed kettle")).to_be_visible()
        self.key_in(page, "Name", "Kettle by keys")
        self.key_in(page, "Keyed kettle", "12")
        self.press(page, "Save the draft")
        self.heading(page, "Kettle by keys")
        for button, confirmation, outcome in [
            ("Start the experiment", "Start it", page.get_by_text("running", exact=True)),
            ("Stop the experiment", "Stop it", page.get_by_text("You stopped it.", exact=False)),
        ]:
            expect(page.get_by_role("button", name=button)).to_be_visible()
            self.press(page, button)
            self.press(page, confirmation)
            expect(outcome).to_be_visible()

    def test_what_cannot_start_says_why(self):
        seller = self.register()
        product = self.publish(seller, name="Wanted twice")
        first = self.started(seller, product)
        page = self.page()
        draft = {"name": "Second", "variants": first["variants"], "metrics": first["metrics"]}
        second = self.api.call("POST", "/experiments", draft, user=seller)
        self.enter(page, seller, f"/experiments/{second['experimentId']}")
        self.heading(page, "Second")
        page.get_by_role("button", name="Start the experiment").click()
        page.get_by_role("button", name="Start it").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("low: Wanted twice is in the running experiment")
        # Two windows: what the other one changed is not overwritten unseen.
        page.get_by_role("button", name="Not now").click()
        self.api.call("PATCH", f"/experiments/{second['experimentId']}", {"name": "Second, elsewhere"}, user=seller, headers={"if-match": '"1"'})
        page.get_by_role("button", name="Change the draft").click()
        page.get_by_label("Name").fill("Second, here")
        page.get_by_role("button", name="Save the draft").click()
        expect(page.get_by_text("The experiment was changed meanwhile.")).to_be_visible()
        page.get_by_role("button", name="Save the draft").click()
        self.heading(page, "Second, here")

    def test_results_say_what_was_found_in_words_bars_and_figures(self):
        page = self.page()
        self.open_session(DEMO)
        self.enter(page, DEMO, "/experiments")
        page.get_by_role("link", name="Serving board, cheaper or dearer").click()
        words = page.locator(".verdict")
        expect(words).to_contain_text("present is better than control: each visitor brings more, by +")
        expect(words).to_contain_text("heirloom is not decided yet: if the difference stays as it is, it takes about")
        revenue = page.get_by_role("region", name="Revenue per visitor, decides")
        expect(revenue.get_by_role("img")).to_have_count(2)
        expect(revenue.get_by_role("img", name="present: +", exact=False)).to_be_visible()
        revenue.get_by_text("The figures").click()
        expect(revenue.get_by_role("table", name="CUPED")).to_be_visible()
        visitors = page.get_by_role("region", name="Visitors of the variants").get_by_role("row").nth(1).get_by_role("cell").first
        everybody = int(visitors.text_content().replace(",", ""))
        days = page.get_by_role("region", name="Day by day")
        expect(days.locator("canvas")).to_be_visible()
        days.get_by_label("Show").select_option("New visitors")
        column = days.get_by_role("table").get_by_role("row").all()[1:]
        self.assertGreater(len(column), 13)
        self.assertEqual(sum(int(row.get_by_role("cell").first.text_content().replace(",", "")) for row in column), everybody, "the days sum to the total")

    def test_warnings_and_what_to_do_without_figures(self):
        page = self.page()
        self.open_session(DEMO)
        self.enter(page, DEMO, "/experiments")
        answers = []

        def change(route):
            answer = route.fetch()
            body = answer.json()
            body["sampleRatio"] = {"statistic": 40.0, "pValue": 0.0000012, "mismatch": True}
            body["excluded"] = {"multipleExposures": 1, "bots": 41}
            answers.append(body)
            route.fulfill(response=answer, body=json.dumps(body))

        page.route("**/results", change)
        page.get_by_role("link", name="Serving board, cheaper or dearer").click()
        expect(page.get_by_role("alert")).to_contain_text("Do not trust these figures.")
        expect(page.get_by_role("main")).to_contain_text("1 visitor who met two variants, 41 visitors who are programs")
        page.unroute("**/results")
        unavailable = '{"type": "urn:souk:problem:unavailable", "status": 503, "detail": "Try again."}'
        page.route("**/results", lambda route: route.fulfill(status=503, content_type="application/problem+json", body=unavailable))
        page.get_by_role("button", name="Look again").click()
        expect(page.get_by_text("There are no figures at the moment", exact=False)).to_be_visible()
        page.unroute("**/results")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".verdict")).to_be_visible()
        page.context.set_offline(True)
        page.get_by_role("button", name="Look again").click()
        expect(page.get_by_role("alert")).to_contain_text("Nothing was lost")
        page.context.set_offline(False)
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".verdict")).to_be_visible()
