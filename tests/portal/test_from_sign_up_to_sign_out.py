"""One customer's whole way, through every door they meet: pages, letters, openai-python, a provider, and out again.

Nobody of ours helps: what they need, pages and letters tell them.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from openai import AuthenticationError, OpenAI
from playwright.sync_api import Page, expect

from tests.browser import Windows
from tests.fakes.openid_mock import OpenIdMock, without_looks
from tests.fakes.smtp import MailServer, link_in
from tests.servers import WebServer, WorkerProcess
from tests.shop import Shop

MAILBOX, FIRST, SECOND = "whole-way@example.org", "the first password there", "the second password there"
MODEL = "openai/gpt-4o-mini"


@dataclass(frozen=True, slots=True)
class Town:
    """A shop with a worker, a mail server and a provider, and windows onto it."""

    shop: Shop
    web: WebServer
    post: MailServer
    windows: Windows

    def window(self) -> Page:
        return without_looks(self.windows.open())

    def url(self, path: str) -> str:
        return f"{self.origin}{path}"

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.web.port}"

    def follow(self, page: Page, about: str) -> None:
        """The link of the newest letter about this, in this window."""
        page.goto(self.url(urlsplit(link_in(self.post.to(MAILBOX, about=about))).path))

    def ask(self, key: str) -> tuple[str, Decimal]:
        """What openai-python is answered, and what the answer says it was charged."""
        client = OpenAI(api_key=key, base_url=self.url("/v1"), max_retries=0)
        answer = client.chat.completions.with_raw_response.create(model=MODEL, messages=[{"role": "user", "content": "hello"}])
        body = json.loads(answer.text, parse_float=Decimal)
        return answer.headers["x-request-id"], Decimal(body["usage"]["cost"])


@pytest.fixture
def town(shop: Shop, windows: Windows, tmp_path: Path) -> Iterator[Town]:
    claims = {"sub": "whole-way", "email": MAILBOX, "email_verified": True}
    with OpenIdMock([claims], tmp_path) as provider, MailServer() as post:
        ours = {**provider.settings("Acme"), "MAIL_URL": post.url, "MAIL_FROM": "post@shop.example", "TRIAL_CREDIT_USD": "1"}
        env = {**shop.web.environment, **ours}
        with WebServer(env=env, log=tmp_path / "web.log") as web, WorkerProcess(env=env, log=tmp_path / "worker.log"):
            yield Town(shop, web, post, windows)


def test_from_sign_up_to_sign_out_everywhere(town: Town) -> None:
    """R21, R26: each step is read again through another door."""
    page = town.window()
    sign_up(town, page)
    key = make_key(town, page)
    request_id, charge = town.ask(key)
    assert charge > 0

    see_the_call(town, page, request_id, charge)
    successor = rotate(town, page, key)
    charges = [charge, *(town.ask(each)[1] for each in (key, successor))]
    town.shop.query("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE key_prefix = %s RETURNING 1", key[:12])
    with pytest.raises(AuthenticationError):
        town.ask(key)

    reset_password(town, page)
    link_provider(town, page)
    other = town.window()
    come_in_through_provider(town, other)
    sign_out_everywhere(town, other)
    page.reload()
    expect(page).to_have_url(re.compile("/sign-in"))
    charges.append(town.ask(successor)[1])  # programs go on
    balance = json.loads(town.shop.call("/v1/credits", headers={"Authorization": f"Bearer {successor}"}).body)["data"]["balance"]
    assert Decimal(balance) == 1 - sum(charges)


def sign_up(town: Town, page: Page) -> None:
    page.goto(town.url("/"))
    page.get_by_role("link", name="Sign up").first.click()
    page.get_by_label("E-mail address").fill(MAILBOX)
    page.get_by_label("Password").fill(FIRST)
    page.get_by_label("Your name").fill("Whole Way")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("main")).to_contain_text(f"{MAILBOX}")
    town.follow(page, "Confirm")
    page.get_by_role("button", name="Confirm and sign in").click()
    expect(page).to_have_url(town.url("/overview"))
    expect(page.get_by_role("main")).to_contain_text("$1.00")


def make_key(town: Town, page: Page) -> str:
    page.get_by_role("link", name="Keys", exact=True).click()
    page.get_by_role("link", name="Make a key").click()
    page.get_by_label("Name").fill("first")
    page.get_by_role("button", name="Make the key").click()
    return page.locator(".token code").inner_text()


def see_the_call(town: Town, page: Page, request_id: str, charge: Decimal) -> None:
    """In the chart, in its table and on the receipt."""
    page.goto(town.url("/usage?by=model"))
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text(MODEL)
    page.goto(town.url(f"/usage/calls/{request_id}"))
    page.reload()
    expect(page.locator("#charge")).to_contain_text(f"{charge:f}".rstrip("0"))
    expect(page.locator("#bill-lines tfoot [data-amount]")).to_have_attribute("data-amount", re.compile(rf"^{re.escape(f'{charge:f}')}0*$"))


def rotate(town: Town, page: Page, key: str) -> str:
    page.goto(town.url("/keys"))
    page.get_by_role("link", name="Rotate first").click()
    page.get_by_label("How long the old key still works").select_option("For 1 hour")
    page.get_by_role("button", name="Rotate").click()
    return page.locator(".token code").inner_text()


def reset_password(town: Town, page: Page) -> None:
    """Their browser had been signed in, and is not any more."""
    lost = town.window()
    lost.goto(town.url("/sign-in"))
    lost.get_by_role("link", name="Forgotten your password?").click()
    lost.get_by_label("E-mail address").fill(MAILBOX)
    lost.get_by_role("button", name="Send the letter").click()
    town.follow(lost, "Choose a new password")
    lost.get_by_label("New password", exact=True).fill(SECOND)
    lost.get_by_label("New password again").fill(SECOND)
    lost.get_by_role("button", name="Save the new password").click()
    expect(lost).to_have_url(town.url("/sign-in"))
    page.goto(town.url("/settings"))
    expect(page).to_have_url(town.url("/sign-in?next=/settings"))
    page.get_by_label("E-mail address").fill(MAILBOX)
    page.get_by_label("Password").fill(SECOND)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(town.url("/settings"))


def link_provider(town: Town, page: Page) -> None:
    page.get_by_role("button", name="Link Acme").click()
    page.get_by_label("Password").fill(SECOND)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Link Acme").click()
    page.get_by_role("button", name="whole-way", exact=True).first.click()
    expect(page).to_have_url(town.url("/settings"))


def come_in_through_provider(town: Town, page: Page) -> None:
    page.goto(town.url("/sign-in"))
    page.get_by_role("link", name="Acme").click()
    page.get_by_role("button", name="whole-way", exact=True).first.click()
    expect(page).to_have_url(town.url("/overview"))


def sign_out_everywhere(town: Town, page: Page) -> None:
    page.goto(town.url("/settings"))
    page.get_by_role("button", name="Sign out everywhere", exact=True).first.click()
    page.get_by_role("dialog").get_by_role("button", name="Sign out everywhere", exact=True).click()
    expect(page).to_have_url(town.url("/sign-in"))
