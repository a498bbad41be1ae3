"""The price watch, the flash sale, and concerts."""

import datetime
import uuid

from playwright.sync_api import expect
from souk import DEMO, BrowserTest


class Watching(BrowserTest):
    def shop_item(self, **members) -> str:
        sku = f"browser-{uuid.uuid4().hex[:8]}"
        self.api.change_shop(f"items/{sku}", {"name": "Watched kettle", "price": "20.00"} | members)
        return sku

    def test_a_page_is_watched_by_the_keyboard_alone_its_price_falls_and_the_user_is_told(self):
        page, sku = self.page(), self.shop_item()
        self.enter(page, self.register(), "/watches")
        expect(page.get_by_text("You watch nothing yet.", exact=False)).to_be_visible()
        self.key_in(page, "Address of a product’s page", f"{self.api.shop}/item/{sku}?utm_source=mail")
        page.keyboard.press("Enter")
        self.heading(page, "Watched kettle")
        expect(page.get_by_role("button", name="Stop watching")).to_be_visible()
        self.reach(page, "Alert")
        page.keyboard.press("ArrowDown")
        expect(page.get_by_label("Per cent")).to_be_visible()
        self.key_in(page, "Per cent", "20")
        self.press(page, "Add")
        expect(page.get_by_role("listitem").filter(has_text="a drop by 20 %")).to_be_visible()
        self.api.change_shop(f"items/{sku}", {"price": "15.00"})
        self.api.invoke("price-crawl", {"all": True})
        table = page.get_by_role("region", name="Prices").get_by_role("table")
        for _ in range(100):
            page.reload()
            expect(table.get_by_role("row").nth(1)).to_be_visible()
            if table.get_by_role("row").count() > 2:
                break
        expect(table.get_by_role("row").nth(1)).to_contain_text("15.00")
        expect(table.get_by_role("row").nth(2)).to_contain_text("20.00")
        expect(page.get_by_role("img", name="The prices over time")).to_be_visible()
        expect(page.locator(".chart canvas")).to_be_visible()
        self.press(page, "Price watch")
        row = page.get_by_role("link", name="Watched kettle")
        expect(row).to_contain_text("25%")
        self.press(page, "Notifications")
        told = page.get_by_role("listitem").filter(has_text="Watched kettle")
        for _ in range(100):
            if told.count():
                break
            page.reload()
            expect(page.get_by_role("heading", name="Mails")).to_be_visible()
            expect(page.get_by_role("status").filter(has_text="Loading")).to_have_count(0)
        expect(told).to_contain_text("became cheaper")
        self.press(page, "its prices")
        expect(page.get_by_role("button", name="Stop watching")).to_be_visible()
        self.press(page, "Stop watching")
        self.press(page, "Stop")
        expect(page.get_by_text("You watch nothing yet.", exact=False)).to_be_visible()

    def test_a_page_that_cannot_be_watched_is_refused_with_the_reason(self):
        page, sku = self.page(), self.shop_item(markup="none")
        self.enter(page, self.register(), "/watches")
        page.get_by_label("Address of a product’s page").fill(f"{self.api.shop}/item/{sku}")
        page.get_by_role("button", name="Watch this page").click()
        expect(page.get_by_text("Because the page describes no product.")).to_be_visible()

    def test_mails_about_notifications_are_set(self):
        page = self.page()
        self.enter(page, self.register(), "/notifications")
        page.get_by_label("Send them").select_option("daily")
        page.get_by_label("The daily mail at").fill("07:30")
        page.get_by_label("none in these hours").check()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        page.reload()
        expect(page.get_by_label("The daily mail at")).to_have_value("07:30")

    def test_the_flash_sale_of_now_counts_down(self):
        page = self.page()
        page.clock.install()
        page.goto("/#/sale")
        expect(page.get_by_role("heading", name="Tea hour")).to_be_visible()
        timer = page.get_by_role("timer")
        before = timer.inner_text()
        page.clock.run_for(3000)
        expect(timer).not_to_have_text(before)
        page.get_by_role("link", name="Watch its price (Gooseneck kettle)").click()
        page.wait_for_url("**/*watches?url=*")

    def test_a_flash_sale_that_ends_makes_room_for_the_next(self):
        page = self.page()
        asked = []

        def sale(route):
            if "session=" in route.request.url:
                route.fulfill(json={"items": []})
                return
            asked.append(route.request.url)
            # The sale ends later in the table than by the clock of the page.
            sessions = [{"id": "short", "name": "Short sale", "startsAt": "2026-01-01T00:00:00Z", "endsAt": ends}] if len(asked) < 4 else []
            route.fulfill(json={"sessions": sessions})

        ends = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=3)).isoformat().replace("+00:00", "Z")
        page.route("**/flash-sales/current*", sale)
        page.goto("/#/sale")
        expect(page.get_by_role("timer")).to_contain_text("00:00:00")
        self.assertGreaterEqual(datetime.datetime.now(datetime.UTC).isoformat(), ends[:-1])
        expect(page.get_by_text("No flash sale is on.", exact=False)).to_be_visible()
        self.assertEqual(len(asked), 4)

    def test_every_reason_why_a_page_cannot_be_read_has_a_text(self):
        page = self.page()
        self.enter(page, self.register(), "/watches")
        self.heading(page, "Price watch")
        reasons = self.api.call("GET", "/openapi.json")["components"]["schemas"]["PageReason"]["enum"]
        module = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name).find((name) => /\\/watch\\./.test(name))")
        texts = page.evaluate("async ([module, reasons]) => reasons.map((await import(module)).reasonOf)", [module, reasons])
        self.assertGreater(len(reasons), 20)
        self.assertEqual([reason for reason, text in zip(reasons, texts, strict=True) if f"({reason})" in text], [])

    def test_concerts_near_the_reader_are_listed_by_distance_and_drawn(self):
        context = self.context(geolocation={"latitude": 1.2884, "longitude": 103.8519}, permissions=["geolocation"])
        page = self.page(context)
        page.goto("/#/concerts")
        page.get_by_role("button", name="Near me").click()
        found = page.get_by_role("main").get_by_role("list").get_by_role("link")
        expect(found.first).to_contain_text("Victoria Concert Hall")
        expect(page.get_by_role("img", name="Where the concerts are")).to_be_visible()
        self.assertIn("latitude=1.2884", page.url)
        page.get_by_role("link", name="Monsoon ragas").click()
        self.heading(page, "Monsoon ragas")
        expect(page.get_by_text("Esplanade Recital Studio")).to_be_visible()
        expect(page.get_by_text("by your clock, Asia/Singapore")).to_be_visible()
        page.go_back()
        expect(found.first).to_contain_text("Victoria Concert Hall")

    def test_a_concert_is_added_and_deleted_by_the_keyboard_alone(self):
        page = self.page()
        self.enter(page, self.register(), "/concerts/new")
        self.heading(page, "Add a concert")
        self.key_in(page, "Name", "Concert by hand")
        self.reach(page, "Begins")
        for _ in range(6):
            # Each part of the time, whatever their order: the year after this one is always to come.
            page.keyboard.press("ArrowUp")
            page.keyboard.press("ArrowUp")
            page.keyboard.press("ArrowRight")
        for label, value in [
            ("Bands", "One band\nAnother band"), ("Venue", "Harbour hall"), ("Address", "1 Harbour Road"), ("Latitude", "-33.85"), ("Longitude", "151.21"),
            ("Time zone of the venue", "Australia/Sy"),
        ]:
            self.key_in(page, label, value)
        expect(page.get_by_label("Time zone of the venue")).to_have_value("Australia/Sydney")
        self.press(page, "Add the concert")
        self.heading(page, "Concert by hand")
        expect(page.get_by_text("Another band")).to_be_visible()
        expect(page.get_by_text("(Australia/Sydney)")).to_be_visible()
        self.press(page, "Delete the concert")
        self.press(page, "Delete it")
        self.heading(page, "Concerts near me")

    def test_the_demo_has_prices_of_months(self):
        self.api.log_in(DEMO, "correct horse battery")
        items = self.api.call("GET", "/watchlist", user=DEMO)["items"]
        self.assertEqual(len(items), 3)
        history = self.api.call("GET", f"/items/{items[0]['itemId']}/prices", user=DEMO)["items"]
        began = datetime.datetime.fromisoformat(history[-1]["from"].replace("Z", "+00:00"))
        self.assertGreater((datetime.datetime.now(datetime.UTC) - began).days, 60)
