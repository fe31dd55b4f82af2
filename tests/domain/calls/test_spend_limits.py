"""A key's own spend limit counts what is charged and what is held, period by period."""

from datetime import timedelta

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


def successor_of(who: scenes.Customer, *, grace: timedelta = timedelta(days=1)) -> scenes.Customer:
    _, key = keys.rotate(str(who.key_id), grace=grace, actor="user:1")
    return scenes.Customer(who.account_id, key.id)


def test_a_rotated_key_and_its_successor_share_one_limit(till: Till) -> None:
    """What is spent and what is held move with the limit; the old key's calls count there too."""
    old = spending_key(SpendPeriod.MONTH, limit=250)
    ended, open_one = scenes.admission(old), scenes.admission(old)
    till.admit(ended)
    till.settle(scenes.settlement(ended, charge=40))
    till.admit(open_one)

    new = successor_of(old)
    with_old = scenes.admission(old)
    till.admit(with_old)
    refusals = [scenes.refused(till, scenes.admission(who, hold=11)) for who in (old, new)]
    till.settle(scenes.settlement(open_one, charge=50))
    till.settle(scenes.settlement(with_old, charge=60))

    assert [type(refusal) for refusal in refusals] == [SpendLimitReached, SpendLimitReached]
    purse, before = scenes.key_of(new), scenes.key_of(old)
    assert (purse["spent_nano"], purse["held_nano"], purse["total_nano"], purse["calls"]) == (150, 0, 0, 0)
    assert (before["spent_nano"], before["held_nano"], before["total_nano"], before["calls"]) == (0, 0, 150, 3)
    assert purse["last_used_at"] is None
    till.admit(scenes.admission(new, hold=100))
    assert isinstance(scenes.refused(till, scenes.admission(old, hold=1)), SpendLimitReached)
    assert scenes.problems() == []


def test_three_keys_of_one_line_share_one_limit(till: Till) -> None:
    first = spending_key(SpendPeriod.LIFETIME, limit=100)
    second = successor_of(first)
    third = successor_of(second)

    for who in (first, second, third):
        till.admit(scenes.admission(who, hold=30))

    assert [isinstance(scenes.refused(till, scenes.admission(who, hold=11)), SpendLimitReached) for who in (first, second, third)] == [
        True
    ] * 3
    assert scenes.key_of(third)["held_nano"] == 90
    assert scenes.problems() == []


def test_a_call_of_the_old_key_that_ends_in_the_same_commit_makes_room_for_the_new_one(till: Till) -> None:
    """R12: as if it had ended a commit earlier."""
    old = spending_key(SpendPeriod.DAY, limit=100)
    first = scenes.admission(old)
    till.admit(first)
    new = successor_of(old)

    _, answer = scenes.in_one_commit(till, [scenes.settlement(first, charge=10), scenes.admission(new, hold=90)])

    assert isinstance(answer, Admitted)
    assert (scenes.key_of(new)["spent_nano"], scenes.key_of(new)["held_nano"]) == (10, 90)


def test_two_keys_of_one_line_in_one_commit_do_not_spend_the_same_room(till: Till) -> None:
    """R12."""
    old = spending_key(SpendPeriod.DAY, limit=100)
    new = successor_of(old)

    answers = scenes.in_one_commit(till, [scenes.admission(old, hold=60), scenes.admission(new, hold=60)])

    assert [type(answer) for answer in answers] == [Admitted, SpendLimitReached]
    assert scenes.problems() == []


def test_where_a_key_was_used_last_is_noted_with_the_charge_and_kept_by_whoever_does_not_know(till: Till) -> None:
    who = scenes.customer()
    ops = [scenes.admission(who, address=address) for address in ("192.0.2.1", "2001:db8::7", "bad\x00" + "x" * 300, None)]
    seen = []

    for op in ops:
        till.admit(op)
        till.settle(scenes.settlement(op))
        seen.append(scenes.key_of(who)["last_used_address"])

    assert seen[:2] == ["192.0.2.1", "2001:db8::7"]
    assert seen[2] == seen[3] == "bad" + "x" * 197
