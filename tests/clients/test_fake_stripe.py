"""The stand-in for Stripe itself: what it tells, to whom, when; and as a process of its own."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, expect

from reseller.clients.stripe_api import StripeApi
from tests.clients.stripe_orders import order
from tests.fakes.stripe import FakeStripe
from tests.fakes.stripe.sink import Sink
from tests.servers import ServerProcess, free_port


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink("whsec_of_the_test") as made:
        yield made


@pytest.fixture
def fake(sink: Sink) -> Iterator[FakeStripe]:
    with FakeStripe(webhook=sink.url, webhook_secret="whsec_of_the_test") as server:
        yield server


@pytest.fixture
def stripe(fake: FakeStripe) -> StripeApi:
    return StripeApi(fake.secret_key, fake.webhook_secret, api_base=fake.url)


def test_each_step_tells_what_stripe_tells(stripe: StripeApi, fake: FakeStripe, sink: Sink) -> None:
    session = fake.pay(stripe.open_checkout(order(create_invoice=True)).session_id)
    fake.win(fake.dispute(session["payment_intent"])["id"])

    assert sink.types == [
        "customer.created", "payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "invoice.paid",
        "checkout.session.completed", "charge.updated", "charge.dispute.created", "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated", "charge.dispute.updated", "charge.dispute.closed",
    ]  # fmt: skip
    assert set(fake.delivery.statuses) == {event["id"] for event in fake.events}


def test_what_is_held_back_is_told_by_the_test_alone(stripe: StripeApi, fake: FakeStripe, sink: Sink) -> None:
    session_id = stripe.open_checkout(order()).session_id
    with fake.hold_back() as held:
        fake.pay(session_id)
    assert sink.types == []

    told = [event for event in reversed(held) if event["type"].startswith("checkout.")] * 2
    statuses = [fake.deliver(event) for event in told]
    sink.status = 503
    statuses.append(fake.deliver(told[0]))

    assert sink.types == ["checkout.session.completed"] * 3
    assert statuses == [200, 200, 503]


def test_a_webhook_that_is_gone_is_told_nothing_and_holds_nobody(stripe: StripeApi, fake: FakeStripe) -> None:
    fake.webhook = "http://127.0.0.1:9/"

    fake.pay(stripe.open_checkout(order()).session_id)

    assert {status for statuses in fake.delivery.statuses.values() for status in statuses} == {0}


def test_an_event_tells_how_it_was_and_not_how_it_is(stripe: StripeApi, fake: FakeStripe) -> None:
    session_id = stripe.open_checkout(order()).session_id
    fake.pay_later(session_id)
    fake.arrive(session_id)

    completed, arrived = fake.events_of("checkout.session.completed", "checkout.session.async_payment_succeeded")

    assert completed["data"]["object"]["payment_status"] == "unpaid"
    assert arrived["data"]["object"]["payment_status"] == "paid"


def test_a_person_pays_and_the_bank_changes_its_mind(stripe: StripeApi, fake: FakeStripe, sink: Sink, browser: Browser) -> None:
    shop = sink.url.removesuffix("/callbacks/stripe")
    opened = stripe.open_checkout(order(success_url=f"{shop}/paid?id={{CHECKOUT_SESSION_ID}}", cancel_url=f"{shop}/left"))
    page = browser.new_page()

    page.goto(opened.url)
    page.get_by_role("link", name="Back").click()
    expect(page).to_have_url(f"{shop}/left")
    page.goto(opened.url)
    page.get_by_role("button", name="declined").click()
    expect(page.get_by_role("alert")).to_have_text("Your card was declined.")
    page.get_by_role("button", name="Pay $25.00 by bank debit").click()
    expect(page).to_have_url(f"{shop}/paid?id={opened.session_id}")
    assert "checkout.session.completed" in sink.types
    page.goto(fake.url)
    for words in ("Debit arrives", "Dispute", "We win"):
        page.get_by_role("button", name=words).click()
    page.close()

    fake.settle()
    assert "checkout.session.async_payment_succeeded" in sink.types
    assert sink.types[-1] == "charge.dispute.closed"
    assert stripe.session(opened.session_id).payment_status == "paid"


def test_it_runs_as_a_process_until_it_is_ended(sink: Sink, tmp_path: Path) -> None:
    port = free_port()
    words = [
        sys.executable,
        "-m",
        "tests.fakes.stripe",
        str(port),
        "--webhook",
        sink.url,
        "--secret",
        "whsec_of_the_test",
        "--key",
        "sk_test_1",
    ]

    with ServerProcess(words, env={"PATH": os.environ["PATH"]}, log=tmp_path / "stripe.log") as process:
        process.await_answer(port, "/")
        stripe = StripeApi("sk_test_1", "whsec_of_the_test", api_base=f"http://127.0.0.1:{port}")
        session_id = stripe.open_checkout(order()).session_id
        expire = f"http://127.0.0.1:{port}/v1/checkout/sessions/{session_id}/expire"
        requests.post(expire, headers={"Authorization": "Bearer sk_test_1"}, timeout=10)
        status = stripe.session(session_id).status
        exit_code = process.stop()

    assert status == "expired"
    assert exit_code == 0
    assert sink.types == ["checkout.session.expired"]
