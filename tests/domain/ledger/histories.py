"""Accounts with a past: months of top-ups, adjustments, refunds and days of usage, as verbs and the till would have booked them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random

import time_machine

from reseller.clock import now
from reseller.domain import ledger
from reseller.domain.ledger import EntryKind
from tests.domain import scenes
from tests.domain.usage import calls

KINDS = (EntryKind.TOP_UP, EntryKind.ADJUSTMENT, EntryKind.ADJUSTMENT, EntryKind.REFUND, EntryKind.DISPUTE)


def opened(on: date) -> scenes.Customer:
    """An account without money that was opened on this day."""
    who = scenes.customer(nano=0)
    scenes.execute("UPDATE accounts SET created_at = :at WHERE id = :id", at=midnight(on), id=who.account_id)
    return who


def live(who: scenes.Customer, chance: Random, first: date) -> None:
    """Every day from the first to today something may have happened, and the books are proved."""
    for day in days(first):
        with time_machine.travel(at_some_time(day, chance), tick=False):
            if day == first:
                scenes.put_in(who, 10**12)
            elif chance.random() < 0.2:
                move(who, chance)
            if chance.random() < 0.1:
                ledger.post_usage_day(who.account_id, day)  # the clock came by
        if chance.random() < 0.6:
            charge(who, day, [chance.randrange(1, 10**9) for _ in range(chance.randrange(1, 4))], chance)


def move(who: scenes.Customer, chance: Random) -> None:
    """One more entry, now."""
    kind = chance.choice(KINDS)
    amount = chance.randrange(1, 10**10)
    is_taken = kind == EntryKind.REFUND or (kind != EntryKind.TOP_UP and chance.random() < 0.5)
    scenes.put_in(who, -amount if is_taken else amount, kind=kind)


def charge(who: scenes.Customer, day: date, charges: list[int], chance: Random | None = None) -> None:
    """Calls of that day have been settled and charged; a day before that still waited is an entry now."""
    luck = chance or Random(1)
    ledger.post_usage_day(who.account_id, day)
    began = datetime.combine(day, time(), UTC) + timedelta(minutes=luck.randrange(-20, 600))  # some began before midnight
    calls.write(
        calls.row(began, who.account_id, charge_nano=nano, posted_on=day, model=luck.choice(calls.MODELS), api_key_id=who.key_id)
        for nano in charges
    )
    scenes.execute(
        """UPDATE balances SET settled_nano = settled_nano - :nano, unposted_nano = unposted_nano + :nano, usage_day = :day
            WHERE account_id = :id""",
        nano=sum(charges),
        day=day,
        id=who.account_id,
    )


def days(first: date) -> Iterator[date]:
    """From the first to today, in UTC."""
    today = now().date()
    return (first + timedelta(days=n) for n in range((today - first).days + 1))


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def at_some_time(day: date, chance: Random) -> datetime:
    """An instant of that day that has been."""
    latest = min(midnight(day) + timedelta(days=1), now())
    return midnight(day) + (latest - midnight(day)) * chance.random()
