"""Sums of usage: each account its own, whole days in UTC, the same rows however they are grouped (R23)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from reseller.clock import instant_of, new_id
from reseller.database import acting_for
from reseller.domain import usage
from reseller.domain.calls import Till, facts_of
from reseller.errors import NotForSale
from reseller.metering import Usage
from reseller.wiring import wiring_of
from tests.domain import scenes

TODAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


@pytest.fixture
def till(app: Flask) -> Till:
    return wiring_of(app).till


def call(till: Till, who: scenes.Customer, *, at: datetime = TODAY, charge: int = 10, **changes: Any) -> Any:
    """One ended call that was made at that instant; its id."""
    with time_machine.travel(at, tick=False):
        call_id = new_id()
    op = scenes.admission(who, call_id=call_id, **changes)
    till.admit(op)
    till.settle(scenes.settlement(op, charge=charge, usage=Usage(prompt_tokens=7, completion_tokens=3)))
    return op.call_id


def test_calls_refusals_errors_tokens_and_charges_are_summed(till: Till) -> None:
    who = scenes.customer()
    call(till, who, charge=10)
    call(till, who, charge=5)
    op = scenes.admission(who)
    till.admit(op)
    till.settle(scenes.failure(op))
    till.record(facts_of(scenes.admission(who)), NotForSale("no such model"))

    [sum_] = usage.sums(who.account_id, date(2020, 1, 1), date(2099, 1, 1), "model")

    assert (sum_.grouped, sum_.calls, sum_.refused, sum_.errors, sum_.charge_nano) == ("acme/one", 3, 1, 1, 15)
    assert sum_.as_json("model") == {
        "model": "acme/one", "calls": 3, "refused": 1, "errors": 1, "prompt_tokens": 14, "completion_tokens": 6, "total_tokens": 20,
        "charge": "0.000000015",
    }  # fmt: skip


def test_every_grouping_adds_up_to_the_same(till: Till) -> None:
    who = scenes.customer()
    for model, charge in (("acme/one", 10), ("acme/two", 20), ("acme/one", 3)):
        call(till, who, model=model, charge=charge)

    span = (date(2020, 1, 1), date(2099, 1, 1))
    totals = {grouping: sum(row.charge_nano for row in usage.sums(who.account_id, *span, grouping)) for grouping in ("day", "model", "key")}

    assert totals == {"day": 33, "model": 33, "key": 33}
    assert [(row.grouped, row.charge_nano) for row in usage.sums(who.account_id, *span, "model")] == [("acme/one", 13), ("acme/two", 20)]


def test_a_day_is_whole_and_in_utc(till: Till) -> None:
    """From its first to its last instant, whatever zone the server lives in."""
    who = scenes.customer()
    scenes.execute("SET TIME ZONE 'Asia/Kolkata'")
    midnight = TODAY.replace(hour=0)
    for at in (midnight - timedelta(milliseconds=1), midnight, midnight + timedelta(hours=23, minutes=59, seconds=59, milliseconds=999)):
        call(till, who, at=at, charge=1)

    rows = usage.sums(who.account_id, midnight.date(), midnight.date(), "day")

    assert [(row.grouped, row.calls) for row in rows] == [(midnight.date().isoformat(), 2)]


def test_no_account_sees_the_usage_of_another(till: Till) -> None:
    """R23: even if it asked for it."""
    mine, theirs = scenes.customer(), scenes.customer()
    call(till, mine, charge=1)
    call_id = call(till, theirs, charge=2)
    span = (date(2020, 1, 1), date(2099, 1, 1))

    with acting_for(mine.account_id):
        own, foreign = usage.sums(mine.account_id, *span, "day"), usage.sums(theirs.account_id, *span, "day")
        found = usage.call_of(theirs.account_id, call_id, instant_of(call_id))

    assert [row.charge_nano for row in own] == [1]
    assert foreign == []
    assert found is None


def test_a_call_of_another_account_is_nobodys(till: Till) -> None:
    """R23: the scoped query is the first wall; here it stands alone."""
    mine, theirs = scenes.customer(), scenes.customer()
    call_id = call(till, theirs)

    assert usage.call_of(mine.account_id, call_id, instant_of(call_id)) is None
    found = usage.call_of(theirs.account_id, call_id, instant_of(call_id))
    assert found is not None
    assert found.id == call_id


def test_a_call_that_never_was_is_not_found(till: Till) -> None:
    call_id = new_id()

    assert usage.call_of(scenes.customer().account_id, call_id, instant_of(call_id)) is None
