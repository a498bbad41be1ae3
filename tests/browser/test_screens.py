"""Every screen: nothing that axe takes for serious or critical, no sideways scrolling on a phone; with SOUK_SCREENS, pictures of it, light and dark."""

import json
import os
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import expect
from souk import DEMO, PATIENCE_MS, BrowserTest

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
SCREENS = os.environ.get("SOUK_SCREENS")  # the folder of the pictures, without which none are taken
PHONES = ({"width": 390, "height": 844}, {"width": 320, "height": 640})
WIDE = {"width": 1280, "height": 900}
GRAVE = ("serious", "critical")


class Screens(BrowserTest):
    """What looks at a screen."""

    def axe(self, page, rules=None) -> dict[str, int]:
        """The number of elements at fault by impact; grave ones fail the test with what axe says."""
        if not page.evaluate("typeof window.axe === 'object'"):
            page.evaluate(AXE)
        # A colour that is still changing is none that axe should judge.
        page.evaluate("""async () => {
            for (let frames = 0; frames < 2; frames += 1) await new Promise(requestAnimationFrame);
            await Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {})));
        }""")
        options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
        violations = page.evaluate("options => axe.run(document, options).then((result) => result.violations)", options)
        grave = [violation for violation in violations if violation["impact"] in GRAVE]
        said = [(violation["id"], [(node["html"][:150], node["failureSummary"]) for node in violation["nodes"]][:5]) for violation in grave]
        self.assertEqual(said, [], f"axe: {json.dumps(said, indent=1)}")
        counts = {}
        for violation in violations:
            counts[violation["impact"]] = counts.get(violation["impact"], 0) + len(violation["nodes"])
        return counts

    def settle(self, page):
        """Until nothing is loading any more."""
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".busy")).to_have_count(0)
        expect(page.locator(".chart:not(:has(canvas))")).to_have_count(0)
        page.evaluate("Promise.all([...document.images].filter((image) => !image.complete).map((image) => new Promise((done) => { image.onload = image.onerror = done; })))")

    def look(self, page, name, width=WIDE):
        """Asks axe about the screen that is open, light and dark."""
        self.settle(page)
        page.mouse.move(0, 0)
        page.emulate_media(color_scheme="light")
        counts = self.axe(page)
        self.picture(page, f"{name}-light", full_page=True)
        page.emulate_media(color_scheme="dark")
        self.axe(page, ["color-contrast"])
        self.picture(page, f"{name}-dark", full_page=True)
        page.emulate_media(color_scheme="light")
        for phone in PHONES:
            page.set_viewport_size(phone)
            wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            self.assertLessEqual(wide[0], wide[1], f"{name} scrolls sideways on a phone")
            self.picture(page, f"{name}-phone-{phone['width']}")
        page.set_viewport_size(width)
        self.report(name, counts)

    def picture(self, page, name, **options):
        if SCREENS:
            page.screenshot(path=Path(SCREENS) / f"{name}.png", **options)

    def report(self, name, counts):
        minor = ", ".join(f"{count} {impact}" for impact, count in counts.items()) or "nothing"
        print(f"axe: {name}: 0 critical, 0 serious, {minor} else")

    def visit(self, page, screens):
        for name, link in screens:
            with self.subTest(name):
                page.evaluate("link => { location.hash = link; }", link)
                self.look(page, name)

    def seller(self, name):
        items = self.api.call("GET", "/products?category=tea&limit=100")["items"]
        return next(product["sellerId"] for product in items if product["name"] == name)


class ForEverybody(Screens):
    def test_screens_for_everybody(self):
        page = self.page()
        page.goto("/")
        expect(page.locator(".card").first).to_be_visible()
        self.look(page, "shop")
        named = {product["name"]: product for product in self.api.call("GET", "/products?seller=" + self.seller("Ru-glaze tea cup"))["items"]}
        concerts = self.api.call("GET", "/concerts?latitude=1.29&longitude=103.85&radius=20")["items"]
        self.visit(page, [
            ("category", "#/category/tea"),
            ("product", f"#/products/{named['Ru-glaze tea cup']['productId']}"),
            ("empty-basket", "#/basket"),
            ("flash-sale", "#/sale"),
            ("concerts", "#/concerts?latitude=1.2903&longitude=103.852&radius=20"),
            ("concert", f"#/concerts/{concerts[0]['concertId']}"),
            ("log-in", "#/login"), ("register", "#/register"), ("ask-reset", "#/password-resets"), ("reset", "#password-reset=token"),
            ("verification", "#verification=token"), ("not-found", "#/products/unknown"), ("asked-to-log-in", "#/orders"),
        ])


class OfUsers(Screens):
    def test_screens_of_a_user(self):
        self.open_session(DEMO)
        mine = self.api.call("GET", "/products?limit=100&seller=" + self.seller("Sencha, first flush"))["items"]
        watched = self.api.call("GET", "/watchlist", user=DEMO)["items"]
        orders = self.api.call("GET", "/orders", user=DEMO)["items"]
        confirmed = next(order for order in orders if order["status"] == "confirmed")
        rejected = next(order for order in orders if order["status"] == "rejected")
        experiments = {one["status"]: one["experimentId"] for one in self.api.call("GET", "/experiments", user=DEMO)["items"]}
        other = self.api.call("GET", "/products?category=tea&limit=100")["items"]
        cup = next(product for product in other if product["name"] == "Ru-glaze tea cup")
        page = self.page()
        self.enter(page, DEMO)
        page.evaluate("id => { location.hash = `#/products/${id}`; }", cup["productId"])
        page.get_by_role("button", name="Put into the basket").click()
        self.visit(page, [
            ("basket", "#/basket"), ("orders", "#/orders"), ("order", f"#/orders/{confirmed['orderId']}"), ("order-rejected", f"#/orders/{rejected['orderId']}"),
            ("watches", "#/watches"), ("prices", f"#/watches/{watched[0]['itemId']}"), ("notifications", "#/notifications"),
            ("sell", "#/sell"), ("edit", f"#/edit/{mine[0]['productId']}"), ("account", "#/account"), ("new-concert", "#/concerts/new"),
            ("experiments", "#/experiments"), ("experiment", f"#/experiments/{experiments['running']}"), ("experiment-draft", f"#/experiments/{experiments['draft']}"),
            ("new-experiment", "#/experiments/new"),
        ])
        with self.subTest("conflict"):
            product = self.publish(DEMO, name="Changed twice")
            page.evaluate("id => { location.hash = `#/edit/${id}`; }", product["productId"])
            expect(page.get_by_label("Name")).to_have_value("Changed twice")
            path, headers = f"{self.api.base}/products/{product['productId']}", {"authorization": f"Bearer {self.api.tokens[DEMO]}", "content-type": "application/json", "if-match": "*"}
            self.api.send("PATCH", path, {"name": "Changed elsewhere"}, headers)
            page.get_by_label("Name").fill("Changed here")
            page.get_by_role("button", name="Save").click()
            expect(page.get_by_role("heading", name="The product was changed meanwhile")).to_be_visible()
            self.look(page, "conflict")


class OfDevelopers(Screens):
    def test_the_page_of_the_contract(self):
        page = self.page()
        patience = 4 * PATIENCE_MS  # the page reads and lays out the whole contract each time
        page.set_default_timeout(patience)
        self.enter(page, self.register())
        page.goto("/docs")
        documentation = page.locator("rapi-doc")
        expect(documentation.get_by_text("A marketplace backend.", exact=False).first).to_be_visible(timeout=patience)
        expect(page.get_by_text("Requests are sent in your name.", exact=False)).to_be_visible()
        outside = page.evaluate("performance.getEntriesByType('resource').map((entry) => new URL(entry.name).host).filter((host) => host !== location.host)")
        self.assertEqual(outside, [], "it asks nobody else")
        page.goto("/docs#get-/users/me")
        page.reload()
        expect(page.get_by_text("Requests are sent in your name.", exact=False)).to_be_visible()
        with page.expect_response("**/users/me") as answer:
            documentation.get_by_role("button", name="TRY").click()
        self.assertEqual(answer.value.status, 200)
        for scheme in ("light", "dark"):
            if scheme == "dark":
                page.emulate_media(color_scheme=scheme)
                page.reload()
                expect(documentation.get_by_role("button", name="TRY")).to_be_visible(timeout=patience)
            counts = self.axe(page)
            self.picture(page, f"docs-{scheme}")
        self.report("docs", counts)
