"""What users wrote is text, what a browser may load, and what the page says when something fails."""

import urllib.error
import urllib.parse
import urllib.request
import uuid

from playwright.sync_api import expect
from souk import BrowserTest

# Each runs `hacked` if it is taken for markup, for an attribute, or for a script.
PAYLOADS = [
    "<img src=x onerror=hacked()>", "\"><script>hacked()</script>", "' onmouseover='hacked()' x='", "<svg/onload=hacked()>",
    "javascript:hacked()", "${hacked()}{{hacked()}}", "</title></textarea><iframe srcdoc='<script>parent.hacked()</script>'>",
]
SPREAD = " ".join(PAYLOADS)


class Safety(BrowserTest):
    def hostile_page(self, **options):
        """A page in which a script of a user would be noticed."""
        page = self.page(**options)
        page.add_init_script("window.hacks = 0; window.hacked = () => { window.hacks += 1; };")
        page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))
        return page

    def assert_text(self, page, *texts):
        for text in texts:
            expect(page.get_by_role("main")).to_contain_text(text)
        self.assertEqual(page.evaluate("window.hacks"), 0)
        self.assertEqual(page.evaluate("document.querySelectorAll('main iframe, main script, [onerror], [onload], [onmouseover]').length"), 0)

    def test_stored_markup_is_shown_as_text_in_every_field(self):
        seller, author = self.register(PAYLOADS[0]), self.register(PAYLOADS[3])
        product = self.publish(
            seller, name=SPREAD[:200].strip(), description=SPREAD, category=PAYLOADS[1],
            imageUrl="https://images.example.com/x'onerror='hacked()",
        )
        path = f"/products/{product['productId']}"
        self.api.call("POST", f"{path}/reviews", {"rating": 1, "title": PAYLOADS[2], "body": SPREAD}, user=author)
        order = self.api.call(
            "POST", "/orders", {"lines": [{"productId": product["productId"], "quantity": 1}], "expectedTotal": product["price"], "paymentMethod": "pm_card_visa"},
            user=author, key=uuid.uuid4().hex,
        )
        venue = {"name": PAYLOADS[4], "address": SPREAD, "latitude": -54.8, "longitude": -68.3, "timeZone": "America/Argentina/Ushuaia"}
        concert = self.api.call(
            "POST", "/concerts", {"name": PAYLOADS[3], "startsAt": "2099-01-01T00:00:00Z", "bands": [{"name": PAYLOADS[0]}], "venue": venue},
            user=author, key=uuid.uuid4().hex,
        )
        variants = [{"key": "control", "weight": 5000}, {"key": "low", "weight": 5000, "prices": [{"productId": product["productId"], "price": {"amount": 900, "currency": "SGD"}}]}]
        experiment = self.api.call(
            "POST", "/experiments", {"name": PAYLOADS[2], "hypothesis": SPREAD, "variants": variants, "metrics": {"primary": "conversion"}}, user=seller,
        )
        sku = f"browser-{uuid.uuid4().hex[:8]}"
        self.api.change_shop(f"items/{sku}", {"name": PAYLOADS[0], "price": "1.00", "markup": "json-ld"})
        item = self.api.call("POST", "/watchlist", {"url": f"{self.api.shop}/item/{sku}"}, user=author)
        page = self.hostile_page()
        self.enter(page, author)
        expect(page.get_by_label("Name that others see")).to_have_value(PAYLOADS[3])
        for screen, texts in [
            (path, [product["name"], SPREAD, PAYLOADS[2], PAYLOADS[0], PAYLOADS[1], PAYLOADS[3]]),
            (f"/category/{urllib.parse.quote(PAYLOADS[1], safe='')}", [PAYLOADS[1]]),
            ("/", [PAYLOADS[1]]),
            (f"/seller/{product['sellerId']}", [f"From {PAYLOADS[0]}"]),
            (f"/orders/{order['orderId']}", [product["name"]]),
            ("/orders", [product["name"]]),
            ("/concerts?latitude=-54.8&longitude=-68.3&radius=1", [PAYLOADS[3], PAYLOADS[4], PAYLOADS[0]]),
            (f"/concerts/{concert['concertId']}", [PAYLOADS[3], PAYLOADS[4], SPREAD]),
            ("/watches", [PAYLOADS[0]]),
            (f"/watches/{item['itemId']}", [PAYLOADS[0]]),
        ]:
            with self.subTest(screen):
                page.evaluate("link => { location.hash = link; }", screen)
                self.assert_text(page, *texts)
        page.evaluate("link => { location.hash = link; }", path)
        page.get_by_role("button", name="Put into the basket").click()
        page.evaluate("location.hash = '#/basket'")
        self.assert_text(page, product["name"])
        owner = self.hostile_page()
        self.enter(owner, seller, f"/edit/{product['productId']}")
        expect(owner.get_by_label("Category")).to_have_value(PAYLOADS[1])
        owner.evaluate("location.hash = '#/experiments'")
        self.assert_text(owner, PAYLOADS[2])
        owner.evaluate("link => { location.hash = link; }", f"/experiments/{experiment['experimentId']}")
        self.assert_text(owner, PAYLOADS[2], SPREAD, product["name"])
        owner.get_by_role("button", name="Change the draft").click()
        expect(owner.get_by_label("What you expect")).to_have_value(SPREAD)
        expect(owner.get_by_label(product["name"], exact=True)).to_have_value("9.00")
        self.assertEqual(owner.evaluate("window.hacks"), 0)

    def test_what_programs_and_other_shops_say_of_themselves_is_text(self):
        page = self.hostile_page(user_agent=PAYLOADS[0])
        self.log_in(page, self.register())
        self.assert_text(page, PAYLOADS[0])

        def sale(route):
            answer = route.fetch()
            body = answer.json()
            for session in body.get("sessions", []):
                session["name"] = PAYLOADS[0]
            for item in body.get("items", []):
                item |= {"name": PAYLOADS[1], "url": PAYLOADS[4]}
            route.fulfill(response=answer, json=body)

        page.route("**/flash-sales/current*", sale)
        page.evaluate("location.hash = '#/sale'")
        self.assert_text(page, PAYLOADS[0], PAYLOADS[1])
        told = {"kind": "any", "at": "2026-01-01T00:00:00Z"}
        notifications = [told | {"id": "1", "name": PAYLOADS[2], "url": PAYLOADS[4], "itemId": PAYLOADS[0]}, told | {"id": "2", "name": PAYLOADS[3], "kind": PAYLOADS[5]}]
        page.route("**/notifications?*", lambda route: route.fulfill(json={"items": notifications}))
        page.route("**/webhook", lambda route: route.fulfill(json={"url": SPREAD, "secret": PAYLOADS[0]}))
        page.evaluate("location.hash = '#/notifications'")
        self.assert_text(page, PAYLOADS[2], PAYLOADS[3], PAYLOADS[5])
        webhook = page.get_by_role("region", name="Webhook")
        expect(webhook.get_by_role("textbox")).to_have_value(SPREAD)
        webhook.get_by_role("textbox").fill("https://example.com/hook")
        webhook.get_by_role("button", name="Replace it").click()
        self.assert_text(page, PAYLOADS[0])
        self.assertEqual(page.locator("main a[href^='javascript:']").count(), 0)

    def test_an_address_cannot_bring_a_script_in(self):
        page = self.hostile_page()
        for link in ["/#/category/<img src=x onerror=hacked()>", "/#/login?then=javascript:hacked()", "/#verification=<svg/onload=hacked()>", "/#/watches?url=javascript:hacked()"]:
            page.goto("about:blank")
            page.goto(link)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            self.assertEqual(page.evaluate("window.hacks"), 0)

    def test_the_policy_stops_scripts_and_markup_from_strings(self):
        page = self.hostile_page()
        page.goto("/")
        self.heading(page, "New in the souk")
        violations = page.evaluate("""async () => {
            const seen = [];
            document.addEventListener('securitypolicyviolation', (event) => seen.push(event.effectiveDirective));
            try { document.createElement('div').innerHTML = '<b>x</b>'; seen.push('markup was taken'); } catch {}
            const script = document.createElement('script');
            try { script.textContent = 'hacked()'; document.head.append(script); } catch {}
            const frame = document.createElement('iframe');
            frame.src = '/docs';
            document.body.append(frame);
            await new Promise((resolve) => setTimeout(resolve, 200));
            return seen;
        }""")
        self.faults.clear()  # Chromium reports the violations as faults
        self.assertEqual(page.evaluate("window.hacks"), 0)
        self.assertLessEqual({"require-trusted-types-for", "frame-src"}, set(violations), violations)
        self.assertNotIn("markup was taken", violations)

    def test_files_are_immutable_and_documents_are_revalidated(self):
        def get(path, headers=None):
            request = urllib.request.Request(self.api.base + path, headers=headers or {})
            try:
                return urllib.request.urlopen(request, timeout=20)
            except urllib.error.HTTPError as error:
                return error

        for path in ("/", "/docs"):
            document = get(path, {"accept-encoding": "br"})
            self.assertEqual((document.status, document.headers["cache-control"], document.headers["content-encoding"]), (200, "public, no-cache", "br"))
            self.assertIn("frame-ancestors 'none'", document.headers["content-security-policy"])
            self.assertEqual(get(path, {"accept-encoding": "br", "if-none-match": document.headers["etag"]}).status, 304)
        text = get("/").read().decode()
        name = text.split('src="/page/')[1].split('"')[0]
        self.assertRegex(name, r"^app\.[0-9a-f]{16}\.js$")
        file = get(f"/page/{name}", {"accept-encoding": "gzip"})
        self.assertEqual((file.status, file.headers["cache-control"]), (200, "public, max-age=31536000, immutable"))
        self.assertEqual(file.headers["content-type"], "text/javascript; charset=utf-8")
        for lost in ("/page/app.js", "/page/index.html", "/page/..%2Fmain.rs"):
            self.assertEqual(get(lost).status, 404, lost)

    def test_without_a_connection_the_page_says_what_to_do(self):
        page = self.page()
        page.goto("/")
        expect(page.locator(".card").first).to_be_visible()
        page.context.set_offline(True)
        expect(page.get_by_text("You are offline. What is on the screen may be old", exact=False)).to_be_visible()
        page.evaluate("location.hash = '#/category/music'")
        expect(page.get_by_role("alert")).to_contain_text("Nothing was lost")
        page.context.set_offline(False)
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("link", name="Oud, student model")).to_be_visible()
        page.context.set_offline(True)
        page.evaluate("location.hash = '#/concerts'")
        for _ in range(2):
            expect(page.get_by_role("alert")).to_contain_text("This part of the page could not be loaded.")
            # The last that a try does is to ask for the document.
            with page.expect_event("requestfailed", lambda request: request.url == f"{self.api.base}/"):
                page.get_by_role("button", name="Try again").click()
        page.context.set_offline(False)
        page.get_by_role("button", name="Try again").click()
        self.heading(page, "Concerts near me")

    def test_a_session_that_cannot_be_looked_up_is_asked_for_again(self):
        def refuse(status):
            return lambda route: route.fulfill(status=status, json={"message": "later"})

        page, email = self.page(), self.register()
        for status in (503, 429):
            page.route("**/sessions/refresh", refuse(status))
            if email in self.cookies:
                self.bring_session(page, email)
            page.goto("/#/orders")
            page.reload()
            expect(page.get_by_role("status").filter(has_text="whether you are logged in")).to_be_visible()
            expect(page.get_by_role("alert")).to_be_visible()
            expect(page.get_by_role("link", name="Log in")).to_have_count(0)
            page.unroute("**/sessions/refresh")
            self.heading(page, "Your orders")
            expect(page.get_by_role("button", name="Log out")).to_be_visible()
            expect(page.get_by_text("whether you are logged in", exact=False)).to_have_count(0)

    def test_a_failure_of_the_service_is_told_with_its_number_and_can_be_tried_again(self):
        page = self.page()
        problem = '{"type": "urn:souk:problem:internal", "title": "Internal error", "status": 500, "detail": "Something went wrong.", "instance": "request-7"}'
        page.route("**/products?*", lambda route: route.fulfill(status=500, content_type="application/problem+json", body=problem))
        page.goto("/")
        expect(page.get_by_role("alert")).to_contain_text("request-7")
        page.unroute("**/products?*")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".card").first).to_be_visible()
        page.route("**/categories?*", lambda route: route.fulfill(status=500, content_type="application/problem+json", body=problem))
        page.reload()
        categories = page.get_by_role("region", name="Categories and the number of their products")
        expect(categories.get_by_role("alert")).to_contain_text("request-7")
        expect(page.locator(".card").first).to_be_visible()
        page.unroute("**/categories?*")
        categories.get_by_role("button", name="Try again").click()
        expect(categories.get_by_role("link").first).to_be_visible()
        page.route("**/categories?*", lambda route: route.fulfill(json={"items": []}))
        page.reload()
        expect(categories).to_contain_text("There are no categories yet")
        page.evaluate("location.hash = '#/products/01980c31-02b4-7f60-8c1d-5e2a9b7f4c03'")
        expect(page.get_by_role("alert")).to_contain_text("There is nothing here.")
        page.goto("/#/products/..")
        expect(page.get_by_role("alert")).to_contain_text("There is nothing here.")
        page.evaluate("location.hash = '#/nowhere'")
        self.heading(page, "Not found")
