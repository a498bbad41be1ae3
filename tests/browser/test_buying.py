"""The shop, a product, and ordering."""

import json
import re
import time
import unittest

from playwright.sync_api import expect
from souk import BrowserTest

BUDGET_BYTES = 60 * 1024


class Buying(BrowserTest):
    def open_product(self, page, product):
        page.goto(f"/#/products/{product['productId']}")
        self.heading(page, product["name"])

    def fill_basket(self, page, product, quantity=1):
        self.open_product(page, product)
        page.get_by_label("Quantity").fill(str(quantity))
        page.get_by_role("button", name="Put into the basket").click()
        expect(page.get_by_role("status").filter(has_text="in the basket")).to_be_visible()
        page.get_by_role("link", name="Go to the basket").click()
        self.heading(page, "Basket")
        expect(page.locator(".total")).to_be_visible()  # the prices are read

    def put_in(self, page, *products):
        """Opens the basket with one piece of each product."""
        page.evaluate("ids => localStorage.setItem('souk.basket', JSON.stringify(ids.map((productId) => ({ productId, quantity: 1 }))))", [product["productId"] for product in products])
        page.goto("/#/basket")
        page.reload()
        self.heading(page, "Basket")
        expect(page.get_by_role("main").get_by_role("listitem")).to_have_count(len(products))

    def withdraw(self, seller, product):
        headers = {"authorization": f"Bearer {self.api.tokens[seller]}", "if-match": "*"}
        self.assertEqual(self.api.send("DELETE", f"{self.api.base}/products/{product['productId']}", None, headers)[0], 204)

    def assert_ordered_once(self, buyer, keys):
        self.assertEqual(len(set(keys)), 1, keys)
        orders = self.api.call("GET", "/orders", user=buyer)["items"]
        self.assertEqual(len(orders), 1, json.dumps(orders))

    def pay(self, page, method=None):
        if method:
            page.get_by_label("Pay with").select_option(method)
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Pay").click()

    def test_the_first_view_of_the_shop_weighs_less_than_60_kb(self):
        page = self.page()
        network = page.context.new_cdp_session(page)
        sizes, names = {}, {}
        network.on("Network.responseReceived", lambda event: names.update({event["requestId"]: event["response"]["url"]}))
        network.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
        network.send("Network.enable")
        began = time.monotonic()
        page.goto("/")
        expect(page.locator(".card").first).to_be_visible()
        seconds = time.monotonic() - began
        page.wait_for_load_state("networkidle")
        total = sum(sizes.values())
        print(f"first view: {total / 1024:.1f} KiB in {len(sizes)} requests, products shown after {seconds * 1000:.0f} ms")
        self.assertGreater(len(sizes), 8)
        detail = sorted(((size, names.get(key, key)) for key, size in sizes.items()), reverse=True)
        self.assertLess(total, BUDGET_BYTES, detail)

    def test_the_shop_leads_by_category_to_a_product_and_back(self):
        page = self.page()
        page.goto("/")
        self.heading(page, "New in the souk")
        categories = page.get_by_role("region", name="Categories and the number of their products")
        tea = categories.get_by_role("link", name=re.compile(r"^tea \d+ products$"))
        more = categories.get_by_role("button", name="More categories")
        expect(categories.get_by_role("link").first).to_be_visible()
        while not tea.count():
            shown = categories.get_by_role("link").count()
            more.click()
            expect(categories.get_by_role("link").nth(shown)).to_be_visible()
        products = len(self.api.call("GET", "/products?category=tea&limit=100")["items"])
        expect(tea).to_have_text(f"tea {products} products")
        tea.click()
        self.heading(page, "tea")
        expect(page.locator(".card")).to_have_count(products)
        page.go_back()
        self.heading(page, "New in the souk")
        page.get_by_label("Category").fill("tea")
        page.get_by_role("button", name="Show", exact=True).click()
        self.heading(page, "tea")
        page.get_by_role("link", name="Sencha, first flush").click()
        self.heading(page, "Sencha, first flush")
        self.assertEqual(page.evaluate("document.activeElement.tagName"), "H1")
        shared = page.url
        page.get_by_role("link", name="Demo seller").click()
        self.heading(page, "From Demo seller")
        page.go_back()
        page.go_back()
        self.heading(page, "tea")
        other = self.page()
        other.goto(shared)
        self.heading(other, "Sencha, first flush")
        expect(other.get_by_role("table", name="Reviews by stars")).to_be_visible()

    def test_an_order_is_confirmed_before_it_is_paid_and_can_be_cancelled(self):
        seller, buyer = self.register(), self.register()
        product = self.publish(seller, name="Kettle to order", stock=3)
        page = self.page()
        self.enter(page, buyer)
        self.fill_basket(page, product, 2)
        expect(page.get_by_text("Total S$30.00", exact=False).or_(page.get_by_text("Total $30.00")).first).to_be_visible()
        page.get_by_role("button", name="Pay").click()
        self.assertFalse(page.get_by_role("checkbox").evaluate("box => box.validity.valid"))
        self.pay(page)
        expect(page.get_by_role("main").get_by_text("confirmed")).to_be_visible()
        expect(page.get_by_role("cell", name="Kettle to order")).to_be_visible()
        page.get_by_role("button", name="Cancel the order").click()
        page.get_by_role("button", name="Cancel it").click()
        expect(page.get_by_text("It is cancelled.", exact=False)).to_be_visible()
        page.get_by_role("link", name="Your orders").click()
        expect(page.get_by_role("link", name="2 × Kettle to order")).to_be_visible()
        self.assertEqual(page.evaluate("localStorage.getItem('souk.basket')"), None)

    def test_a_price_that_changed_is_confirmed_again_before_anything_is_ordered(self):
        seller, buyer = self.register(), self.register()
        product = self.publish(seller, name="Dearer by then")
        page = self.page()
        self.enter(page, buyer)
        self.fill_basket(page, product)
        path = f"{self.api.base}/products/{product['productId']}"
        headers = {"authorization": f"Bearer {self.api.tokens[seller]}", "content-type": "application/json", "if-match": "*"}
        status, answer = self.api.send("PATCH", path, {"price": {"amount": 1750}}, headers)
        self.assertEqual(status, 200, answer)
        self.pay(page)
        expect(page.get_by_text("A price has changed; nothing was ordered.")).to_be_visible()
        expect(page.get_by_role("button", name="17.50")).to_be_visible()
        expect(page.get_by_role("checkbox")).not_to_be_checked()
        self.assertEqual(self.api.call("GET", "/orders", user=buyer)["items"], [])
        self.pay(page)
        expect(page.get_by_role("main").get_by_text("confirmed")).to_be_visible()

    def test_shortages_are_told_line_by_line_and_a_declined_payment_takes_nothing(self):
        seller, buyer = self.register(), self.register()
        plenty, scarce = self.publish(seller, name="Plenty of it", stock=9), self.publish(seller, name="Scarce by then", stock=4)
        page = self.page()
        self.enter(page, buyer)
        self.fill_basket(page, plenty)
        self.fill_basket(page, scarce, 4)
        headers = {"authorization": f"Bearer {self.api.tokens[seller]}", "content-type": "application/json", "idempotency-key": "sold"}
        status, answer = self.api.send("PUT", f"{self.api.base}/products/{scarce['productId']}/stock", {"stock": 1}, headers)
        self.assertEqual(status, 200, answer)
        self.pay(page)
        line = page.get_by_role("listitem").filter(has_text="Scarce by then")
        expect(line.get_by_role("alert")).to_contain_text("1 left")
        expect(page.get_by_role("listitem").filter(has_text="Plenty of it").get_by_role("alert")).to_have_count(0)
        line.get_by_role("button", name="Take 1").click()
        self.pay(page, "pm_card_visa_chargeDeclined")
        expect(page.get_by_text("Nothing was taken.")).to_be_visible()
        self.pay(page, "pm_card_visa")
        expect(page.get_by_role("main").get_by_text("confirmed")).to_be_visible()

    def test_a_reload_in_the_middle_of_an_order_does_not_order_twice(self):
        seller, buyer = self.register(), self.register()
        product = self.publish(seller, name="Ordered once", stock=5)
        page = self.page()
        self.enter(page, buyer)
        self.fill_basket(page, product)
        keys = self.lose_answers(page, "**/orders", "POST", times=2)
        self.pay(page)
        expect(page.get_by_role("alert")).to_contain_text("Souk does not answer")
        page.reload()
        expect(page.get_by_role("main").get_by_text("confirmed")).to_be_visible()
        self.assertEqual(len(keys), 3)
        self.assert_ordered_once(buyer, keys)
        page.goto("/#/basket")
        expect(page.get_by_text("Your basket is empty.")).to_be_visible()

    def test_a_second_try_after_a_lost_answer_does_not_order_twice(self):
        for how in (None, 503):
            with self.subTest(how):
                seller, buyer = self.register(), self.register()
                product = self.publish(seller, name="Ordered once", stock=5)
                page = self.page()
                self.enter(page, buyer)
                self.put_in(page, product)
                keys = self.lose_answers(page, "**/orders", "POST", how, times=2)
                self.pay(page)
                expect(page.get_by_role("alert")).to_contain_text("Souk")
                expect(page.get_by_text("Trying again cannot order twice.", exact=False)).to_be_visible()
                expect(page.get_by_role("button", name="Pay")).to_have_count(0)
                page.get_by_role("button", name="Try again").click()
                expect(page.get_by_role("main").get_by_text("confirmed")).to_be_visible()
                self.assertEqual(len(keys), 3)
                self.assert_ordered_once(buyer, keys)

    def two_tabs(self, buyer, product):
        context = self.context()
        tabs = [self.page(context), self.page(context)]
        self.enter(tabs[0], buyer)
        for tab in tabs:
            tab.goto("/")
            self.put_in(tab, product)
            tab.get_by_role("checkbox").check()
        return tabs

    def test_a_second_tab_does_not_order_again_what_a_first_one_sent(self):
        seller, buyer = self.register(), self.register()
        first, second = self.two_tabs(buyer, self.publish(seller, name="In two tabs", stock=5))
        keys = self.lose_answers(first, "**/orders", "POST", times=9)
        first.get_by_role("button", name="Pay").click()
        expect(first.get_by_text("Trying again cannot order twice.", exact=False)).to_be_visible()
        second.get_by_role("button", name="Pay").click()
        expect(second.get_by_role("main").get_by_text("confirmed")).to_be_visible()
        first.unroute_all()
        first.get_by_role("button", name="Try again").click()
        expect(first.get_by_role("main").get_by_text("confirmed")).to_be_visible()
        self.assert_ordered_once(buyer, keys)

    def test_two_tabs_that_pay_at_once_order_once(self):
        seller, buyer = self.register(), self.register()
        tabs = self.two_tabs(buyer, self.publish(seller, name="In two tabs at once", stock=5))
        keys = []
        tabs[0].context.on("request", lambda request: keys.append(request.headers["idempotency-key"]) if request.method == "POST" and request.url.endswith("/orders") else None)
        moment = tabs[0].evaluate("Date.now() + 1500")
        press = "moment => { setTimeout(() => document.querySelector('main form .primary').click(), moment - Date.now()); }"
        for tab in tabs:
            tab.evaluate(press, moment)
        for tab in tabs:
            expect(tab.get_by_role("button", name="Pay")).to_have_count(0)
            expect(tab.locator(".busy")).to_have_count(0)
        self.assert_ordered_once(buyer, keys)

    def test_an_order_whose_key_has_expired_is_not_sent_again(self):
        page = self.page()
        buyer = self.register()
        self.enter(page, buyer)
        user = self.api.call("GET", "/users/me", user=buyer)["userId"]
        page.evaluate("userId => localStorage.setItem('souk.order', JSON.stringify({ key: 'old', userId, at: Date.now() - 86400000, body: { lines: [] } }))", user)
        sent = []
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" and request.url.endswith("/orders") else None)
        page.evaluate("location.hash = '#/basket'")
        expect(page.get_by_role("alert")).to_contain_text("no answer came")
        page.get_by_role("button", name="Go to the basket").click()
        expect(page.get_by_text("Your basket is empty.")).to_be_visible()
        self.assertEqual(sent, [])

    def test_what_was_withdrawn_is_named_and_can_be_taken_out(self):
        seller, buyer = self.register(), self.register()
        gone, stays = self.publish(seller, name="Gone by then"), self.publish(seller, name="Stays there")
        page = self.page()
        self.enter(page, buyer)
        self.fill_basket(page, gone)
        self.fill_basket(page, stays)
        expect(page.get_by_role("checkbox")).to_be_visible()
        self.withdraw(seller, gone)
        self.pay(page)
        line = page.get_by_role("listitem").filter(has_text="Gone by then")
        expect(line).to_contain_text("was withdrawn")
        expect(page.get_by_role("main")).not_to_contain_text("/lines/")
        expect(page.get_by_role("button", name="Pay")).to_have_count(0)
        line.get_by_role("button", name="Take it out").click()
        expect(page.get_by_role("alert")).to_have_count(0)
        self.pay(page)
        expect(page.get_by_role("main").get_by_text("confirmed")).to_be_visible()

    def test_a_basket_of_which_everything_was_withdrawn_can_be_emptied(self):
        seller, buyer = self.register(), self.register()
        product = self.publish(seller, name="Gone altogether")
        self.withdraw(seller, product)
        page = self.page()
        self.enter(page, buyer)
        self.put_in(page, product)
        expect(page.get_by_role("listitem").filter(has_text="was withdrawn")).to_be_visible()
        page.get_by_role("button", name="Take it out").click()
        expect(page.get_by_text("Your basket is empty.")).to_be_visible()

    def test_what_is_short_is_not_ordered_unconfirmed(self):
        seller, buyer = self.register(), self.register()
        product = self.publish(seller, name="Short of it", stock=3)
        page = self.page()
        self.enter(page, buyer)
        self.fill_basket(page, product, 3)
        headers = {"authorization": f"Bearer {self.api.tokens[seller]}", "content-type": "application/json", "idempotency-key": "less"}
        self.assertEqual(self.api.send("PUT", f"{self.api.base}/products/{product['productId']}/stock", {"stock": 1}, headers)[0], 200)
        page.reload()
        expect(page.get_by_role("listitem").filter(has_text="Short of it").get_by_role("alert")).to_contain_text("There is only 1 left.")
        expect(page.get_by_role("button", name="Pay")).to_have_count(0)
        page.get_by_role("button", name="Take 1").click()
        page.get_by_role("button", name="Pay").click()
        self.assertFalse(page.get_by_role("checkbox").evaluate("box => box.validity.valid"))
        self.assertEqual(self.api.call("GET", "/orders", user=buyer)["items"], [])

    def test_the_back_button_leads_to_where_the_reader_was(self):
        page = self.page()
        page.goto("/")
        expect(page.locator(".card").first).to_be_visible()
        before = page.locator(".card").count()
        page.get_by_role("button", name="Show more").click()
        expect(page.locator(".card").nth(before)).to_be_visible()
        shown = page.locator(".card").count()
        last = page.locator(".card").nth(shown - 1)
        last.scroll_into_view_if_needed()
        down = page.evaluate("scrollY")
        self.assertGreater(down, 500)
        name = last.locator(".name").inner_text()
        last.get_by_role("link").first.click()
        self.heading(page, name)
        page.wait_for_function("scrollY === 0")
        page.go_back()
        self.heading(page, "New in the souk")
        expect(page.locator(".card")).to_have_count(shown)
        page.wait_for_function("down => Math.abs(scrollY - down) <= 1", arg=down)
        page.go_forward()
        self.heading(page, name)
        page.wait_for_function("scrollY === 0")

    def test_the_keyboard_alone_buys(self):
        seller, buyer = self.register(), self.register()
        product = self.publish(seller, name="Bought by keyboard")
        page = self.page()
        self.enter(page, buyer)
        page.goto(f"/#/category/{product['category']}")
        expect(page.get_by_role("link", name="Bought by keyboard")).to_be_visible()

        page.evaluate("document.activeElement.blur()")
        self.press(page, "Bought by keyboard")
        self.heading(page, "Bought by keyboard")
        self.press(page, "Put into the basket")
        expect(page.get_by_role("link", name="Go to the basket")).to_be_visible()
        self.press(page, "Go to the basket")
        self.heading(page, "Basket")
        expect(page.get_by_role("checkbox")).to_be_visible()
        while not page.evaluate("document.activeElement.type === 'checkbox'"):
            page.keyboard.press("Tab")
        page.keyboard.press("Space")
        self.press(page, "Pay")
        expect(page.get_by_role("main").get_by_text("confirmed")).to_be_visible()


if __name__ == "__main__":
    unittest.main()
