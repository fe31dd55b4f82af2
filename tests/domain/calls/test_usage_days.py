"""Each day's charges of an account are one ledger entry, posted once, whatever the clock does (R1)."""

from datetime import timedelta
from typing import Any

from reseller.domain import ledger
from reseller.domain.calls import Till
from tests.domain import scenes


def ended_call(till: Till, who: scenes.Customer, charge: int) -> None:
    op = scenes.admission(who)
    till.admit(op)
    till.settle(scenes.settlement(op, charge=charge))


def test_the_first_charge_of_a_new_day_posts_the_day_before(till: Till) -> None:
    """R1: one entry for each account and day."""
    who = scenes.customer(nano=1_000)
    ended_call(till, who, 60)
    ended_call(till, who, 15)
    scenes.make_it_yesterday(who)

    ended_call(till, who, 5)

    top_up, posted = scenes.entries(who)
    today = scenes.rows("SELECT (now() AT TIME ZONE 'UTC')::date AS day")[0]["day"]
    assert (posted["kind"], posted["amount_nano"], posted["balance_after_nano"], posted["sequence"]) == ("usage", -75, 925, 2)
    assert posted["reference"] == f"{who.account_id}:{today - timedelta(days=1)}"
    assert posted["previous_hash"] == top_up["entry_hash"]
    assert scenes.balance(who) == {"settled": 920, "held": 0, "open_calls": 0, "unposted": 5, "floor": 0}
    assert scenes.problems() == []


def test_two_charges_of_a_new_day_in_one_commit_post_the_day_before_once(till: Till) -> None:
    """R1, R12."""
    who = scenes.customer(nano=1_000)
    ended_call(till, who, 60)
    scenes.make_it_yesterday(who)
    ops = [scenes.admission(who) for _ in range(3)]
    scenes.in_one_commit(till, ops)

    scenes.in_one_commit(till, [scenes.settlement(op, charge=10) for op in ops])

    assert [entry["amount_nano"] for entry in scenes.entries(who)] == [1_000, -60]
    assert scenes.balance(who)["unposted"] == 30
    assert scenes.problems() == []


def test_a_quiet_account_has_its_day_posted_by_the_clock_once(till: Till) -> None:
    """R1."""
    who = scenes.customer(nano=1_000)
    ended_call(till, who, 60)
    scenes.make_it_yesterday(who)
    today = scenes.rows("SELECT (now() AT TIME ZONE 'UTC')::date AS day")[0]["day"]

    posted = [ledger.post_usage_day(who.account_id, today) for _ in range(3)]

    assert posted == [True, False, False]
    assert [entry["amount_nano"] for entry in scenes.entries(who)] == [1_000, -60]
    assert scenes.balance(who) == {"settled": 940, "held": 0, "open_calls": 0, "unposted": 0, "floor": 0}
    ended_call(till, who, 7)
    assert [entry["amount_nano"] for entry in scenes.entries(who)] == [1_000, -60]
    assert scenes.problems() == []


def test_todays_usage_is_not_posted_before_the_day_is_over(till: Till) -> None:
    who = scenes.customer(nano=1_000)
    ended_call(till, who, 60)
    today = scenes.rows("SELECT (now() AT TIME ZONE 'UTC')::date AS day")[0]["day"]

    assert ledger.post_usage_day(who.account_id, today) is False
    assert scenes.balance(who)["unposted"] == 60


def test_a_clock_that_goes_back_after_a_day_was_posted_does_not_stop_settlement(till: Till) -> None:
    """The fault model's wall clock of ±1 h around midnight: no day is ever posted twice."""
    who = scenes.customer(nano=1_000)
    ended_call(till, who, 60)
    today = scenes.rows("SELECT (now() AT TIME ZONE 'UTC')::date AS day")[0]["day"]
    ledger.post_usage_day(who.account_id, today + timedelta(days=1))

    ended_call(till, who, 5)
    ledger.post_usage_day(who.account_id, today + timedelta(days=2))
    ended_call(till, who, 3)

    assert [entry["amount_nano"] for entry in scenes.entries(who)] == [1_000, -60, -5]
    assert scenes.money(who) == (932, 0)
    assert scenes.problems() == []


def test_every_charge_names_the_day_whose_entry_holds_it(till: Till) -> None:
    """R1."""
    who = scenes.customer(nano=1_000)
    ended_call(till, who, 60)
    ended_call(till, who, 0)

    days = [row["posted_on"] for row in scenes.usage(who)]

    today: Any = scenes.rows("SELECT (now() AT TIME ZONE 'UTC')::date AS day")[0]["day"]
    assert days == [today, None]
