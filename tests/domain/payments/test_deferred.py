"""Days of credit that are closed say the same as their entries, whatever happened before and afterwards (R1)."""

from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest
from flask import Flask

from reseller.clock import first_id, now
from reseller.domain import ledger
from reseller.domain.accounts import Person
from reseller.domain.ledger import EntryDraft, EntryKind
from reseller.domain.payments import deferred
from reseller.domain.payments.deferred import Credit
from tests import factories
from tests.domain import scenes

NANO = 10**9


@pytest.fixture
def people(app: Flask) -> list[Person]:
    return [factories.make_person() for _ in range(4)]


def days_ago(number: int) -> date:
    return now().date() - timedelta(days=number)


def post(who: Person, kind: EntryKind, usd: int, ago: int) -> None:
    """An entry as it was written that many days ago; usage is written the day after."""
    day = days_ago(ago)
    reference = f"{who.account_id}:{day}" if kind == EntryKind.USAGE else f"{who.account_id}:{kind}:{ago}:{usd}"
    if kind == EntryKind.USAGE:
        scenes.execute(
            "UPDATE balances SET unposted_nano = :nano, settled_nano = settled_nano - :nano, usage_day = :day WHERE account_id = :id",
            nano=-usd * NANO, day=day, id=who.account_id,
        )  # fmt: skip
        ledger.post_usage_day(who.account_id, now().date())
    else:
        ledger.post(EntryDraft(who.account_id, kind, usd * NANO, reference, "test"))
    at = now() - timedelta(days=ago - (1 if kind == EntryKind.USAGE else 0))
    scenes.execute("ALTER TABLE ledger_entries DISABLE TRIGGER USER")
    new = first_id(at).int + Random(f"{reference}").getrandbits(60)
    scenes.execute(
        "UPDATE ledger_entries SET created_at = :at, id = CAST(:new AS uuid) WHERE kind = :kind AND reference = :reference",
        at=at, new=f"{new:032x}", kind=kind, reference=reference,
    )  # fmt: skip
    scenes.execute("ALTER TABLE ledger_entries ENABLE TRIGGER USER")


def live_through(people: list[Person], seed: int, *, newest: int = 0) -> None:
    chance = Random(seed)
    for ago in range(12, newest, -1):
        for who in people:
            if chance.random() < 0.5:
                post(who, EntryKind.TOP_UP, chance.randrange(5, 40), ago)
            if chance.random() < 0.3:
                post(who, EntryKind.ADJUSTMENT, chance.randrange(1, 6), ago)
            has = ledger.balance_now(who.account_id).settled_nano // NANO
            if has > 2 and chance.random() < 0.6:
                post(who, EntryKind.USAGE, -chance.randrange(1, has), ago)
            if chance.random() < 0.1:
                post(who, EntryKind.REFUND, -chance.randrange(1, 30), ago)


@pytest.mark.parametrize("seed", range(4))
def test_closed_days_say_what_their_entries_say(people: list[Person], seed: int) -> None:
    live_through(people, seed)
    before = deferred.credit_by_day(days_ago(15), days_ago(0))

    closed = deferred.close_days()

    assert closed >= 10
    assert deferred.credit_by_day(days_ago(15), days_ago(0)) == before
    assert deferred.credit_by_day(days_ago(5), days_ago(3)) == before[10:13]
    assert deferred.close_days() == 0


def test_what_moves_after_closing_goes_on_from_there(people: list[Person]) -> None:
    live_through(people, 7, newest=4)
    deferred.close_days()
    scenes.execute("DELETE FROM credit_days WHERE day > :day", day=days_ago(6))
    with_closed = deferred.credit_by_day(days_ago(14), days_ago(0))

    deferred.forget_days()

    assert deferred.credit_by_day(days_ago(14), days_ago(0)) == with_closed
    assert sum(day.sold for day in with_closed) > 0


def test_a_day_with_charges_that_are_no_entry_yet_stays_open(people: list[Person]) -> None:
    post(people[0], EntryKind.TOP_UP, 20, 5)
    scenes.execute(
        "UPDATE balances SET unposted_nano = :nano, settled_nano = settled_nano - :nano, usage_day = :day WHERE account_id = :id",
        nano=3 * NANO, day=days_ago(2), id=people[0].account_id,
    )  # fmt: skip

    deferred.close_days()

    assert scenes.rows("SELECT max(day) AS day FROM credit_days") == [{"day": days_ago(3)}]
    assert deferred.credit_by_day(days_ago(2), days_ago(2)) == [Credit(days_ago(2), deferred=17 * NANO, used=3 * NANO)]


def test_nothing_has_happened_yet(app: Flask) -> None:
    assert deferred.close_days() == 0
    assert deferred.credit_by_day(days_ago(1), days_ago(0)) == [Credit(days_ago(1)), Credit(days_ago(0))]


def test_one_account_below_zero_is_owed_and_takes_nothing_of_anothers(people: list[Person]) -> None:
    one, other = people[:2]
    post(one, EntryKind.TOP_UP, 20, 4)
    post(one, EntryKind.USAGE, -15, 4)
    post(one, EntryKind.REFUND, -20, 3)
    post(other, EntryKind.TOP_UP, 30, 3)

    (day,) = deferred.credit_by_day(days_ago(3), days_ago(3))

    assert (Decimal(day.deferred) / NANO, Decimal(day.owed) / NANO, day.back // NANO) == (30, 15, 20)
