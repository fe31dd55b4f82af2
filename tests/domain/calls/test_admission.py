"""May they, can they pay: who is let in, who is refused and with what, and what a refusal leaves behind (R3, R22, R30)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from reseller.clock import new_id
from reseller.domain import accounts, keys, limits
from reseller.domain.calls import PriceTerms, Till
from reseller.domain.keys import SpendPeriod
from reseller.domain.ledger import EntryKind
from reseller.domain.limits import RequestCounter, SlidingWindow, windows_now
from reseller.errors import (
    AccountFrozen,
    AccountHalted,
    AccountSuspended,
    InsufficientBalance,
    InvalidKey,
    InvalidRequest,
    ModelNotAllowed,
    RateLimited,
    Refusal,
    SpendLimitReached,
    StalePrices,
    TooManyAtOnce,
)
from reseller.money import to_usd
from tests.domain import scenes


def counted(who: scenes.Customer) -> dict[str, int]:
    """Calls in each window of the account."""
    row = scenes.rows("SELECT * FROM request_counters WHERE account_id = :id", id=who.account_id)[0]
    return {name: SlidingWindow(width, bytes(row[name])).used for name, width in limits.WINDOW_SECONDS.items()}


def refused(till: Till, op: Any) -> Refusal:
    """The refusal that stands against the call."""
    with pytest.raises(Refusal) as refusal:
        till.admit(op)
    return refusal.value


def test_an_admitted_call_has_its_hold_committed(till: Till) -> None:
    """R5."""
    who = scenes.customer(nano=1_000)
    op = scenes.admission(who, hold=300)

    admitted = till.admit(op)

    assert (admitted.call_id, admitted.hold_nano, admitted.output_cap, admitted.available_nano) == (op.call_id, 300, 100, 700)
    assert scenes.money(who) == (1_000, 300)
    [hold] = scenes.holds(who)
    assert (hold["id"], hold["amount_nano"], hold["process_id"], hold["upstream"]) == (op.call_id, 300, scenes.PROCESS, "openrouter")
    assert counted(who) == {"minute": 1, "hour": 1, "day": 1}
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
    refusal = refused(till, scenes.admission(who, hold=1))

    assert isinstance(refusal, InsufficientBalance)
    assert (refusal.available_usd, refusal.needed_usd) == (to_usd(0), to_usd(1))
    assert scenes.money(who) == (300, 300)


STATES = [
    ("UPDATE api_keys SET revoked_at = now()", InvalidKey),
    ("UPDATE api_keys SET expires_at = now() - interval '1 microsecond'", InvalidKey),
    ("UPDATE accounts SET status = 'suspended'", AccountSuspended),
    ("UPDATE accounts SET halted_at = now(), halted_reason = 'books'", AccountHalted),
    ("UPDATE api_keys SET model_patterns = '{other/*,acme/two}'", ModelNotAllowed),
    ("UPDATE api_keys SET model_patterns = '{}'", ModelNotAllowed),
    ("UPDATE rate_limits SET max_tokens_per_request = 99", InvalidRequest),
    ("UPDATE rate_limits SET concurrent_requests = 1", TooManyAtOnce),
    ("UPDATE rate_limits SET requests_per_minute = 1", RateLimited),
    ("UPDATE rate_limits SET requests_per_hour = 1", RateLimited),
    ("UPDATE rate_limits SET requests_per_day = 1", RateLimited),
    ("UPDATE api_keys SET spend_limit_nano = 150", None),
    ("UPDATE api_keys SET spend_limit_nano = 99", SpendLimitReached),
]


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
    assert type(refused(till, op)) is refusal
    assert scenes.money(who) == (1_000, 100)
    assert len(scenes.holds(who)) == 1
    assert counted(who)["minute"] == 1
    [row] = scenes.usage(who)
    assert (row["id"], row["status"], row["error_code"], row["charge_nano"]) == (op.call_id, "refused", refusal.code, 0)


def test_suspending_and_restoring_take_effect_with_the_next_call(till: Till) -> None:
    """R22."""
    who = scenes.customer()
    accounts.suspend(who.account_id, reason="abuse", actor="user:1")

    assert isinstance(refused(till, scenes.admission(who)), AccountSuspended)
    accounts.restore(who.account_id, actor="user:1")

    assert till.admit(scenes.admission(who)).hold_nano == 100


def test_a_revoked_key_is_refused_by_a_process_that_knows_it(till: Till) -> None:
    """R22: no cache decides access."""
    who = scenes.customer()
    till.admit(scenes.admission(who))

    keys.revoke(str(who.key_id), actor="user:1")

    assert isinstance(refused(till, scenes.admission(who)), InvalidKey)


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

    refusal = refused(till, op)
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

    assert isinstance(refused(till, scenes.admission(nobody)), InvalidKey)
    assert isinstance(refused(till, scenes.admission(keyless)), InvalidKey)
    assert scenes.holds(who) == []


def test_a_frozen_account_is_told_so(till: Till) -> None:
    """R19."""
    who = scenes.customer(nano=100)
    scenes.put_in(who, -150, kind=EntryKind.REFUND)

    assert isinstance(refused(till, scenes.admission(who, hold=0)), AccountFrozen)


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

    refusal = refused(till, scenes.admission(who, hold=30, per_token=2, output_cap=4_000, cap_is_clients=False))

    assert isinstance(refusal, InsufficientBalance)
    assert refusal.needed_usd == to_usd(30 + 2 * 16)


def test_a_cap_of_the_clients_is_never_cut(till: Till) -> None:
    who = scenes.customer(nano=30 + 2 * 99)

    assert isinstance(refused(till, scenes.admission(who, hold=30, per_token=2, output_cap=100)), InsufficientBalance)


def test_the_accounts_token_limit_caps_what_the_client_left_open(till: Till) -> None:
    who = scenes.customer(limits={"max_tokens_per_request": 20})

    admitted = till.admit(scenes.admission(who, per_token=1, output_cap=4_000, cap_is_clients=False))

    assert (admitted.output_cap, admitted.hold_nano) == (20, 120)


def test_concurrency_is_free_again_with_the_end_of_a_call(till: Till) -> None:
    """R29."""
    who = scenes.customer(limits={"concurrent_requests": 1})
    op = scenes.admission(who)
    till.admit(op)
    refusal = refused(till, scenes.admission(who))

    till.settle(scenes.settlement(op))

    assert isinstance(refusal, TooManyAtOnce)
    assert refusal.retry_after_seconds > 0
    assert till.admit(scenes.admission(who)).hold_nano == 100


def test_a_full_window_says_truly_how_long_to_wait(till: Till) -> None:
    """R30: the same call is let in after that wait, and not before; the database's clock is moved by moving its counts."""
    who = scenes.customer(limits={"requests_per_minute": 2})
    for _ in range(2):
        till.admit(scenes.admission(who))

    refusal = refused(till, scenes.admission(who))

    assert isinstance(refusal, RateLimited)
    assert 59 <= refusal.retry_after_seconds <= 61
    shift_windows(who, seconds=int(refusal.retry_after_seconds) - 2)
    assert isinstance(refused(till, scenes.admission(who)), RateLimited)
    shift_windows(who, seconds=4)
    assert till.admit(scenes.admission(who)).hold_nano == 100


def shift_windows(who: scenes.Customer, *, seconds: int) -> None:
    """The account's calls of this minute were made that much earlier."""
    row = scenes.rows("SELECT minute FROM request_counters WHERE account_id = :id", id=who.account_id)[0]
    packed = bytes(row["minute"])
    window = SlidingWindow(60, packed)
    ordered = [window.counts[(window.head - age) % limits.SLOTS] for age in range(limits.SLOTS)]
    window.head -= seconds
    for age, count in enumerate(ordered):
        window.counts[(window.head - age) % limits.SLOTS] = count
    scenes.execute("UPDATE request_counters SET minute = :minute WHERE account_id = :id", minute=window.pack(), id=who.account_id)


def test_the_answer_tells_what_is_left_of_each_limited_window(till: Till, app: Any) -> None:
    who = scenes.customer(limits={"requests_per_minute": 5, "requests_per_day": 9})

    allowance = till.admit(scenes.admission(who)).allowance

    assert [(use.name, use.limit, use.remaining) for use in allowance.windows] == [("minute", 5, 4), ("day", 9, 8)]
    row = scenes.rows("SELECT * FROM request_counters WHERE account_id = :id", id=who.account_id)[0]
    counter = RequestCounter(minute=bytes(row["minute"]), hour=bytes(row["hour"]), day=bytes(row["day"]))
    later = windows_now(counter, limits.limits_of(who.account_id), SlidingWindow(60, counter.minute).head)
    assert [use.remaining for use in later.windows] == [4, 8]


def test_windows_hold_across_processes(till: Till, database_url: str) -> None:
    """R30: the counts live in the admission commit, in one row per account."""
    who = scenes.customer(nano=10_000, limits={"requests_per_hour": 7})
    ops = [scenes.admission(who) for _ in range(20)]

    answers = scenes.from_two_processes(database_url, lambda till: scenes.all_at_once(till, [scenes.admission(who) for _ in ops[:10]]))

    assert sum(not isinstance(answer, Exception) for answer in answers) == 7
    assert sum(isinstance(answer, RateLimited) for answer in answers) == 13
    assert counted(who)["hour"] == 7


def spending_key(period: SpendPeriod, limit: int = 250) -> scenes.Customer:
    return scenes.customer(spend=(to_usd(limit), period))


def test_a_keys_spend_limit_counts_open_holds_and_charges(till: Till) -> None:
    """The key can never spend more than its limit, whatever is in flight."""
    who = spending_key(SpendPeriod.LIFETIME)
    first, second = scenes.admission(who), scenes.admission(who)
    till.admit(first)
    till.admit(second)
    refusal = refused(till, scenes.admission(who))

    till.settle(scenes.settlement(first, charge=10))
    third = till.admit(scenes.admission(who))

    assert isinstance(refusal, SpendLimitReached)
    assert third.key_nano == 100
    key = scenes.key_of(who)
    assert (key["spent_nano"], key["held_nano"], key["total_nano"], key["calls"]) == (10, 200, 10, 1)
    assert isinstance(refused(till, scenes.admission(who)), SpendLimitReached)
    assert scenes.problems() == []


@pytest.mark.parametrize("period", [SpendPeriod.DAY, SpendPeriod.WEEK, SpendPeriod.MONTH])
def test_a_keys_spend_limit_starts_anew_with_its_period(till: Till, period: SpendPeriod) -> None:
    who = spending_key(period, limit=100)
    op = scenes.admission(who)
    till.admit(op)
    till.settle(scenes.settlement(op, charge=100))
    spent_up = refused(till, scenes.admission(who))

    scenes.execute("UPDATE api_keys SET period_start = period_start - 31")
    again = scenes.admission(who)
    till.admit(again)
    till.settle(scenes.settlement(again, charge=30))

    assert isinstance(spent_up, SpendLimitReached)
    key = scenes.key_of(who)
    assert (key["spent_nano"], key["total_nano"], key["held_nano"]) == (30, 130, 0)
    assert key["period_start"] == keys.period_start(period, scenes.rows("SELECT (now() AT TIME ZONE 'UTC')::date AS day")[0]["day"])


def test_a_lifetime_limit_never_starts_anew(till: Till) -> None:
    who = spending_key(SpendPeriod.LIFETIME, limit=100)
    op = scenes.admission(who)
    till.admit(op)

    till.settle(scenes.settlement(op, charge=100))

    assert scenes.key_of(who)["period_start"].isoformat() == "1970-01-01"
    assert isinstance(refused(till, scenes.admission(who, hold=1)), SpendLimitReached)


def test_the_output_shrinks_to_what_the_keys_limit_affords(till: Till) -> None:
    who = spending_key(SpendPeriod.DAY, limit=80)

    admitted = till.admit(scenes.admission(who, hold=30, per_token=1, output_cap=4_000, cap_is_clients=False))

    assert (admitted.output_cap, admitted.hold_nano, admitted.key_nano) == (50, 80, 80)


def test_a_key_without_a_spend_limit_holds_nothing_of_its_own(till: Till) -> None:
    who = scenes.customer()

    assert till.admit(scenes.admission(who)).key_nano == 0
    assert scenes.key_of(who)["held_nano"] == 0
