"""A key's own spend limit counts what is charged and what is held, period by period."""

import pytest

from reseller.domain import keys
from reseller.domain.calls import Admitted, Till
from reseller.domain.keys import SpendPeriod
from reseller.errors import SpendLimitReached
from reseller.money import to_usd
from tests.domain import scenes


def spending_key(period: SpendPeriod, limit: int = 250) -> scenes.Customer:
    return scenes.customer(spend=(to_usd(limit), period))


def test_a_keys_spend_limit_counts_open_holds_and_charges(till: Till) -> None:
    """The key can never spend more than its limit, whatever is in flight."""
    who = spending_key(SpendPeriod.LIFETIME)
    first, second = scenes.admission(who), scenes.admission(who)
    till.admit(first)
    till.admit(second)
    refusal = scenes.refused(till, scenes.admission(who))

    till.settle(scenes.settlement(first, charge=10))
    third = till.admit(scenes.admission(who))

    assert isinstance(refusal, SpendLimitReached)
    assert third.key_nano == 100
    key = scenes.key_of(who)
    assert (key["spent_nano"], key["held_nano"], key["total_nano"], key["calls"]) == (10, 200, 10, 1)
    assert isinstance(scenes.refused(till, scenes.admission(who)), SpendLimitReached)
    assert scenes.problems() == []


@pytest.mark.parametrize("period", [SpendPeriod.DAY, SpendPeriod.WEEK, SpendPeriod.MONTH])
def test_a_keys_spend_limit_starts_anew_with_its_period(till: Till, period: SpendPeriod) -> None:
    who = spending_key(period, limit=100)
    op = scenes.admission(who)
    till.admit(op)
    till.settle(scenes.settlement(op, charge=100))
    spent_up = scenes.refused(till, scenes.admission(who))

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
    assert isinstance(scenes.refused(till, scenes.admission(who, hold=1)), SpendLimitReached)


def test_the_output_shrinks_to_what_the_keys_limit_affords(till: Till) -> None:
    who = spending_key(SpendPeriod.DAY, limit=80)

    admitted = till.admit(scenes.admission(who, hold=30, per_token=1, output_cap=4_000, cap_is_clients=False))

    assert (admitted.output_cap, admitted.hold_nano, admitted.key_nano) == (50, 80, 80)


def test_a_key_without_a_spend_limit_holds_nothing_of_its_own(till: Till) -> None:
    who = scenes.customer()

    assert till.admit(scenes.admission(who)).key_nano == 0
    assert scenes.key_of(who)["held_nano"] == 0


@pytest.mark.parametrize(("charge", "fits"), [(10, True), (100, True), (151, False)])
def test_a_call_that_ends_in_the_same_commit_counts_with_its_charge_and_no_longer_with_its_hold(
    till: Till, charge: int, fits: bool
) -> None:
    """R12: as if it had ended a commit earlier."""
    who = spending_key(SpendPeriod.DAY, limit=250)
    first, second = scenes.admission(who), scenes.admission(who)
    scenes.in_one_commit(till, [first])

    following = scenes.admission(who, hold=250 - charge if fits else 100)
    _, answer = scenes.in_one_commit(till, [scenes.settlement(first, charge=charge), following])

    assert isinstance(answer, Admitted if fits else SpendLimitReached)
    assert isinstance(scenes.refused(till, second), SpendLimitReached)
