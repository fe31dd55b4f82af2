"""Checkout pages: what is asked for, what a browser does there, what Stripe tells afterwards. The real SDK against our stand-in."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import requests

from reseller.clients.stripe_api import StripeApi, StripeRefused
from reseller.clock import new_id, now
from tests.clients.stripe_orders import BACK, order, paid
from tests.fakes.stripe import FakeStripe


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe(tax_percent=19) as server:
        yield server


@pytest.fixture
def stripe(fake: FakeStripe) -> StripeApi:
    return StripeApi(fake.secret_key, fake.webhook_secret, api_base=fake.url)


def test_an_order_becomes_a_page_that_carries_our_ids(stripe: StripeApi, fake: FakeStripe) -> None:
    wanted = order()

    opened = stripe.open_checkout(wanted)

    asked = fake.api.asked[-1][2]
    carried = {"payment_id": str(wanted.payment_id), "account_id": str(wanted.account_id)}
    assert opened.url.startswith(fake.url)
    assert opened.expires_at == wanted.expires_at.replace(microsecond=0)
    assert asked["payment_intent_data"]["metadata"] == carried
    assert asked["metadata"] == carried | {"bonus_usd": "2.5", "mark": "a mark"}
    assert asked["client_reference_id"] == str(wanted.payment_id)
    assert asked["line_items"][0]["price_data"]["unit_amount"] == "2500"
    assert (asked["customer_email"], asked["customer_creation"]) == ("ann@example.com", "always")
    assert asked["adaptive_pricing"] == {"enabled": "false"}
    assert len(fake.api.versions) == 1


def test_the_same_order_asked_for_twice_is_one_page(stripe: StripeApi, fake: FakeStripe) -> None:
    wanted = order()

    assert stripe.open_checkout(wanted) == stripe.open_checkout(wanted)
    assert len(fake.shop.sessions) == 1


def test_an_answer_that_is_lost_makes_no_second_page(stripe: StripeApi, fake: FakeStripe) -> None:
    """The SDK asks again with the same key."""
    fake.loses_answers = 1

    stripe.open_checkout(order())

    assert len(fake.shop.sessions) == 1


def test_the_same_order_with_another_amount_is_refused(stripe: StripeApi) -> None:
    wanted = order()
    stripe.open_checkout(wanted)

    with pytest.raises(StripeRefused) as refused:
        stripe.open_checkout(replace(wanted, amount_usd=Decimal(26)))

    assert refused.value.code == "idempotency_error"


@pytest.mark.parametrize("amount", ["0.001", "25.005", "0", "-5", "NaN"])
def test_what_is_no_whole_number_of_cents_is_never_asked_for(stripe: StripeApi, fake: FakeStripe, amount: str) -> None:
    with pytest.raises(ValueError):
        stripe.open_checkout(order(amount_usd=Decimal(amount)))

    assert fake.api.asked == []


def test_a_customer_who_is_known_is_named_and_may_be_completed(stripe: StripeApi, fake: FakeStripe) -> None:
    """Stripe refuses tax for an existing customer whom the page may not update."""
    _, session_id, _ = paid(stripe, fake)
    customer_id = stripe.session(session_id).customer_id

    again = stripe.open_checkout(order(customer_id=customer_id, collect_tax_id=True, automatic_tax=True))

    assert stripe.session(again.session_id).customer_id == customer_id
    assert fake.api.asked[-2][2]["customer_update"] == {"name": "auto", "address": "auto"}


def test_tax_is_told_apart_from_the_order(stripe: StripeApi, fake: FakeStripe) -> None:
    """R18: tax never becomes credit."""
    _, session_id, intent_id = paid(stripe, fake, automatic_tax=True)

    session = stripe.session(session_id)

    assert (session.amount_usd, session.tax_usd, session.total_usd) == (Decimal("25.00"), Decimal("4.75"), Decimal("29.75"))
    assert stripe.money_of(intent_id).received_usd == Decimal("29.75")


def test_a_session_before_and_after_the_money(stripe: StripeApi, fake: FakeStripe) -> None:
    wanted = order(create_invoice=True)
    session_id = stripe.open_checkout(wanted).session_id
    before = stripe.session(session_id)

    fake.pay(session_id)

    after = stripe.session(session_id)
    assert (before.status, before.payment_status, before.intent_id, before.customer_id) == ("open", "unpaid", None, None)
    assert (after.status, after.payment_status, after.is_live) == ("complete", "paid", False)
    assert (after.payment_id, after.account_id, after.currency) == (wanted.payment_id, wanted.account_id, "usd")
    assert after.invoice_url == f"{fake.url}/invoices/{next(iter(fake.shop.invoices))}"
    assert after.intent_id is not None
    assert stripe.session_of_intent(after.intent_id) == after


def test_a_debit_is_complete_long_before_it_is_paid(stripe: StripeApi, fake: FakeStripe) -> None:
    """Only `paid` is money (R18)."""
    first, second = (stripe.open_checkout(order()).session_id for _ in range(2))
    for session_id in (first, second):
        fake.pay_later(session_id)
    waiting = stripe.session(first)

    fake.arrive(first)
    fake.bounce(second)

    told = [(stripe.session(each).status, stripe.session(each).payment_status) for each in (first, second)]
    assert (waiting.status, waiting.payment_status) == ("complete", "unpaid")
    assert told == [("complete", "paid"), ("complete", "unpaid")]


def test_a_session_that_is_not_there_is_refused(stripe: StripeApi) -> None:
    with pytest.raises(StripeRefused) as refused:
        stripe.session("cs_test_nobody")

    assert refused.value.code == "resource_missing"


def test_all_sessions_since_an_instant_over_many_pages(stripe: StripeApi, fake: FakeStripe) -> None:
    made = [stripe.open_checkout(order()).session_id for _ in range(103)]
    fake.shop.sessions[made[0]]["created"] -= 7200

    found = [session.session_id for session in stripe.sessions_since(now() - timedelta(hours=1))]

    assert found == made[:0:-1]


@pytest.mark.parametrize(("reference", "metadata"), [("order-7", None), (None, None), ("both", "differ"), ("{urn}", None)])
def test_a_session_with_no_id_of_ours_has_none(stripe: StripeApi, fake: FakeStripe, reference: str | None, metadata: str | None) -> None:
    session_id = stripe.open_checkout(order()).session_id
    given = f"urn:uuid:{new_id()}" if reference == "{urn}" else str(new_id()) if metadata else reference
    fake.shop.sessions[session_id] |= {"client_reference_id": given, "metadata": {"payment_id": str(new_id())} if metadata else {}}

    assert stripe.session(session_id).payment_id is None


def test_the_page_takes_a_card_and_sends_the_browser_back(stripe: StripeApi, fake: FakeStripe) -> None:
    opened = stripe.open_checkout(order())

    page = requests.get(opened.url, timeout=10)
    declined = requests.post(f"{opened.url}/decline", timeout=10)
    after_decline = stripe.session(opened.session_id)
    answer = requests.post(f"{opened.url}/pay", timeout=10, allow_redirects=False)

    assert "Pay $25.00" in page.text
    assert f"{BACK}/left" in page.text
    assert "declined" in declined.text
    assert (after_decline.status, after_decline.payment_status) == ("open", "unpaid")
    assert answer.headers["Location"] == f"{BACK}/back?session={opened.session_id}"
    assert "complete" in requests.get(opened.url, timeout=10).text
    assert requests.post(f"{opened.url}/pay", timeout=10).status_code == 400
    assert len(fake.shop.intents) == 1
