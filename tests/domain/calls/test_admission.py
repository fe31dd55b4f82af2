"""May they, can they pay: who is let in, who is refused and with what, and what a refusal leaves behind (R3, R22, R30)."""

from datetime import timedelta
from decimal import Decimal

import pytest

from reseller.clock import new_id
from reseller.domain import accounts, keys
from reseller.domain.calls import PriceTerms, Till
from reseller.domain.ledger import EntryKind
from reseller.errors import (
    AccountFrozen,
    AccountHalted,
    AccountSuspended,
    InsufficientBalance,
    InvalidKey,
    ModelNotAllowed,
    RateLimited,
    Refusal,
    SpendLimitReached,
    StalePrices,
    TooLong,
    TooManyAtOnce,
)
from reseller.money import to_usd
from tests.domain import scenes

STATES = [
    ("UPDATE api_keys SET revoked_at = now()", InvalidKey),
    ("UPDATE api_keys SET expires_at = now() - interval '1 microsecond'", InvalidKey),
    ("UPDATE accounts SET status = 'suspended'", AccountSuspended),
    ("UPDATE accounts SET halted_at = now(), halted_reason = 'books'", AccountHalted),
    ("UPDATE api_keys SET model_patterns = '{other/*,acme/two}'", ModelNotAllowed),
    ("UPDATE api_keys SET model_patterns = '{}'", ModelNotAllowed),
    ("UPDATE rate_limits SET max_tokens_per_request = 99", TooLong),
    ("UPDATE rate_limits SET concurrent_requests = 1", TooManyAtOnce),
    ("UPDATE rate_limits SET requests_per_minute = 1", RateLimited),
    ("UPDATE rate_limits SET requests_per_hour = 1", RateLimited),
    ("UPDATE rate_limits SET requests_per_day = 1", RateLimited),
    ("UPDATE api_keys SET spend_limit_nano = 150", None),
    ("UPDATE api_keys SET spend_limit_nano = 99", SpendLimitReached),
]


def test_an_admitted_call_has_its_hold_committed(till: Till) -> None:
    """R5."""
    who = scenes.customer(nano=1_000)
    op = scenes.admission(who, hold=300)

    admitted = till.admit(op)

    assert (admitted.call_id, admitted.hold_nano, admitted.output_cap, admitted.available_nano) == (op.call_id, 300, 100, 700)
    assert scenes.money(who) == (1_000, 300)
    [hold] = scenes.holds(who)
    assert (hold["id"], hold["amount_nano"], hold["process_id"], hold["upstream"]) == (op.call_id, 300, scenes.PROCESS, "openrouter")
    assert scenes.counted(who) == {"minute": 1, "hour": 1, "day": 1}
    assert scenes.usage(who) == []
    assert scenes.problems() == []


def test_a_hold_carries_the_price_terms_of_admission(till: Till) -> None:
    """R7: whoever ends the call needs nothing but the hold."""
    who = scenes.customer()
    rule_id = new_id()
    terms = PriceTerms(price_version=0, rule_id=rule_id, markup_percent=Decimal("12.500"), min_cost_nano=7)

    till.admit(scenes.admission(who, terms=terms, request_metadata={"stream": True}))

    [hold] = scenes.holds(who)
    assert (hold["price_version"], hold["rule_id"], hold["markup_percent"], hold["min_cost_nano"]) == (0, rule_id, Decimal("12.5"), 7)
    assert hold["request_metadata"] == {"stream": True}


def test_a_balance_can_be_held_to_the_last_nano_dollar(till: Till) -> None:
    """R3."""
    who = scenes.customer(nano=300)

    till.admit(scenes.admission(who, hold=100))
    till.admit(scenes.admission(who, hold=200))
    refusal = scenes.refused(till, scenes.admission(who, hold=1))

    assert isinstance(refusal, InsufficientBalance)
    assert (refusal.available_usd, refusal.needed_usd) == (to_usd(0), to_usd(1))
    assert scenes.money(who) == (300, 300)


@pytest.mark.parametrize(("change", "refusal"), STATES)
def test_the_state_is_read_with_every_admission(till: Till, change: str, refusal: type[Refusal] | None) -> None:
    """R22: a change of a moment ago holds for the next call; a refused one leaves a usage row, no hold and no count (R30)."""
    who = scenes.customer()
    till.admit(scenes.admission(who))
    scenes.execute(change)

    op = scenes.admission(who)

    if refusal is None:
        assert till.admit(op).hold_nano == 100
        return
    assert type(scenes.refused(till, op)) is refusal
    assert scenes.money(who) == (1_000, 100)
    assert len(scenes.holds(who)) == 1
    assert scenes.counted(who)["minute"] == 1
    [row] = scenes.usage(who)
    assert (row["id"], row["status"], row["error_code"], row["charge_nano"]) == (op.call_id, "refused", refusal.code, 0)


def test_suspending_and_restoring_take_effect_with_the_next_call(till: Till) -> None:
    """R22."""
    who = scenes.customer()
    accounts.suspend(who.account_id, reason="abuse", actor="user:1")

    assert isinstance(scenes.refused(till, scenes.admission(who)), AccountSuspended)
    accounts.restore(who.account_id, actor="user:1")

    assert till.admit(scenes.admission(who)).hold_nano == 100


def test_a_revoked_key_is_refused_by_a_process_that_knows_it(till: Till) -> None:
    """R22: no cache decides access."""
    who = scenes.customer()
    till.admit(scenes.admission(who))

    keys.revoke(str(who.key_id), actor="user:1")

    assert isinstance(scenes.refused(till, scenes.admission(who)), InvalidKey)


def test_a_key_that_expires_later_still_works(till: Till) -> None:
    who = scenes.customer(expires_in=timedelta(hours=1))

    assert till.admit(scenes.admission(who)).hold_nano == 100


@pytest.mark.parametrize("pattern", ["acme/one", "acme/*", "*"])
def test_a_key_may_use_the_models_that_its_patterns_match(till: Till, pattern: str) -> None:
    who = scenes.customer(model_patterns=["other/thing", pattern])

    assert till.admit(scenes.admission(who)).hold_nano == 100


def test_a_call_quoted_from_an_old_price_book_is_quoted_again_and_leaves_nothing(till: Till) -> None:
    """R7: the version is read in the admission commit. The second quote of the same call is let in."""
    who = scenes.customer()
    scenes.execute("INSERT INTO price_versions (reason, actor, created_at) VALUES ('new', 'test', now())")
    [version] = scenes.rows("SELECT max(version) AS newest FROM price_versions")
    op = scenes.admission(who)

    refusal = scenes.refused(till, op)
    current = PriceTerms(version["newest"], None, Decimal(25), 0)
    admitted = till.admit(scenes.admission(who, call_id=op.call_id, terms=current))

    assert isinstance(refusal, StalePrices)
    assert admitted.hold_nano == 100
    assert scenes.usage(who) == []


def test_an_account_or_key_that_does_not_exist_is_an_invalid_key(till: Till) -> None:
    """R21: the answer tells nothing."""
    who = scenes.customer()
    nobody = scenes.Customer(new_id(), who.key_id)
    keyless = scenes.Customer(who.account_id, new_id())

    assert isinstance(scenes.refused(till, scenes.admission(nobody)), InvalidKey)
    assert isinstance(scenes.refused(till, scenes.admission(keyless)), InvalidKey)
    assert scenes.holds(who) == []


def test_a_frozen_account_is_told_so(till: Till) -> None:
    """R19."""
    who = scenes.customer(nano=100)
    scenes.put_in(who, -150, kind=EntryKind.REFUND)

    assert isinstance(scenes.refused(till, scenes.admission(who, hold=0)), AccountFrozen)


def test_a_test_key_holds_nothing_and_works_without_money(till: Till) -> None:
    who = scenes.customer(nano=0, is_test=True)

    admitted = till.admit(scenes.admission(who, hold=10**15))

    assert (admitted.hold_nano, admitted.output_cap) == (0, 100)
    assert scenes.money(who) == (0, 0)
    assert scenes.balance(who)["open_calls"] == 1


def test_without_a_cap_of_the_clients_the_output_shrinks_to_what_the_balance_affords(till: Till) -> None:
    """R6: we write the cap into the request ourselves."""
    who = scenes.customer(nano=130)

    admitted = till.admit(scenes.admission(who, hold=30, per_token=2, output_cap=4_000, cap_is_clients=False))

    assert (admitted.output_cap, admitted.hold_nano, admitted.available_nano) == (50, 130, 0)


def test_an_output_too_short_to_be_useful_is_refused_rather_than_cut(till: Till) -> None:
    """R6."""
    who = scenes.customer(nano=30 + 2 * 15)

    refusal = scenes.refused(till, scenes.admission(who, hold=30, per_token=2, output_cap=4_000, cap_is_clients=False))

    assert isinstance(refusal, InsufficientBalance)
    assert refusal.needed_usd == to_usd(30 + 2 * 16)


def test_a_cap_of_the_clients_is_never_cut(till: Till) -> None:
    who = scenes.customer(nano=30 + 2 * 99)

    assert isinstance(scenes.refused(till, scenes.admission(who, hold=30, per_token=2, output_cap=100)), InsufficientBalance)


def test_the_accounts_token_limit_caps_what_the_client_left_open(till: Till) -> None:
    who = scenes.customer(limits={"max_tokens_per_request": 20})

    admitted = till.admit(scenes.admission(who, per_token=1, output_cap=4_000, cap_is_clients=False))

    assert (admitted.output_cap, admitted.hold_nano) == (20, 120)
