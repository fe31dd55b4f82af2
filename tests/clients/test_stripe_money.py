"""What became of a payment's money: fees, refunds, disputes; and how Stripe fails. The real SDK against our stand-in."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from reseller.clients.stripe_api import StripeApi, StripeDown, StripeRefused
from reseller.clock import new_id, now
from tests.clients.stripe_orders import order, paid
from tests.fakes.provider import silent_server
from tests.fakes.stripe import FakeStripe


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe() as server:
        yield server


@pytest.fixture
def stripe(fake: FakeStripe) -> StripeApi:
    return StripeApi(fake.secret_key, fake.webhook_secret, api_base=fake.url)


def test_money_has_its_fee_and_its_receipt(stripe: StripeApi, fake: FakeStripe) -> None:
    wanted, _, intent_id = paid(stripe, fake)

    money = stripe.money_of(intent_id)

    assert (money.status, money.received_usd) == ("succeeded", wanted.amount_usd)
    assert money.fee_usd == Decimal("1.03")  # 0.725 + 0.30, rounded up by Stripe
    assert money.receipt_url == f"{fake.url}/receipts/{money.charge_id}"
    assert (money.refunds, money.disputes) == ((), ())


def test_a_refund_happens_once_however_often_it_is_asked_for(stripe: StripeApi, fake: FakeStripe) -> None:
    _, _, intent_id = paid(stripe, fake)
    refund_id = new_id()

    first = stripe.refund(refund_id, intent_id, Decimal(5), "requested_by_customer")
    fake.api.forget_keys()
    again = stripe.refund(refund_id, intent_id, Decimal(5), "requested_by_customer")

    assert first == again
    assert (first.metadata_id, first.amount_usd, first.status) == (refund_id, Decimal("5.00"), "succeeded")
    assert len(fake.shop.refunds) == 1


def test_a_refund_whose_answer_is_lost_happens_once(stripe: StripeApi, fake: FakeStripe) -> None:
    _, _, intent_id = paid(stripe, fake)
    fake.loses_answers = 3

    with pytest.raises(StripeDown):
        stripe.refund(refund_id := new_id(), intent_id, Decimal(5), "spoken words")
    fake.loses_answers = 1
    made = stripe.refund(refund_id, intent_id, Decimal(5), "spoken words")

    assert made.reason == "spoken words"
    assert len(fake.shop.refunds) == 1


def test_more_than_is_left_cannot_be_refunded(stripe: StripeApi, fake: FakeStripe) -> None:
    _, _, intent_id = paid(stripe, fake)
    stripe.refund(new_id(), intent_id, Decimal(20), "")

    with pytest.raises(StripeRefused) as too_much:
        stripe.refund(new_id(), intent_id, Decimal("5.01"), "")
    stripe.refund(new_id(), intent_id, Decimal(5), "")
    with pytest.raises(StripeRefused) as nothing_left:
        stripe.refund(new_id(), intent_id, Decimal(1), "")

    assert "($5.01) is greater than unrefunded amount on charge ($5.00)" in too_much.value.message
    assert (too_much.value.param, nothing_left.value.code) == ("amount", "charge_already_refunded")


def test_all_refunds_are_told_over_many_pages_and_those_that_failed(stripe: StripeApi, fake: FakeStripe) -> None:
    _, _, intent_id = paid(stripe, fake, amount_usd=Decimal(200))
    made = [fake.refund(intent_id, 100)["id"] for _ in range(102)]
    fake.fail_refund(made[3])

    refunds = {refund.refund_id: refund for refund in stripe.money_of(intent_id).refunds}

    assert set(refunds) == set(made)
    assert refunds[made[3]].status == "failed"
    assert refunds[made[4]].metadata_id is None


def test_a_dispute_takes_money_and_a_win_brings_it_back(stripe: StripeApi, fake: FakeStripe) -> None:
    told = []
    for outcome in (fake.lose, fake.win):
        _, _, intent_id = paid(stripe, fake)
        dispute = fake.dispute(intent_id)
        told.append(stripe.money_of(intent_id).disputes[0])
        outcome(dispute["id"])
        told.append(stripe.money_of(intent_id).disputes[0])

    assert [(each.status, each.movements, each.net_withdrawn_usd) for each in told] == [
        ("needs_response", 1, Decimal("25.00")),
        ("lost", 1, Decimal("25.00")),
        ("needs_response", 1, Decimal("25.00")),
        ("won", 2, Decimal("0.00")),
    ]
    assert {each.fee_usd for each in told} == {Decimal("15.00")}
    assert told[0].evidence_due_at is not None


def test_reconciling_finds_what_was_created_and_what_changed_much_later(stripe: StripeApi, fake: FakeStripe) -> None:
    """R20: a dispute is decided months after its payment."""
    _, _, old = paid(stripe, fake)
    dispute = fake.dispute(old)
    _, _, untouched = paid(stripe, fake)
    for each in (*fake.shop.charges.values(), *fake.shop.disputes.values(), *fake.shop.events):
        each["created"] -= 60 * 86_400
    fake.win(dispute["id"])
    _, _, new = paid(stripe, fake)
    foreign = fake.foreign_payment()["id"]

    found = list(stripe.changed_since(now() - timedelta(days=3)))

    assert sorted(found) == sorted([old, new, foreign])
    assert untouched not in found


def test_money_of_somebody_else_has_no_session(stripe: StripeApi, fake: FakeStripe) -> None:
    intent_id = fake.foreign_payment()["id"]

    assert stripe.session_of_intent(intent_id) is None


def test_stripe_that_is_down_is_told_apart_from_stripe_that_refuses(stripe: StripeApi, fake: FakeStripe) -> None:
    fake.is_down = True
    with pytest.raises(StripeDown):
        stripe.open_checkout(order())
    fake.is_down = False

    with pytest.raises(StripeRefused) as refused:
        stripe.money_of("pi_nobody")

    assert (refused.value.code, refused.value.param) == ("resource_missing", "id")
    assert fake.shop.sessions == {}


def test_a_wrong_key_is_no_answer_and_never_told() -> None:
    with FakeStripe() as fake, capture_logs() as logs, pytest.raises(StripeDown) as refused:
        StripeApi("sk_test_wrongwrongwrong", "whsec_x", api_base=fake.url).session("cs_test_1")

    assert "Invalid API Key" in str(refused.value)
    assert "sk_test" not in str(refused.value) + str(logs)
    assert refused.value.__cause__ is None


def test_nobody_there_and_nobody_who_speaks_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reseller.clients.stripe_api.wire.READ_SECONDS", 0.2)
    with silent_server() as silent:
        for address in ("http://127.0.0.1:9", silent):
            with pytest.raises(StripeDown):
                StripeApi("sk_test_x", "whsec_x", api_base=address).session("cs_test_1")


@pytest.mark.parametrize(("key", "is_live"), [("sk_live_1", True), ("rk_live_1", True), ("sk_test_1", False), ("rk_test_1", False)])
def test_the_key_tells_whether_money_is_real(key: str, is_live: bool) -> None:
    assert StripeApi(key, "whsec_x").is_live is is_live
