"""Statements: every month begins with what the one before ended with, adds up, and the running one ends with the balance (R1)."""

from datetime import date, timedelta
from itertools import pairwise
from random import Random

import pytest
from flask import Flask

from reseller.clock import month_start, new_id, next_month, now
from reseller.database import acting_for
from reseller.domain.ledger import EntryKind, statement
from reseller.errors import NotFound
from tests.domain import scenes
from tests.domain.ledger import histories


def this_month() -> date:
    return month_start(now().date())


def month_before(month: date) -> date:
    return month_start(month - timedelta(days=1))


@pytest.mark.parametrize("seed", range(4))
def test_every_month_adds_up_and_goes_on_where_the_last_one_ended(app: Flask, seed: int) -> None:
    """R1: random histories over months; usage of a month's last day is posted in the next."""
    chance = Random(seed)
    first = month_before(month_before(this_month())) + timedelta(days=chance.randrange(20))
    who = histories.opened(first)
    histories.live(who, chance, first)

    listed = statement.months(who.account_id)[::-1]
    found = [statement.of_month(who.account_id, sums.month) for sums in listed]

    assert [each.month for each in found] == [month_start(first), month_before(this_month()), this_month()]
    for each, sums in zip(found, listed, strict=True):
        assert each.opening_nano + sum(line.amount_nano for line in each.lines) == each.closing_nano
        assert (each.opening_nano, each.closing_nano) == (sums.opening_nano, sums.closing_nano)
        assert sum(amount for _, amount in each.totals) == each.closing_nano - each.opening_nano == sums.added_nano + sums.used_nano
        assert all(month_start(line.day) == each.month for line in each.lines)
        assert all(isinstance(number, int) for line in each.lines for number in (line.amount_nano, line.balance_nano))  # R16: nano-dollars
        usage = [line for line in each.lines if line.kind == EntryKind.USAGE]
        assert len({line.day for line in usage}) == len(usage)
        for line in usage:
            assert sum(part.charge_nano for part in line.by_model) == -line.amount_nano
            assert None not in {part.model for part in line.by_model}
        assert sum(part.charge_nano for part in each.by_model) == -dict(each.totals).get(EntryKind.USAGE, 0)
    assert found[0].opening_nano == 0
    assert all(one.closing_nano == other.opening_nano for one, other in pairwise(found))
    assert found[-1].closing_nano == scenes.balance(who)["settled"]
    assert [each.is_running for each in found] == [False, False, True]
    assert scenes.problems_of_the_ledger() == []


def test_usage_belongs_to_its_day_whenever_it_is_posted(app: Flask) -> None:
    """The last day of a month becomes an entry in the next; a top-up of the next month may stand before it in the book."""
    last_day = this_month() - timedelta(days=1)
    who = histories.opened(last_day)
    scenes.put_in(who, 1_000, kind=EntryKind.TOP_UP)
    scenes.execute("ALTER TABLE ledger_entries DISABLE TRIGGER USER")
    scenes.execute("UPDATE ledger_entries SET created_at = :at", at=histories.midnight(last_day))
    histories.charge(who, last_day, [30, 12])
    before_posting = statement.of_month(who.account_id, month_start(last_day))
    scenes.put_in(who, 500)
    histories.charge(who, this_month(), [7])

    old, new = (statement.of_month(who.account_id, month) for month in (month_start(last_day), this_month()))

    assert (old.closing_nano, new.opening_nano) == (958, 958)
    assert [(line.kind, line.amount_nano) for line in old.lines] == [("top_up", 1_000), ("usage", -42)]
    assert [line.amount_nano for line in before_posting.lines] == [1_000, -42]
    assert sorted(line.amount_nano for line in new.lines) == [-7, 500]
    assert new.closing_nano == scenes.balance(who)["settled"] == 1_451


def test_the_running_month_holds_charges_that_no_entry_holds_yet(app: Flask) -> None:
    who = histories.opened(now().date())
    scenes.put_in(who, 1_000, kind=EntryKind.TOP_UP)
    histories.charge(who, now().date(), [60])

    found = statement.of_month(who.account_id, this_month())

    assert [(line.kind, line.amount_nano, line.entry_id is None) for line in found.lines] == [
        ("top_up", 1_000, False),
        ("usage", -60, True),
    ]
    assert found.closing_nano == 940
    assert found.is_running


def test_charges_whose_calls_are_not_kept_any_more_are_still_in_the_sum(app: Flask) -> None:
    day = this_month() - timedelta(days=1)
    who = histories.opened(day)
    scenes.put_in(who, 1_000, kind=EntryKind.TOP_UP)
    histories.charge(who, day, [60, 40])
    scenes.execute("DELETE FROM usage_logs WHERE charge_nano = 60")

    [line] = [line for line in statement.of_month(who.account_id, month_start(day)).lines if line.kind == EntryKind.USAGE]

    assert [(part.model is None, part.calls, part.charge_nano) for part in line.by_model] == [(False, 1, 40), (True, None, 60)]
    assert statement.charges_of_day(who.account_id, day, 100) == line.by_model


def test_a_day_without_kept_calls_is_one_unknown_part(app: Flask) -> None:
    who = histories.opened(now().date())

    [part] = statement.charges_of_day(who.account_id, now().date() - timedelta(days=900), 5)

    assert (part.model, part.calls, part.charge_nano) == (None, None, 5)


def test_an_account_without_movements_has_empty_statements(app: Flask) -> None:
    who = histories.opened(month_before(this_month()))

    old, new = (statement.of_month(who.account_id, month) for month in (month_before(this_month()), this_month()))

    assert (old.lines, old.opening_nano, old.closing_nano, new.closing_nano) == ((), 0, 0, 0)
    assert [sums.closing_nano for sums in statement.months(who.account_id)] == [0, 0]


@pytest.mark.parametrize("which", ["before", "to come", "never", "always"])
def test_there_is_no_statement_of_a_month_before_the_account_or_to_come(app: Flask, which: str) -> None:
    who = histories.opened(month_before(this_month()))
    months = {
        "before": month_before(month_before(this_month())), "to come": next_month(this_month()), "never": date(1, 1, 1),
        "always": date(9999, 12, 1),
    }  # fmt: skip

    with pytest.raises(NotFound):
        statement.of_month(who.account_id, months[which])


def test_nobody_reads_the_statement_of_another_account(app: Flask) -> None:
    """R23."""
    mine, theirs = histories.opened(this_month()), histories.opened(this_month())
    scenes.put_in(theirs, 1_000)

    with acting_for(mine.account_id), pytest.raises(NotFound):
        statement.of_month(theirs.account_id, this_month())
    with pytest.raises(NotFound):
        statement.months(new_id())
