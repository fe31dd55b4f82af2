"""A made-up business, so that every page has something to show: people, keys, limits, prices and months of usage.

`cast` says who and how, `goods` what they buy, `traffic` draws their calls, `replay` settles them with the product's
own arithmetic, `writing` puts them into the tables. Money is exact and the books add up. The same seed and the same
day give the same calls. Never for production: the door refuses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import accounts
from reseller.domain.accounts import User
from reseller.domain.demo import cast, listening, people, replay, traffic, writing, wrong
from reseller.domain.demo.cast import DAYS, Customer
from reseller.domain.demo.goods import Good, stock
from reseller.domain.demo.logins import PEOPLE, Login, Logins, new_people, working
from reseller.domain.demo.people import Resident
from reseller.domain.identity.sealing import Seal
from reseller.domain.keys import keys_of
from reseller.domain.ledger import EntryKind
from reseller.domain.payments import BACK_REASONS, deferred
from reseller.domain.pricing import RuleTerms
from reseller.domain.usage import partitions, rollup

__all__ = ["DAYS", "PEOPLE", "Loaded", "Login", "Logins", "load"]

LOCK = 0x64656D6F  # "demo": one load at a time


@dataclass(frozen=True, slots=True)
class Loaded:
    """Logins that work. `is_new` is False if the data had been there before."""

    logins: Logins
    is_new: bool


def load(lists: Mapping[str, Sequence[Any]], rules: Sequence[RuleTerms], *, known: Logins | None, seal: Seal, actor: str) -> Loaded:
    """The demo data are there, with usage of the last DAYS days; loading again changes nothing.

    `lists` are the catalogues by upstream, `rules` the first price book, `known` the logins of an earlier load;
    `seal` closes secrets of webhooks.
    One transaction: if we die here, nothing happened. If we die before the logins are kept, the next load makes new ones;
    before the usage is summed, the clock's job sums it.
    """
    with transaction() as session:
        session.execute(select(func.pg_advisory_xact_lock(LOCK)))
        if session.scalar(select(User.id).where(User.email == cast.CUSTOMER.email)) is not None:
            return Loaded(working(known, actor=actor), is_new=False)
        until = now()
        partitions.make_past(until.date() - timedelta(days=DAYS))
        goods = stock(lists, rules, actor=actor)
        wrong.go_wrong(session, until=until)
        loaded = Loaded(_populate(session, goods, until=until, seal=seal, actor=actor), is_new=True)
    rollup.run()
    deferred.forget_days()
    deferred.close_days()
    return loaded


def _populate(session: Session, goods: Mapping[str, Good], *, until: datetime, seal: Seal, actor: str) -> Logins:
    logins = new_people()
    people.hire({login.email: login.password for login in logins.values()}, at=_opening(until), actor=actor)
    shown = ("", "")
    for customer in cast.CUSTOMERS:
        is_shown = customer is cast.CUSTOMER
        password = logins["customer"].password if is_shown else accounts.random_password()
        joined_at = traffic.joined_at(customer, until)
        resident, live, test = people.move_in(customer, password=password, joined_at=joined_at, actor=actor)
        shown = (live, test) if is_shown else shown
        _live_through(session, resident, goods, until=until)
        if is_shown:
            listening.listen(session, resident.account_id, seal=seal, until=until)
            wrong.be_told(session, resident.account_id, resident.user_id, until=until)
    return Logins(**logins, api_key=shown[0], test_key=shown[1])


def _live_through(session: Session, resident: Resident, goods: Mapping[str, Good], *, until: datetime) -> None:
    customer = resident.customer
    chance = traffic.chance_of(customer)
    calls = traffic.attempts(customer, goods, until=until, chance=chance)
    history = replay.opened(resident.account_id, customer.purse, at=resident.joined_at, key_for=resident.ring.key_for, chance=chance)
    history.due.extend(_goodwill(customer, until))
    history.due.extend(_back(customer, until))
    replay.replay(history, calls, until=until)
    writing.write(session, history, user_id=resident.user_id)
    writing.count_keys(session, history, periods={key.id: key.spend_period for key in keys_of(resident.account_id)})


def _goodwill(customer: Customer, until: datetime) -> list[replay.Movement]:
    if not customer.goodwill_usd:
        return []
    day = until.date() - timedelta(days=cast.BAD_AFTERNOON_DAYS_AGO - 1)
    reason = f"Goodwill for the failed calls of {day - timedelta(days=1)}"
    return [replay.Movement(datetime.combine(day, time(9, 12), UTC), customer.goodwill_usd, EntryKind.ADJUSTMENT, reason)]


def _back(customer: Customer, until: datetime) -> list[replay.Movement]:
    """What went back of the payment before, and came again."""
    noon = datetime.combine(until.date(), time(12, 20), UTC)
    return [
        replay.Movement(noon - timedelta(days=days_ago), amount_usd, kind, BACK_REASONS[kind, amount_usd > 0])
        for days_ago, kind, amount_usd in customer.back
    ]


def _opening(until: datetime) -> datetime:
    """The staff were there before the first customer."""
    return datetime.combine(until.date() - timedelta(days=DAYS + 1), time(8), UTC)
