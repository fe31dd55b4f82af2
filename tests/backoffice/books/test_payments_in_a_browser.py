"""A payment in the back office's own browser: found by what a customer reads out, refunded in part, and what became of it at both ends."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from reseller.domain.accounts import Role
from tests import axe
from tests.browser import PHONE, WIDE, Scheme, Windows
from tests.console import Console
from tests.deployment import Cluster
from tests.shop import Customer, Shop
from tests.stripe_shop import StripeShop, open_stripe_shop


@pytest.fixture(scope="module")
def market(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeShop]:
    with open_stripe_shop(cluster, tmp_path_factory.mktemp("market")) as opened:
        yield opened


@pytest.fixture
def shop(market: StripeShop) -> Shop:
    return market.shop


@pytest.fixture
def windows(browser: Browser, market: StripeShop) -> Iterator[Windows]:
    """Windows onto this shop. The test fails if a page complained about anything that was not allowed."""
    opened = Windows(browser, market.origin)
    try:
        yield opened
    finally:
        opened.close()
    assert not opened.complaints.unexpected, "a page complained:\n" + "\n".join(opened.complaints.unexpected)


def search(page: Page, words: str) -> None:
    page.goto("/admin/")
    page.get_by_role("searchbox").fill(words)
    page.get_by_role("searchbox").press("Enter")


def balance(customer: Customer) -> str:
    return str(customer.call("/v1/credits", method="GET").json["data"]["balance"])


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")])
def test_a_payment_is_found_by_stripes_id_and_refunded_in_part(
    console: Console, market: StripeShop, size: tuple[int, int], scheme: Scheme
) -> None:
    customer = console.customer(usd="0")
    order = market.paid(customer, "50")
    page = console.page(Role.FINANCE, size=size, scheme=scheme)
    console.allow(400)  # of too large a refund

    search(page, market.intent_of(customer, order))
    expect(page.get_by_role("heading", level=1)).to_contain_text("$50.00")
    faults = axe.grave_faults(page)
    page.get_by_label("Amount in dollars").fill("60")
    page.get_by_label("Reason").fill("bought twice")
    page.get_by_role("button", name="Refund", exact=True).click()
    expect(page.get_by_text("At most $50.00 of this payment can go back")).to_be_visible()
    page.get_by_label("Amount in dollars").fill("12.50")
    page.get_by_role("button", name="Refund", exact=True).click()

    expect(page.get_by_role("status").filter(has_text="on its way back")).to_contain_text("$12.50")
    expect(page.get_by_role("group", name="Refunds")).to_contain_text("bought twice")
    expect(page.get_by_text("At most $37.50")).to_be_visible()
    faults += axe.grave_faults(page)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert balance(customer) == "37.5"
    assert [
        each["amount"] for each in market.stripe.shop.refunds.values() if each["payment_intent"] == market.intent_of(customer, order)
    ] == [1250]
    theirs = console.window(customer.person)
    theirs.goto(f"/billing/payments/{order.payment_id}")
    expect(theirs.get_by_text("$12.50 went back to you")).to_be_visible()
    assert (faults, width) == ([], size[0])


def test_a_refund_that_froze_an_account_is_seen_by_everybody_and_a_dispute_that_is_won_thaws_it(
    console: Console, market: StripeShop
) -> None:
    """R19."""
    customer = console.customer(usd="0")
    order = market.paid(customer, "20")
    assert customer.chat().status == 200
    dispute = market.stripe.dispute(market.intent_of(customer, order))
    page = console.page(Role.SUPPORT)

    search(page, dispute["id"])
    expect(page.get_by_role("group", name="Disputes")).to_contain_text("$20.00")
    expect(page.get_by_text("Finance and admins refund")).to_have_count(0)  # nothing of it can go back
    page.get_by_role("link", name="The customer").click()
    expect(page.get_by_text("frozen below zero")).to_be_visible()
    refused = customer.chat()
    market.stripe.win(dispute["id"])

    page.reload()
    expect(page.get_by_text("frozen below zero")).to_have_count(0)
    assert (refused.status, refused.error["code"]) == (402, "account_frozen")
    assert customer.chat().status == 200


def test_a_second_factor_shown_long_ago_is_asked_for_before_the_form(console: Console, market: StripeShop) -> None:
    customer = console.customer(usd="0")
    order = market.paid(customer, "20")
    person = console.person(Role.FINANCE)
    page = console.page(person)
    market.shop.query("UPDATE sessions SET confirmed_at = now() - interval '1 hour' WHERE user_id = %s RETURNING 1", person.user_id)

    page.goto(f"/admin/payments/details/?id={order.payment_id}")
    expect(page.get_by_label("Amount in dollars")).to_have_count(0)
    page.get_by_role("link", name="first confirm that it is you").click()

    expect(page).to_have_url(re.compile(r"/sign-in/confirm\?next="))


def test_money_that_fits_nothing_is_resolved_with_words(console: Console, market: StripeShop) -> None:
    made = market.stripe.foreign_payment(4_200)
    page = console.page(Role.FINANCE)
    page.goto("/admin/suspense/")
    faults = axe.grave_faults(page)

    page.get_by_role("row").filter(has_text=made["id"]).get_by_role("button", name="Resolve").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("an invoice of the parent company")
    page.get_by_role("dialog").get_by_role("button", name="Resolve").click()

    expect(page.get_by_role("status")).to_contain_text("Resolved")
    page.goto(f"/admin/suspense/?subject={made['id']}&state=resolved")
    expect(page.get_by_role("row").nth(1)).to_contain_text("an invoice of the parent company")
    assert faults == []


def test_asking_stripe_credits_what_no_event_told(console: Console, market: StripeShop) -> None:
    """R20."""
    customer = console.customer(usd="0")
    with market.stripe.hold_back():
        order = market.opened(customer, "30")
        market.stripe.pay(market.row(order.payment_id)["session_id"])
    page = console.page(Role.ADMIN)

    page.goto(f"/admin/payments/details/?id={order.payment_id}")
    expect(page.get_by_text("No event about it has arrived")).to_be_visible()
    page.get_by_role("button", name="Ask Stripe").click()

    expect(page.get_by_role("group", name="In the books")).to_contain_text("$30.00")
    assert balance(customer) == "30"
