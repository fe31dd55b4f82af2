"""Events in Stripe's name: what is believed, what is not, and that they read like answers do."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import stripe as sdk

from reseller.clients.stripe_api import NotGenuine, StripeApi, Unreadable, dispute_in, intent_id_in, refund_in, session_in
from reseller.clock import unix_seconds
from tests.clients.stripe_orders import paid
from tests.fakes.stripe import FakeStripe

SECRET = "whsec_of_the_test"
SOMETHING = {"id": "evt_1", "type": "charge.updated", "created": 1_700_000_000, "livemode": False, "data": {"object": {"id": "ch_1"}}}


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe() as server:
        yield server


@pytest.fixture
def stripe(fake: FakeStripe) -> StripeApi:
    return StripeApi(fake.secret_key, fake.webhook_secret, api_base=fake.url)


def signed(raw: bytes, *, late: int = 0, secret: str = SECRET) -> str:
    return str(sdk.WebhookSignature.generate_signature_header(raw.decode(), secret, unix_seconds() - late))


def read(raw: bytes, signature: str | None = None, secret: str = SECRET) -> Any:
    return StripeApi("sk_test_x", secret).read_event(raw, signed(raw) if signature is None else signature)


def raw_of(**changes: Any) -> bytes:
    return json.dumps({name: value for name, value in (SOMETHING | changes).items() if value is not ...}).encode()


def test_a_signed_event_is_read_as_it_was_sent() -> None:
    event = read(raw_of(livemode=True, account="acct_1"))

    assert (event.event_id, event.type, event.is_live, event.account) == ("evt_1", "charge.updated", True, "acct_1")
    assert event.body == {"id": "ch_1"}
    assert event.created_at.isoformat() == "2023-11-14T22:13:20+00:00"


def test_one_of_several_signatures_suffices_while_a_secret_is_replaced() -> None:
    raw = raw_of()
    good = signed(raw)

    assert read(raw, good.replace(",v1=", f",v1={'0' * 64},v0=abc,v1=")).event_id == "evt_1"


@pytest.mark.parametrize("late", [301, 86_400, -301])
def test_too_old_and_too_new_are_not_believed(late: int) -> None:
    """R18. The SDK lets those through that are signed in the future."""
    raw = raw_of()

    with pytest.raises(NotGenuine):
        read(raw, signed(raw, late=late))
    assert read(raw, signed(raw, late=290 if late > 0 else -290)).event_id == "evt_1"


@pytest.mark.parametrize(
    "signature", ["", "t=1", "v1=ab", "t=x,v1=ab", "t=1,v1=é", "t,v1", "t=1_0,v1=ab", f"t={'9' * 5000},v1=ab", "nonsense"]
)
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    with pytest.raises(NotGenuine):
        read(raw_of(), signature)


def test_other_bytes_and_other_secrets_are_refused() -> None:
    raw = raw_of()

    for forged in (raw + b" ", raw.replace(b"evt_1", b"evt_2")):
        with pytest.raises(NotGenuine):
            read(forged, signed(raw))
    with pytest.raises(NotGenuine):
        read(raw, signed(raw, secret="whsec_other"))


@pytest.mark.parametrize("secret", ["", " ", "\t\n"])
def test_an_empty_secret_believes_nobody(secret: str) -> None:
    raw = raw_of()

    with pytest.raises(NotGenuine):
        read(raw, signed(raw, secret=secret), secret)


@pytest.mark.parametrize(
    "raw",
    [
        b"[]", b"null", b"{", b"\xff", b"1", raw_of(type=...), raw_of(type=""), raw_of(data=...), raw_of(data={"object": []}), raw_of(id=7),
        raw_of(created="x"), raw_of(created=10**30), b'{"id":"a","id":"b","type":"x","data":{"object":{}}}', raw_of(more=float("nan")),
        b'{"a":' * 100_000,
    ],
)  # fmt: skip
def test_what_means_nothing_or_two_things_is_refused_even_if_signed(raw: bytes) -> None:
    signature = "t=1,v1=x" if raw == b"\xff" else signed(raw)

    with pytest.raises(NotGenuine):
        read(raw, signature)


def test_an_event_without_an_id_is_known_by_its_bytes() -> None:
    first, again, other = read(raw_of(id=...)), read(raw_of(id=...)), read(raw_of(id=..., created=1))

    assert first.event_id.startswith("digest-")
    assert first.event_id == again.event_id != other.event_id


def test_no_refusal_names_the_secret_or_the_signature() -> None:
    raw = raw_of()
    for signature in (signed(raw, secret="whsec_other"), signed(raw, late=999)):
        with pytest.raises(NotGenuine) as refused:
            read(raw, signature)
        assert "whsec" not in str(refused.value)
        assert signature[-20:] not in str(refused.value)


def test_events_and_answers_read_the_same(stripe: StripeApi, fake: FakeStripe) -> None:
    wanted, session_id, intent_id = paid(stripe, fake)
    refund = fake.refund(intent_id, 500)
    fake.fail_refund(refund["id"])
    fake.lose(fake.dispute(intent_id)["id"])

    told: dict[str, Any] = {}
    for event in fake.events:
        heard = stripe.read_event(*fake.signed(event))
        told[heard.type] = heard.body
        if heard.type != "customer.created":
            assert intent_id_in(heard.type, heard.body) == intent_id, heard.type

    money = stripe.money_of(intent_id)
    assert session_in(told["checkout.session.completed"]) == stripe.session(session_id)
    assert (refund_in(told["refund.failed"]),) == money.refunds
    assert refund_in(told["refund.created"]) == replace(money.refunds[0], status="succeeded")
    assert (dispute_in(told["charge.dispute.closed"]),) == money.disputes
    assert session_in(told["checkout.session.completed"]).payment_id == wanted.payment_id


def test_a_dispute_settled_in_another_currency_counts_as_disputed() -> None:
    moved = [{"amount": -2_300, "fee": 1_400, "currency": "eur"}]
    body = {"id": "dp_1", "amount": 2_500, "currency": "usd", "status": "lost", "created": 1, "balance_transactions": moved}

    assert str(dispute_in(body).net_withdrawn_usd) == "25.00"
    assert str(dispute_in(body | {"balance_transactions": moved * 0}).net_withdrawn_usd) == "0"


@pytest.mark.parametrize("body", [{}, {"id": "re_1", "amount": 1.5, "amount_total": 1.5, "currency": "usd", "created": 1}, {"id": 1}])
def test_what_lacks_what_stripe_promises_is_unreadable(body: dict[str, Any]) -> None:
    for reader in (session_in, refund_in, dispute_in):
        with pytest.raises(Unreadable):
            reader(body)
