"""How an account stands: what its next call would meet is what the page says."""

from decimal import Decimal

from flask import Flask

from reseller.domain import accounts
from reseller.domain.calls import Till
from reseller.domain.keys import SpendPeriod
from reseller.domain.ledger import EntryKind
from reseller.domain.standing import standing_of
from reseller.wiring import wiring_of
from tests.domain import scenes


def till_of(app: Flask) -> Till:
    return wiring_of(app).till


def test_windows_and_calls_at_once_say_how_much_is_used(app: Flask) -> None:
    who = scenes.customer(nano=10_000, limits={"requests_per_minute": 2, "requests_per_day": 50, "concurrent_requests": 3})
    for _ in range(2):
        till_of(app).admit(scenes.admission(who))

    now = standing_of(who.account_id)

    assert [(use.name, use.used, use.limit, use.is_full) for use in now.uses] == [
        ("minute", 2, 2, True),
        ("day", 2, 50, False),
        ("concurrent", 2, 3, False),
    ]
    assert 0 < now.uses[0].free_in_seconds <= 61
    assert now.balance.open_calls == 2
    assert (now.balance.held_nano, now.balance.available_nano) == (200, 9_800)


def test_limits_that_were_lifted_limit_nothing(app: Flask) -> None:
    assert standing_of(scenes.customer().account_id).uses == ()


def test_a_key_near_its_limit_is_named_and_others_are_not(app: Flask) -> None:
    """What open calls hold counts as used, as admission counts it."""
    who = scenes.customer(nano=10_000, spend=(Decimal("0.0000002"), SpendPeriod.DAY))
    op = scenes.admission(who)
    before = standing_of(who.account_id).near_keys
    till_of(app).admit(op)
    till_of(app).settle(scenes.settlement(op, charge=90))
    till_of(app).admit(scenes.admission(who))

    [key] = standing_of(who.account_id).near_keys

    assert before == ()
    assert (key.share_percent, key.is_full, key.period) == (95, False, "day")


def test_spending_of_an_earlier_span_is_not_counted(app: Flask) -> None:
    who = scenes.customer(nano=10_000, spend=(Decimal("0.0000001"), SpendPeriod.DAY))
    op = scenes.admission(who)
    till_of(app).admit(op)
    till_of(app).settle(scenes.settlement(op, charge=95))
    scenes.execute("UPDATE api_keys SET period_start = period_start - 1")

    assert standing_of(who.account_id).near_keys == ()


def test_revoked_and_expired_keys_limit_nothing(app: Flask) -> None:
    who = scenes.customer(nano=10_000, spend=(Decimal("0.0000001"), SpendPeriod.LIFETIME))
    scenes.execute("UPDATE api_keys SET spent_nano = 100")
    full = standing_of(who.account_id).near_keys
    scenes.execute("UPDATE api_keys SET expires_at = now() - interval '1 hour'")
    expired = standing_of(who.account_id).near_keys

    assert [key.is_full for key in full] == [True]
    assert expired == ()


def test_the_states_of_an_account(app: Flask) -> None:
    who = scenes.customer(nano=0)
    empty = standing_of(who.account_id)
    scenes.put_in(who, -500, kind=EntryKind.REFUND)
    accounts.suspend(who.account_id, reason="secret reason", actor="test")
    accounts.halt(who.account_id, reason="secret reason")

    now = standing_of(who.account_id)

    assert (empty.is_empty, empty.is_frozen, empty.is_suspended, empty.is_halted) == (True, False, False, False)
    assert (now.is_empty, now.is_frozen, now.is_suspended, now.is_halted) == (False, True, True, True)
    assert "secret" not in repr(now)
