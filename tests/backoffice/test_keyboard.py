"""A member of staff without a mouse: signs in, finds a customer, gives credit."""

import re
from decimal import Decimal

from playwright.sync_api import Locator, Page, expect

from reseller.domain.accounts import Role
from tests import factories
from tests.authenticator import Authenticator
from tests.console import Console

MOST_STOPS = 80


def tab_to(page: Page, target: Locator) -> None:
    """The Tab key has led to this place."""
    expect(target).to_be_visible()
    for _ in range(MOST_STOPS):
        if target.evaluate("place => place === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not lead to {target}")


def write(page: Page, label: str, text: str) -> None:
    """The field with this label holds the text."""
    tab_to(page, page.get_by_label(label, exact=True))
    page.keyboard.type(text)


def press(page: Page, role: str, name: str) -> None:
    """The link or button with this name has been pressed."""
    tab_to(page, page.get_by_role(role, name=name, exact=True))  # type: ignore[arg-type]
    page.keyboard.press("Enter")


def test_signing_in_finding_a_customer_and_giving_credit_need_no_mouse(console: Console) -> None:
    member = console.person(Role.SUPPORT)
    customer = console.customer(usd="5")
    page = console.stranger()
    page.goto("/sign-in")

    sign_in(page, member.email)
    page.wait_for_load_state()  # the key is a script's
    page.keyboard.press("/")
    page.keyboard.type(customer.person.email)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/admin/customers/"))
    if page.url.startswith(console.url("/admin/customers/search")):
        tab_to(page, page.locator("main a[href*='/admin/customers/']").first)
        page.keyboard.press("Enter")
    press(page, "link", "Adjust credit")
    write(page, "Amount in dollars", "2.50")
    write(page, "Reason", "a call that failed")
    press(page, "button", "Adjust")

    expect(page.get_by_text("a call that failed").first).to_be_visible()
    assert Decimal(customer.call("/v1/credits").json["data"]["balance"]) == Decimal("7.5")


def sign_in(page: Page, email: str) -> None:
    """The person is in the back office for the first time, an authenticator set up on the way."""
    write(page, "E-mail address", email)
    write(page, "Password", factories.PASSWORD)
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_text("Type the secret instead"))
    page.keyboard.press("Enter")
    secret = page.locator("code", has_text=re.compile(r"^([A-Z2-7]{4} ){7}[A-Z2-7]{4}$")).inner_text()
    tab_to(page, page.locator("input[name=code]"))
    page.keyboard.type(Authenticator(secret).code())
    page.keyboard.press("Enter")
    press(page, "link", "I have kept them")
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
