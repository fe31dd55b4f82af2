"""Finance: what was earned, what is deferred and how money moved, against stories that are counted by hand (R1, R19)."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from reseller.clock import now
from reseller.domain import ledger
from reseller.domain.accounts import Person
from reseller.domain.desk.figures import FinanceDay, Period, entries_by_month, entries_of, finance
from reseller.domain.payments import MoneySeen, learn_money, pack_changes
from tests import factories
from tests.domain import scenes
from tests.domain.payments import paying

UTC_ZONE = ZoneInfo("UTC")


@pytest.fixture
def ann(app: Flask) -> Person:
    return factories.make_person()


def today() -> FinanceDay:
    return finance(Period.latest(7, UTC_ZONE)).days[-1]


def use(who: Person, usd: str) -> None:
    """As if calls had been charged today."""
    nano = int(Decimal(usd).scaleb(9))
    sql = """UPDATE balances SET unposted_nano = unposted_nano + :nano, settled_nano = settled_nano - :nano,
                    usage_day = (now() AT TIME ZONE 'UTC')::date WHERE account_id = :id"""
    scenes.execute(sql, nano=nano, id=who.account_id)


def back(begun: paying.Order, *usd: str) -> None:
    refunds = tuple(paying.refund(f"{begun.payment_id}-{number}", amount) for number, amount in enumerate(usd))
    learn_money(MoneySeen(paying.intent_of(begun), refunds=refunds))


def test_credit_is_deferred_until_calls_use_it(ann: Person) -> None:
    paying.buy(ann, "50")
    use(ann, "12.34")

    day = today()

    assert (day.sold_usd, day.earned_usd, day.deferred_usd, day.used_usd) == (50, Decimal("12.34"), Decimal("37.66"), Decimal("12.34"))
    assert (day.paid_usd, day.owed_usd) == (50, 0)


def test_credit_that_was_given_away_is_used_first_and_earns_nothing(ann: Person) -> None:
    ledger.grant(ann.account_id, Decimal(10), reason="trial", actor="test")
    paying.buy(ann, "50")
    use(ann, "8")
    before = today()
    use(ann, "7")

    assert (before.earned_usd, before.deferred_usd, before.given_usd) == (0, 50, 10)
    assert (today().earned_usd, today().deferred_usd) == (5, 45)


def test_a_bonus_is_given_away(ann: Person) -> None:
    pack_changes.add_tier(Decimal(50), Decimal(10), actor="test", reason="more")
    paying.buy(ann, "50")

    assert (today().given_usd, today().deferred_usd) == (5, 50)


def test_what_was_spent_and_went_back_is_not_earned_and_is_owed(ann: Person) -> None:
    begun = paying.buy(ann, "20")
    use(ann, "15")
    back(begun, "20")

    day = today()

    assert (day.earned_usd, day.deferred_usd, day.owed_usd, day.back_usd, day.refunded_usd) == (0, 0, 15, 20, 20)


def test_one_account_below_zero_takes_nothing_of_anothers_credit(ann: Person) -> None:
    paying.buy(factories.make_person(), "30")
    begun = paying.buy(ann, "20")
    use(ann, "15")
    back(begun, "20")

    assert (today().deferred_usd, today().owed_usd) == (30, 15)


def test_tax_and_fees_are_neither_sold_nor_earned(ann: Person) -> None:
    begun = paying.buy(ann, "20", total_usd=Decimal("23.80"), tax_usd=Decimal("3.80"))
    learn_money(MoneySeen(paying.intent_of(begun), fee_usd=Decimal("0.99"), refunds=(paying.refund("1", "11.90"),)))

    day = today()

    assert (day.paid_usd, day.tax_usd, day.sold_usd, day.fees_usd) == (Decimal("23.80"), Decimal("3.80"), 20, Decimal("0.99"))
    assert (day.refunded_usd, day.tax_back_usd, day.back_usd, day.earned_usd) == (Decimal("11.90"), Decimal("1.90"), 10, 0)


def test_what_happened_before_the_range_is_in_what_it_began_with(ann: Person) -> None:
    paying.buy(ann, "50")
    scenes.execute("ALTER TABLE ledger_entries DISABLE TRIGGER USER")
    scenes.execute("UPDATE ledger_entries SET created_at = created_at - interval '40 days'")
    scenes.execute("ALTER TABLE ledger_entries ENABLE TRIGGER USER")
    use(ann, "20")

    found = finance(Period.latest(7, UTC_ZONE))

    assert (found.total.deferred_before_usd, found.total.sold_usd, found.total.earned_usd, found.total.deferred_usd) == (50, 0, 20, 30)
    assert [day.deferred_usd for day in found.days] == [50] * 6 + [30]


def test_every_day_begins_with_what_the_day_before_ended_with(ann: Person) -> None:
    """And all its lines of bookkeeping together say the same."""
    chance = Random(5)
    people = [ann, *(factories.make_person() for _ in range(4))]
    for number in range(25):
        who = chance.choice(people)
        begun = paying.buy(who, str(chance.randrange(5, 60))) if chance.random() < 0.6 else None
        if paying.balance(who) >= 9:
            use(who, str(chance.randrange(1, 900) / Decimal(100)))
        if begun is not None and chance.random() < 0.3:
            back(begun, "1.50")
        if number % 9 == 0:
            ledger.grant(who.account_id, Decimal(3), reason="gift", actor="test")

    found = finance(Period.latest(7, UTC_ZONE))

    assert all(later.deferred_before_usd == day.deferred_usd for day, later in zip(found.days, found.days[1:], strict=False))
    booked = [row for day in found.days for row in entries_of(day)]
    account = lambda name: sum((-1 if row.credit == name else 1) * row.amount_usd for row in booked if name in (row.debit, row.credit))  # noqa: E731
    assert account("Deferred credit") == -found.total.deferred_usd
    assert account("Stripe") == found.total.net_usd
    assert account("Revenue") == -found.total.earned_usd
    assert all(row.amount_usd > 0 for row in booked)


def test_a_gift_after_use_counts_as_used_first_too(ann: Person) -> None:
    """What was earned goes down by as much as is owed to the customer again: the books never owe less than the balance says."""
    paying.buy(ann, "10")
    use(ann, "8")
    before = today()

    ledger.grant(ann.account_id, Decimal(5), reason="sorry", actor="test")

    assert (before.earned_usd, before.deferred_usd) == (8, 2)
    assert (today().earned_usd, today().deferred_usd) == (3, 7)


def test_open_disputes_stand_by_the_day_their_evidence_is_due(ann: Person) -> None:
    for name, state, days in (("late", "needs_response", 9), ("soon", "needs_response", 2), ("over", "won", 1)):
        begun = paying.buy(ann, "20")
        seen = paying.dispute(name, "20", 1, "20", state)
        due = now() + timedelta(days=days)
        learn_money(MoneySeen(paying.intent_of(begun), disputes=(replace(seen, evidence_due_at=due),)))

    assert [each.dispute_id for each in finance(Period.latest(7, UTC_ZONE)).disputes] == ["dp_soon", "dp_late"]


def test_a_range_before_everything_is_empty(ann: Person) -> None:
    paying.buy(ann, "50")

    found = finance(Period(date(2020, 1, 1), date(2020, 1, 3), UTC_ZONE, now()))

    assert found.total == FinanceDay(date(2020, 1, 3))
    assert len(found.days) == 3


def test_the_bookkeeping_has_one_line_a_month_and_pair() -> None:
    """Of each month its own days alone, up to the last of them that there is."""
    days = [
        FinanceDay(date(2026, 10, 30), paid_usd=Decimal(11), tax_usd=Decimal(1)),
        FinanceDay(date(2026, 10, 31), paid_usd=Decimal(20)),
        FinanceDay(date(2026, 11, 1), paid_usd=Decimal(40), deferred_before_usd=Decimal(5)),
    ]

    booked = [(row.up_to, row.debit, row.credit, row.amount_usd) for row in entries_by_month(days)]

    assert booked == [
        (date(2026, 10, 31), "Stripe", "Deferred credit", Decimal(30)),
        (date(2026, 10, 31), "Stripe", "Tax payable", Decimal(1)),
        (date(2026, 11, 1), "Stripe", "Deferred credit", Decimal(40)),
        (date(2026, 11, 1), "Deferred credit", "Revenue", Decimal(5)),
    ]
