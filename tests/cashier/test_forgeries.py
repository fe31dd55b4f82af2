"""A flood of events that Stripe has not signed: cheap, told of once a minute, and Stripe itself gets through (R18, R31)."""

import io
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from config import Settings
from reseller import callbacks, metrics
from reseller.callbacks import FORGED_PER_MINUTE, MAX_BYTES, MAX_LARGE
from reseller.web import failures
from tests.cashier.bank import CALLBACK, Bank
from tests.deployment import settings_over
from tests.fakes.stripe import FakeStripe

FORGER, STRIPE = "203.0.113.66", "198.51.100.1"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What both brakes take for the time."""
    seconds = [1_000.0]
    for module in (callbacks, failures):
        monkeypatch.setattr(module, "monotonic", lambda: seconds[0])
    return seconds


@pytest.fixture
def app_settings(database_url: str, tmp_path: Path, fake: FakeStripe) -> Settings:
    """Behind one proxy that says who asks."""
    return settings_over(database_url, tmp_path, TRUSTED_PROXIES="1", **fake.settings())


def post(bank: Bank, raw: bytes | io.BytesIO = b"{}", signature: str = "t=1,v1=0", *, by: str = FORGER, **how: Any) -> TestResponse:
    headers = {"X-Forwarded-For": f"192.0.2.99, {by}", "Stripe-Signature": signature}
    how["data" if isinstance(raw, bytes) else "input_stream"] = raw
    return bank.app.test_client().post(CALLBACK, headers=headers, content_type="application/json", **how)


def forge(bank: Bank, number: int, *, by: str = FORGER) -> list[int]:
    return [post(bank, by=by).status_code for _ in range(number)]


def alarms(logged: list[Any]) -> list[Any]:
    return [event for event in logged if event["event"] == "alarm"]


def counted() -> float:
    metrics.flush()
    return float(metrics.ALARMS.labels("payment_event_forged")._value.get())


def signed(bank: Bank) -> tuple[bytes, str]:
    """An event that an order was paid."""
    order = bank.order()
    bank.fake.pay(bank.session_of(order))
    raw, signature = bank.fake.signed(bank.fake.events_of("checkout.session.completed")[0])
    return raw, signature


def test_a_forger_is_braked_and_told_of_once_and_each_one_is_counted(bank: Bank, clock: list[float], logged: list[Any]) -> None:
    before = counted()

    answers = forge(bank, FORGED_PER_MINUTE + 20)

    assert answers == [400] * FORGED_PER_MINUTE + [429] * 20
    assert post(bank).headers["Retry-After"] == "60"
    assert [(alarm["alarm"], alarm["address"]) for alarm in alarms(logged)] == [("payment_event_forged", FORGER)]
    assert counted() - before == FORGED_PER_MINUTE + 21


def test_a_minute_later_the_brake_is_off_and_the_alarm_says_how_many(bank: Bank, clock: list[float], logged: list[Any]) -> None:
    forge(bank, FORGED_PER_MINUTE + 20)
    clock[0] += 61

    answers = forge(bank, 2)

    assert answers == [400, 400]
    assert [alarm["events"] for alarm in alarms(logged)] == [1, FORGED_PER_MINUTE + 20]


def test_stripe_is_not_braked_by_a_forger(bank: Bank, clock: list[float]) -> None:
    forge(bank, FORGED_PER_MINUTE + 1)
    raw, signature = signed(bank)

    answer = post(bank, raw, signature, by=STRIPE)

    assert (answer.status_code, bank.balance) == (200, 20)
    assert forge(bank, 1, by=STRIPE) == [400]


def test_what_stripe_signed_passes_from_a_braked_address_too(bank: Bank, clock: list[float]) -> None:
    """Where all the world comes through one router that we know nothing of, the forger's address is Stripe's."""
    forge(bank, FORGED_PER_MINUTE + 1)
    raw, signature = signed(bank)

    answers = [post(bank, raw, signature).status_code for _ in range(2)]

    assert (answers, bank.balance) == ([200, 200], 20)
    assert forge(bank, 1) == [429]


def test_what_stripe_signed_never_counts(bank: Bank, clock: list[float]) -> None:
    raw, signature = signed(bank)
    for _ in range(FORGED_PER_MINUTE + 1):
        assert post(bank, raw, signature).status_code == 200

    assert forge(bank, 1) == [400]


def test_addresses_of_one_ipv6_network_are_braked_together(bank: Bank, clock: list[float]) -> None:
    answers = [forge(bank, 1, by=f"2001:db8::{number:x}")[0] for number in range(FORGED_PER_MINUTE + 1)]

    assert answers == [400] * FORGED_PER_MINUTE + [429]


@pytest.mark.parametrize("says_length", [True, False])
def test_of_a_body_larger_than_any_event_no_more_is_read(bank: Bank, clock: list[float], says_length: bool) -> None:
    body = io.BytesIO(b" " * (MAX_BYTES * 2))
    length = {"content_length": MAX_BYTES * 2} if says_length else {"environ_overrides": {"wsgi.input_terminated": True}}

    answers = [post(bank, body, **length).status_code for _ in range(2)]

    assert answers[0] == 413
    assert body.tell() <= (0 if says_length else MAX_BYTES + 2)


def test_bodies_beyond_every_size_are_braked_as_well(bank: Bank, clock: list[float]) -> None:
    answers = [post(bank, b" " * (MAX_BYTES + 1)).status_code for _ in range(FORGED_PER_MINUTE + 1)]

    assert answers == [413] * FORGED_PER_MINUTE + [429]


def of_a_dispute(bank: Bank, characters: int) -> tuple[bytes, str]:
    """An event that a bank has taken money back, with so much evidence of ours in it."""
    bank.fake.dispute(bank.intent_of(bank.paid()))
    [event] = bank.fake.events_of("charge.dispute.funds_withdrawn")
    event["data"]["object"]["evidence"] = {"uncategorized_text": "\N{EURO SIGN}" * characters}
    return bank.fake.signed(event)


@pytest.mark.parametrize("forged", [0, FORGED_PER_MINUTE + 1])
def test_what_stripe_signed_passes_whatever_its_size(bank: Bank, clock: list[float], forged: int) -> None:
    """A dispute's event has all that was written about it; a forger behind the same router must not make it too large."""
    raw, signature = of_a_dispute(bank, 150_000)
    forge(bank, forged)

    answer = post(bank, raw, signature)

    assert len(raw) > 300_000
    assert (answer.status_code, bank.balance) == (200, 0)


def test_large_bodies_are_read_a_few_at_a_time_and_the_next_is_asked_to_come_again(bank: Bank, clock: list[float]) -> None:
    raw, signature = of_a_dispute(bank, 50_000)
    large = bank.app.extensions[callbacks.FORGERIES].large
    for _ in range(MAX_LARGE):
        large.acquire()

    busy = [post(bank, raw, signature).status_code for _ in range(FORGED_PER_MINUTE + 1)]
    small = [post(bank, *signed(bank)).status_code, *forge(bank, 1)]
    large.release()
    later = [post(bank, raw, signature).status_code for _ in range(2)]

    assert (set(busy), small, later) == ({503}, [200, 400], [200, 200])
