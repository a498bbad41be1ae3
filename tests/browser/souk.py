"""What the browser tests share: a browser, pages of the instance, users, and its API."""

import json
import os
import sys
import time
import unittest
import uuid
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from playwright.sync_api import Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "localstack"))

from demo_data.api import Api  # noqa: E402

PASSWORD = "correct horse battery"
DEMO = "demo@souk.example"
REFRESH = "__Secure-souk_refresh"
PATIENCE_MS = 30_000  # on a machine that is busy
expect.set_options(timeout=PATIENCE_MS)
# Chromium's sandbox needs rights that containers and root lack.
# The accessible name of the element with the focus: roughly the algorithm of assistive technology.
NAME_OF_FOCUS = """() => {
    const element = document.activeElement;
    return element.ariaLabel || element.labels?.[0]?.innerText || element.innerText || '';
}"""
OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage", "--force-prefers-reduced-motion"]


class BrowserTest(unittest.TestCase):
    """A test with a browser of its class. Each page is in a context of its own: other cookies, other storage."""

    @classmethod
    def setUpClass(cls):
        cls.playwright = sync_playwright().start()
        cls.addClassCleanup(cls.playwright.stop)
        cls.browser = cls.playwright.chromium.launch(executable_path=os.environ["SOUK_BROWSER"], args=OPTIONS)
        cls.addClassCleanup(cls.browser.close)
        cls.api = Api(json.loads(Path(os.environ["SOUK_INSTANCE_FILE"]).read_text()))

    def setUp(self):
        self.faults, self.cookies = [], {}

    def tearDown(self):
        self.assertEqual(self.faults, [], "the page reported faults")

    def context(self, **options):
        options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-SG", "timezone_id": "Asia/Singapore"} | options
        context = self.browser.new_context(base_url=self.api.base, **options)
        context.set_default_timeout(PATIENCE_MS)
        self.addCleanup(context.close)
        return context

    def page(self, context=None, **options) -> Page:
        page = (context or self.context(**options)).new_page()
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", self.note)
        return page

    def note(self, message) -> None:
        """Answers of the API that are no success are part of many tests; everything else that Chromium complains of is a fault."""
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(f"console: {message.text}")

    def register(self, name: str = "A tester") -> str:
        """A new user; returns the e-mail address."""
        email = f"{uuid.uuid4().hex}@example.com"
        self.api.call("POST", "/users", {"email": email, "password": PASSWORD, "displayName": name})
        self.open_session(email)
        return email

    def open_session(self, email: str) -> None:
        """Logs in as a browser does, for calls of the API and for one page."""
        body = json.dumps({"email": email, "password": PASSWORD, "refreshTokenIn": "cookie"}).encode()
        with urlopen(Request(f"{self.api.base}/sessions", body, {"content-type": "application/json"}), timeout=30) as answer:
            self.api.tokens[email] = json.load(answer)["accessToken"]
            self.cookies[email] = SimpleCookie(answer.headers["set-cookie"])[REFRESH].value

    def enter(self, page: Page, email: str, then: str = "/account") -> None:
        """Opens a screen with the session that is open already: a refresh token is used once, so this serves one page."""
        self.bring_session(page, email)
        page.goto(f"/#{then}")
        expect(page.get_by_role("button", name="Log out")).to_be_visible()

    def bring_session(self, page: Page, email: str) -> None:
        cookie = {"name": REFRESH, "value": self.cookies.pop(email), "domain": urlsplit(self.api.base).hostname, "path": "/sessions", "httpOnly": True, "secure": True, "sameSite": "Strict"}
        page.context.add_cookies([cookie])
        page.add_init_script("localStorage.setItem('souk.known', 'true')")

    def log_in(self, page: Page, email: str, then: str = "/account", password: str = PASSWORD) -> None:
        """By the keyboard alone."""
        page.goto(f"/#/login?then={then}")
        self.heading(page, "Log in")
        self.key_in(page, "E-mail address", email)
        self.key_in(page, "Password", password)
        self.press(page, "Log in")
        expect(page.get_by_role("button", name="Log out")).to_be_visible()

    def reach(self, page: Page, name: str) -> None:
        """Moves the focus by the Tab key to an element whose name begins so."""
        for _ in range(120):
            page.keyboard.press("Tab")
            if page.evaluate(NAME_OF_FOCUS).strip().startswith(name):
                return
        self.fail(f"{name!r} is not reached by the keyboard")

    def press(self, page: Page, name: str) -> None:
        """Reaches a button or a link and presses Enter."""
        self.reach(page, name)
        page.keyboard.press("Enter")

    def key_in(self, page: Page, label: str, text: str) -> None:
        """Reaches a field, and types over what is in it."""
        self.reach(page, label)
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type(text)

    def publish(self, seller: str, **members) -> dict:
        product = {
            "name": "Test teapot", "description": "", "category": f"test {uuid.uuid4().hex[:8]}",
            "price": {"amount": 1500, "currency": "SGD"}, "stock": 5,
        }
        product = self.api.call("POST", "/products", product | members, user=seller)
        # So that the shop of the next test, and of its picture, is that of the demo.
        headers = {"authorization": f"Bearer {self.api.tokens[seller]}", "if-match": "*"}
        self.addCleanup(self.api.send, "DELETE", f"{self.api.base}/products/{product['productId']}", None, headers)
        return product

    def lose_answers(self, page: Page, pattern: str, method: str, how: int | None = None, times: int = 1) -> list[str]:
        """The first requests are carried out, and their answers are lost, or have the status `how`, which does not tell what
        became of them. Returns the idempotency keys that are sent."""
        keys = []

        def answer(route):
            if route.request.method != method:
                route.continue_()
                return
            keys.append(route.request.headers["idempotency-key"])
            if len(keys) > times:
                route.continue_()
                return
            route.fetch()
            if how:
                route.fulfill(status=how, json={"message": "Service Unavailable"})
            else:
                route.abort()

        page.route(pattern, answer)
        return keys

    def heading(self, page: Page, text: str):
        expect(page.get_by_role("heading", level=1)).to_have_text(text)

    def mail_link(self, email: str) -> str:
        """The link in the last mail to the address."""
        for _ in range(100):
            with urlopen(f"{self.api.endpoint}/_souk/mails/{email}", timeout=10) as answer:
                mails = json.load(answer)
            links = [word for mail in reversed(mails) for word in mail["text"].split() if "/#" in word]
            if links:
                return links[0]
            time.sleep(0.1)
        raise AssertionError(f"there is no mail to {email}")
