"""Buying credit in a real browser, from a click to a call that it pays for (R17, R18, R20)."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import axe
from tests.browser import PHONE, WIDE, Scheme, Windows
from tests.deployment import Cluster
from tests.shop import Customer, Shop
from tests.site import Site
from tests.stripe_shop import StripeShop, open_stripe_shop, order_shown

WAITING, PAID = "Waiting for Stripe to confirm", "The payment is in"
TURNS = 12_000  # milliseconds: the page asks every two seconds, and Stripe is asked every five
CHECKOUT = re.compile(r"/c/pay/cs_")
PAYMENT = re.compile(r"/billing/payments/[0-9a-f-]{36}")


@pytest.fixture(scope="module")
def market(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeShop]:
    with open_stripe_shop(cluster, tmp_path_factory.mktemp("market")) as opened:
        yield opened


@pytest.fixture
def shop(market: StripeShop) -> Shop:
    return market.shop


@pytest.fixture
def windows(browser: Browser, market: StripeShop) -> Iterator[Windows]:
    """Windows onto this shop, at the address that Stripe sends browsers back to."""
    opened = Windows(browser, market.origin)
    try:
        yield opened
    finally:
        opened.close()
    assert not opened.complaints.unexpected, "a page complained:\n" + "\n".join(opened.complaints.unexpected)


@pytest.fixture
def customer(site: Site) -> Customer:
    """Somebody with a key and no money."""
    return site.customer(usd="0")


def choose(page: Page, pack: str = "$25.00") -> None:
    """A pack is clicked, and the browser is at Stripe."""
    page.goto("/billing")
    page.get_by_role("button", name=pack).click()
    page.wait_for_url(CHECKOUT)


def pay(page: Page, how: str = "by card") -> None:
    """The browser has paid and is back with us."""
    page.get_by_role("button", name=how).click()
    page.wait_for_url(PAYMENT)


def balance(customer: Customer) -> str:
    return str(customer.call("/v1/credits", method="GET").json["data"]["balance"])


def width(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")])
def test_a_pack_is_bought_and_a_call_is_paid_with_it(
    site: Site, market: StripeShop, customer: Customer, size: tuple[int, int], scheme: Scheme
) -> None:
    page = site.window(customer.person, size=size, scheme=scheme)
    assert customer.chat().status == 402
    page.goto("/billing")
    faults, widths = axe.grave_faults(page), [width(page)]

    choose(page)
    pay(page)
    expect(page.get_by_text(PAID)).to_be_visible()
    faults, widths = faults + axe.grave_faults(page), [*widths, width(page)]

    page.get_by_role("link", name="Back to billing").click()
    expect(page.get_by_role("row").filter(has_text="paid")).to_contain_text("$25.00")
    page.get_by_role("link", name="Top-up").last.click()
    page.get_by_role("link", name="What became of it").click()
    page.get_by_role("link", name="Top-up").click()
    expect(page.locator("main")).to_contain_text("+$25.00")
    page.goto("/overview")
    expect(page.get_by_role("link", name="Available")).to_contain_text("$25.00")
    page.reload()
    expect(page.get_by_role("link", name="Available")).to_contain_text("$25.00")
    assert balance(customer) == "25"
    assert customer.chat().status == 200
    assert (faults, widths) == ([], [size[0]] * 2)
    assert market.stripe.delivery.statuses
    assert {status for told in market.stripe.delivery.statuses.values() for status in told} == {200}


def test_any_amount_is_bought_and_a_wrong_one_stays_to_be_mended(site: Site, customer: Customer) -> None:
    page = site.window(customer.person)
    page.goto("/billing")

    page.get_by_label("Another amount").fill("1,50")
    page.get_by_role("button", name="Buy credit").click()
    expect(page.get_by_role("alert").last).to_contain_text("Write an amount in dollars")
    field = page.get_by_label("Another amount")
    expect(field).to_have_value("1,50")
    expect(field).to_be_focused()
    faults = axe.grave_faults(page)
    field.fill("$12.34")
    field.press("Enter")
    page.wait_for_url(CHECKOUT)
    expect(page.get_by_text("$12.34").first).to_be_visible()
    pay(page)

    expect(page.get_by_text(PAID)).to_contain_text("$12.34")
    assert balance(customer) == "12.34"
    assert faults == []


def test_back_from_stripe_is_billing_and_not_the_hand_over(site: Site, customer: Customer) -> None:
    page = site.window(customer.person)
    choose(page)

    page.go_back()

    expect(page).to_have_url(re.compile(r"/billing$"))
    expect(page.get_by_role("row").filter(has_text="open")).to_have_count(1)


def test_without_scripts_it_is_bought_just_the_same(site: Site, customer: Customer) -> None:
    page = site.window(customer.person, java_script_enabled=False)

    choose(page)
    pay(page)

    expect(page.get_by_text(PAID)).to_be_visible()
    assert balance(customer) == "25"


def test_a_card_that_is_declined_is_no_end(site: Site, customer: Customer) -> None:
    page = site.window(customer.person)
    choose(page)

    page.get_by_role("button", name="declined").click()
    expect(page.get_by_role("alert")).to_contain_text("declined")
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_text("Nothing was charged")).to_be_visible()
    refused = balance(customer)
    page.get_by_role("link", name="Go on to the payment").click()
    page.wait_for_url(CHECKOUT)
    pay(page)

    expect(page.get_by_text(PAID)).to_be_visible()
    assert (refused, balance(customer)) == ("0", "25")


def test_whoever_leaves_finds_the_order_among_payments_and_goes_on(site: Site, customer: Customer) -> None:
    page = site.window(customer.person)
    choose(page, "$10.00")
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_text("Nothing was charged")).to_be_visible()

    page.goto("/billing")
    page.get_by_role("row").filter(has_text="open").get_by_role("link").click()
    page.get_by_role("link", name="Go on to the payment").click()
    page.wait_for_url(CHECKOUT)
    pay(page)

    expect(page.get_by_text(PAID)).to_contain_text("$10.00")
    assert balance(customer) == "10"


def test_a_bank_debit_is_credit_when_it_arrives_and_the_page_turns_by_itself(site: Site, market: StripeShop, customer: Customer) -> None:
    page = site.window(customer.person)
    choose(page)
    pay(page, "bank debit")
    expect(page.get_by_text("Your bank is still at it")).to_be_visible()
    faults = axe.grave_faults(page)
    before = balance(customer)

    market.stripe.arrive(market.row(order_shown(page))["session_id"])

    expect(page.get_by_text(PAID)).to_be_visible(timeout=TURNS)
    assert (before, balance(customer), faults) == ("0", "25", [])


def test_a_bank_debit_that_bounces_is_told(site: Site, market: StripeShop, customer: Customer) -> None:
    page = site.window(customer.person)
    choose(page)
    pay(page, "bank debit")

    market.stripe.bounce(market.row(order_shown(page))["session_id"])

    expect(page.get_by_text("did not go through")).to_be_visible(timeout=TURNS)
    assert balance(customer) == "0"


def test_where_events_are_lost_the_page_waits_and_heals_by_itself(site: Site, market: StripeShop, customer: Customer) -> None:
    """Stripe cannot be asked when the browser comes back, and no event ever arrives: the page finds out itself (R20)."""
    page = site.window(customer.person)
    choose(page)
    with market.stripe.hold_back() as lost:
        market.stripe.is_down = True
        try:
            pay(page)
            expect(page.get_by_text(WAITING)).to_be_visible()
            faults = axe.grave_faults(page)
            before = balance(customer)
        finally:
            market.stripe.is_down = False

        expect(page.get_by_text(PAID)).to_be_visible(timeout=TURNS)
    healed = balance(customer)
    late = [market.stripe.deliver(event) for event in lost]

    assert (before, healed, balance(customer), set(late), faults) == ("0", "25", "25", {200}, [])


def test_two_clicks_in_two_windows_are_two_orders_and_what_is_paid_counts(site: Site, market: StripeShop, customer: Customer) -> None:
    page = site.window(customer.person)
    other = page.context.new_page()
    for each in (page, other):
        each.goto("/billing")

    for each in (page, other):
        each.get_by_role("button", name="$10.00").click(no_wait_after=True)
    for each in (page, other):
        each.wait_for_url(CHECKOUT)
    sessions = {each.url.rpartition("/")[2] for each in (page, other)}
    pay(other)
    expect(other.get_by_text(PAID)).to_be_visible()

    rows = market.shop.query("SELECT session_id, status FROM payments WHERE account_id = %s", customer.person.account_id)
    assert {row["session_id"] for row in rows} == sessions
    assert sorted(row["status"] for row in rows) == ["open", "paid"]
    assert balance(customer) == "10"


def test_one_button_pressed_twice_is_one_order(site: Site, market: StripeShop, customer: Customer) -> None:
    page = site.window(customer.person)
    page.goto("/billing")

    page.get_by_role("button", name="$10.00").dblclick(no_wait_after=True)
    page.wait_for_url(CHECKOUT)

    assert len(market.shop.query("SELECT 1 FROM payments WHERE account_id = %s", customer.person.account_id)) == 1


def test_whoever_was_signed_out_meanwhile_comes_back_to_the_payment(site: Site, customer: Customer) -> None:
    page = site.window(customer.person)
    choose(page)
    page.context.clear_cookies()

    page.get_by_role("button", name="by card").click()

    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    page.get_by_label("E-mail").fill(customer.person.email)
    page.get_by_label("Password", exact=True).fill("correct horse battery staple")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(PAYMENT)
    expect(page.get_by_text(PAID)).to_be_visible()


def test_a_frozen_account_is_told_why_and_led_to_the_payment(site: Site, market: StripeShop, customer: Customer) -> None:
    """R19."""
    order = market.paid(customer, "20")
    with site.at_work():
        from_calls = customer.chat()
    assert from_calls.status == 200
    market.stripe.refund(market.intent_of(customer, order))
    page = site.window(customer.person)

    page.goto("/overview")
    expect(page.get_by_role("alert")).to_contain_text("a payment of $20.00 was refunded")
    faults = axe.grave_faults(page)
    page.get_by_role("alert").get_by_role("link", name="The payment").click()
    expect(page.get_by_text("went back to you")).to_be_visible()
    faults += axe.grave_faults(page)
    refused = customer.chat()
    page.goto("/billing")
    choose(page)
    pay(page)

    expect(page.get_by_text(PAID)).to_be_visible()
    assert (refused.status, refused.error["code"]) == (402, "account_frozen")
    assert customer.chat().status == 200
    assert faults == []
