"""Accounts and sessions."""

from playwright.sync_api import expect
from souk import PASSWORD, BrowserTest

QUARTER_HOUR_MS = 15 * 60 * 1000


class Session(BrowserTest):
    def test_an_account_is_opened_verified_changed_and_closed(self):
        email = f"{self.id().rpartition('.')[2][-20:]}-{self.api.base.rpartition(':')[2]}-{id(self):x}@example.com"
        page = self.page()
        page.goto("/#/register?then=/orders")
        page.get_by_label("Name that others see").fill("Ada")
        page.get_by_label("E-mail address").fill(email)
        password = page.get_by_label("Password")
        expect(password).to_have_attribute("type", "password")
        expect(password).to_have_attribute("autocomplete", "new-password")
        password.fill(PASSWORD)
        page.get_by_role("button", name="Open the account").click()
        self.heading(page, "Your orders")
        page.goto(self.mail_link(email).replace("http://localhost", "http://127.0.0.1"))
        expect(page.get_by_text("Your address is verified.")).to_be_visible()
        page.get_by_role("link", name="Go to your account").click()
        expect(page.get_by_text("verified", exact=True)).to_be_visible()
        page.get_by_label("Name that others see").fill("Ada Lovelace")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        self.key_in(page, "Present password", PASSWORD)
        self.key_in(page, "New password", "staple correct horse")
        self.press(page, "Change it")
        expect(page.get_by_text("It is changed.", exact=False)).to_be_visible()
        self.press(page, "Log out")
        self.heading(page, "Log in")
        self.log_in(page, email, password="staple correct horse")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download all of it").click()
        self.assertIn("Ada Lovelace", download.value.path().read_text())
        page.get_by_role("button", name="Close the account").click()
        page.get_by_role("dialog").get_by_label("Password").fill("staple correct horse")
        page.get_by_role("button", name="Close it").click()
        self.heading(page, "New in the souk")
        expect(page.get_by_role("link", name="Log in")).to_be_visible()

    def test_a_mail_leads_to_a_new_password(self):
        email = self.register()
        first = self.mail_link(email)
        page = self.page()
        page.goto("/#/login")
        page.get_by_label("E-mail address").fill(email)
        page.get_by_label("Password").fill("not the password")
        page.get_by_role("main").get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("not logged in")
        page.get_by_role("link", name="Forgotten your password?").click()
        page.get_by_label("E-mail address").fill(email)
        page.get_by_role("button", name="Send me a link").click()
        expect(page.get_by_text("a mail with a link is on its way", exact=False)).to_be_visible()
        link = first
        while link == first:
            link = self.mail_link(email)
        page.goto(link)
        page.get_by_label("New password").fill("staple correct horse")
        page.get_by_role("button", name="Set the password").click()
        expect(page.get_by_text("The password is set", exact=False)).to_be_visible()

    def test_no_token_is_where_a_script_of_another_page_could_find_it(self):
        page = self.page()
        self.log_in(page, self.register())
        stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        self.assertNotRegex(stored, r"eyJ|[A-Za-z0-9_-]{40}")
        cookies = page.context.cookies(self.api.base + "/sessions/refresh")
        refresh = [cookie for cookie in cookies if cookie["name"] == "__Secure-souk_refresh"]
        self.assertTrue(refresh and refresh[0]["httpOnly"] and refresh[0]["secure"] and refresh[0]["sameSite"] == "Strict", cookies)
        page.reload()
        expect(page.get_by_role("button", name="Log out")).to_be_visible()

    def test_two_tabs_whose_token_expired_at_once_refresh_once(self):
        email, context = self.register(), self.context()
        first, second = self.page(context), self.page(context)
        refreshes = []
        context.on("request", lambda request: refreshes.append(request.url) if request.url.endswith("/sessions/refresh") else None)
        for page in (first, second):
            page.clock.install()
        self.log_in(first, email)
        second.goto("/#/account")
        expect(second.get_by_role("button", name="Log out")).to_be_visible()
        self.assertEqual(refreshes, [], "the second tab is told the token by the first")
        for page in (first, second):
            page.clock.fast_forward(QUARTER_HOUR_MS)
        for page in (first, second):
            page.evaluate("location.hash = '#/orders'")
        for page in (first, second):
            expect(page.get_by_text("There are no such orders.", exact=False)).to_be_visible()
        self.assertEqual(len(refreshes), 1, "one tab refreshes and tells the other")
        # Neither was taken for a thief: the session goes on.
        for page in (first, second):
            page.reload()
            expect(page.get_by_role("button", name="Log out")).to_be_visible()

    def test_a_log_out_in_one_tab_is_one_in_all(self):
        context = self.context()
        first, second = self.page(context), self.page(context)
        self.log_in(first, self.register())
        second.goto("/#/account")
        expect(second.get_by_role("button", name="Log out")).to_be_visible()
        first.get_by_role("button", name="Log out").click()
        expect(second.get_by_role("link", name="Log in").first).to_be_visible()
        self.heading(second, "Log in")

    def test_sessions_are_listed_and_ended(self):
        email = self.register()
        page = self.page()
        self.log_in(page, email)
        here = page.get_by_role("region", name="Where you are logged in")
        expect(here.get_by_role("listitem")).to_have_count(2)
        here.get_by_role("button", name="End", exact=True).click()
        page.get_by_role("button", name="End it").click()
        expect(here.get_by_role("listitem")).to_have_count(1)
        page.get_by_role("button", name="End all sessions").click()
        page.get_by_role("button", name="Log out everywhere").click()
        self.heading(page, "Log in")
