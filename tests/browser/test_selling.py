"""What sellers and reviewers write."""

from playwright.sync_api import expect
from souk import BrowserTest


class Selling(BrowserTest):
    def change_elsewhere(self, seller, product, members):
        headers = {"authorization": f"Bearer {self.api.tokens[seller]}", "content-type": "application/json", "if-match": "*"}
        status, answer = self.api.send("PATCH", f"{self.api.base}/products/{product['productId']}", members, headers)
        self.assertEqual(status, 200, answer)

    def lose_first(self, page, pattern, method, how):
        """The first request is carried out and its answer is lost, or is `how`. Returns the idempotency keys that are sent."""
        keys = []

        def answer(route):
            if route.request.method != method:
                route.continue_()
                return
            keys.append(route.request.headers["idempotency-key"])
            if len(keys) > 1:
                route.continue_()
                return
            route.fetch()
            if how:
                route.fulfill(status=how, json={"message": "Service Unavailable"})
            else:
                route.abort()

        page.route(pattern, answer)
        return keys

    def assert_focus(self, page, text):
        page.wait_for_function("text => document.activeElement.innerText?.includes(text)", arg=text)

    def test_a_product_is_published_changed_counted_and_withdrawn(self):
        seller = self.register("Keen seller")
        page = self.page()
        self.enter(page, seller, "/sell")
        self.heading(page, "Sell a product")
        page.get_by_label("Name").fill("Published by hand")
        page.get_by_label("Category").fill("handmade")
        page.get_by_label("Price").fill("12,5x")
        page.get_by_label("Price").evaluate("field => field.removeAttribute('pattern')")
        page.get_by_role("button", name="Publish").click()
        expect(page.get_by_label("Price")).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label("Price")).to_be_focused()
        page.get_by_label("Price").fill("12.50")
        page.get_by_label("Category").fill("hand\u0007made")
        page.get_by_role("button", name="Publish").click()
        expect(page.get_by_label("Category")).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label("Category")).to_be_focused()
        expect(page.get_by_role("alert")).to_have_text("Something is not right yet.")
        page.get_by_label("Category").fill("handmade")
        page.get_by_label("Pieces in stock").fill("7")
        page.get_by_role("button", name="Publish").click()
        self.heading(page, "Published by hand")
        expect(page.get_by_text("7 in stock")).to_be_visible()
        page.get_by_role("link", name="Change this product").click()
        page.get_by_label("Description").fill("Now with words.")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        page.get_by_label("Pieces").fill("3")
        page.get_by_role("button", name="Change the stock").click()
        expect(page.get_by_text("There are 10 now.", exact=False)).to_be_visible()
        page.get_by_role("button", name="Withdraw the product").click()
        page.get_by_role("button", name="Withdraw it").click()
        self.heading(page, "From this seller")
        expect(page.get_by_text("There are no products here.", exact=False)).to_be_visible()

    def test_two_versions_of_a_product_are_shown_side_by_side(self):
        seller = self.register()
        product = self.publish(seller, name="First name", description="First words.")
        page = self.page()
        self.enter(page, seller, f"/edit/{product['productId']}")
        self.heading(page, "Change a product")
        expect(page.get_by_label("Name")).to_have_value("First name")
        path = f"{self.api.base}/products/{product['productId']}"
        headers = {"authorization": f"Bearer {self.api.tokens[seller]}", "content-type": "application/json", "if-match": "*"}
        status, answer = self.api.send("PATCH", path, {"name": "Their name", "description": "Their words."}, headers)
        self.assertEqual(status, 200, answer)
        page.get_by_label("Name").fill("My name")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name="The product was changed meanwhile")).to_be_visible()
        row = page.get_by_role("row").filter(has_text="My name")
        expect(row).to_contain_text("Their name")
        page.get_by_role("row").filter(has_text="Their words.").get_by_label("Their words.").check()
        page.get_by_role("button", name="Save the choice").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        now = self.api.call("GET", f"/products/{product['productId']}")
        self.assertEqual((now["name"], now["description"]), ("My name", "Their words."))

    def test_only_what_was_changed_here_takes_the_place_of_what_others_changed(self):
        seller = self.register()
        product = self.publish(seller, name="Old name", description="Old words.")
        page = self.page()
        self.enter(page, seller, f"/edit/{product['productId']}")
        expect(page.get_by_label("Name")).to_have_value("Old name")
        self.change_elsewhere(seller, product, {"description": "Their words.", "price": {"amount": 9900}})
        page.get_by_label("Name").fill("My name")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name="The product was changed meanwhile")).to_be_focused()
        chosen = "rows => rows.map((one) => `${one.name}=${one.value}`)"
        self.assertEqual(page.locator("input[type=radio]:checked").evaluate_all(chosen), ["name=mine", "description=theirs", "price=theirs"])
        self.change_elsewhere(seller, product, {"category": "theirs"})
        page.get_by_role("button", name="Save the choice").click()
        expect(page.get_by_role("row").filter(has_text="Category")).to_be_visible()
        self.assertEqual(page.locator("input[type=radio]:checked").evaluate_all(chosen), ["name=mine", "category=theirs"])
        page.get_by_role("button", name="Save the choice").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        self.assert_focus(page, "Saved.")
        now = self.api.call("GET", f"/products/{product['productId']}")
        self.assertEqual((now["name"], now["description"], now["price"]["amount"], now["category"]), ("My name", "Their words.", 9900, "theirs"))

    def test_what_is_sent_again_after_a_lost_answer_is_done_once(self):
        for how in (None, 503):
            with self.subTest(how):
                seller, author = self.register(), self.register()
                page = self.page()
                self.enter(page, seller, "/sell")
                self.heading(page, "Sell a product")
                keys = self.lose_first(page, "**/products", "POST", how)
                page.get_by_label("Name").fill("Published once")
                page.get_by_label("Category").fill("once")
                page.get_by_label("Price").fill("12.50")
                page.get_by_role("button", name="Publish").click()
                expect(page.get_by_role("alert")).to_be_visible()
                page.get_by_role("button", name="Publish").click()
                self.heading(page, "Published once")
                self.assertEqual((len(keys), len(set(keys))), (2, 1))
                product = page.url.rpartition("/")[2]
                page.get_by_role("link", name="Change this product").click()
                keys = self.lose_first(page, "**/stock", "PUT", how)
                page.get_by_label("Pieces").fill("3")
                page.get_by_role("button", name="Change the stock").click()
                expect(page.get_by_role("alert")).to_be_visible()
                page.get_by_role("button", name="Change the stock").click()
                expect(page.get_by_text("There are 4 now.", exact=False)).to_be_visible()
                self.assertEqual((len(keys), len(set(keys))), (2, 1))
                page.evaluate("id => { location.hash = `#/experiments/new?product=${id}`; }", product)
                keys = self.lose_first(page, "**/experiments", "POST", how)
                page.get_by_label("Name", exact=True).fill("Drafted once")
                page.get_by_label("Published once", exact=True).fill("9")
                page.get_by_role("button", name="Save the draft").click()
                expect(page.get_by_role("alert")).to_be_visible()
                page.get_by_role("button", name="Save the draft").click()
                self.heading(page, "Drafted once")
                self.assertEqual(len(self.api.call("GET", "/experiments", user=seller)["items"]), 1)
                other = self.page()
                self.enter(other, author, f"/products/{product}")
                keys = self.lose_first(other, "**/reviews", "POST", how)
                other.get_by_label("In a few words").fill("Reviewed once")
                other.get_by_role("button", name="Publish the review").click()
                expect(other.get_by_role("alert")).to_be_visible()
                other.get_by_role("button", name="Publish the review").click()
                expect(other.get_by_role("listitem").filter(has_text="Reviewed once")).to_be_visible()
                self.assertEqual((len(keys), len(set(keys))), (2, 1))

    def test_a_review_is_written_changed_and_deleted_by_the_keyboard_alone(self):
        seller, author = self.register(), self.register("Honest author")
        product = self.publish(seller, name="Reviewed thing")
        page = self.page()
        self.enter(page, author, f"/products/{product['productId']}")
        self.heading(page, "Reviewed thing")
        expect(page.get_by_role("button", name="Publish the review")).to_be_visible()
        self.reach(page, "★")
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_role("radio", name="4")).to_be_checked()
        self.key_in(page, "In a few words", "Rather good")
        self.press(page, "Publish the review")
        review = page.get_by_role("listitem").filter(has_text="Rather good")
        expect(review).to_contain_text("Honest author")
        expect(page.get_by_role("button", name="Publish the review")).to_have_count(0)
        expect(page.get_by_role("heading", name="Reviews")).to_be_focused()
        self.press(page, "Change")
        self.key_in(page, "In a few words", "On reflection, very good")
        self.press(page, "Save the review")
        review = page.get_by_role("listitem").filter(has_text="On reflection, very good")
        expect(review).to_be_visible()
        self.press(page, "Delete")
        self.press(page, "Delete it")
        expect(page.get_by_text("Nobody has reviewed it yet.")).to_be_visible()
        expect(page.get_by_role("heading", name="Reviews")).to_be_focused()
