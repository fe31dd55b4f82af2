"""The credit that is left with the upstream: how much, how long it lasts at the present pace, and whether that is too little.

Low is told once a crossing: it is over only when there is clearly more than the threshold again, so that a balance that wavers
around it does not alarm every hour.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reseller import alarms
from reseller.clock import now
from reseller.database import transaction
from reseller.domain.supplier.tables import SupplierBalance, SupplierCredit
from reseller.money import display_usd, format_decimal

ALARM = "upstream_balance_low"
PACE = timedelta(days=7)
LEAST_PACE = timedelta(hours=6)
"""Shorter looks back say more of the hour than of the day."""
CLEARLY = Decimal("1.1")
DAY_SECONDS = 86_400
TENTH, MICRO = Decimal("0.1"), Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Threshold:
    """Below either of them, staff are alarmed; 0 of one switches it off."""

    usd: Decimal
    days: int


@dataclass(frozen=True, slots=True)
class Balance:
    """How the account there stands. `burn_usd` a day and `days_left` are None while there is too little history, or nothing is used."""

    upstream: str
    read_at: datetime
    remaining_usd: Decimal
    burn_usd: Decimal | None
    days_left: Decimal | None
    low_since: datetime | None

    @property
    def is_low(self) -> bool:
        return self.low_since is not None


def note(upstream: str, *, bought_usd: Decimal, used_usd: Decimal, threshold: Threshold) -> Balance:
    """The reading is kept; staff are alarmed when the credit has just become low."""
    with transaction() as session:
        session.execute(insert(SupplierBalance).values(upstream=upstream, low_since=None).on_conflict_do_nothing())
        state = session.get_one(SupplierBalance, upstream, with_for_update=True)
        session.add(SupplierCredit(upstream=upstream, read_at=now(), bought_usd=bought_usd, used_usd=used_usd))
        session.flush()
        found = _read(session, upstream)
        assert found is not None
        was_low = state.low_since is not None
        is_low = _is_below(found, threshold, by=CLEARLY if was_low else Decimal(1))
        if is_low != was_low:
            state.low_since = now() if is_low else None
        found = replace(found, low_since=state.low_since)
    if is_low and not was_low:
        alarms.sound(
            ALARM,
            upstream,
            f"{display_usd(found.remaining_usd)} left",
            upstream=upstream,
            remaining_usd=format_decimal(found.remaining_usd),
            days_left=None if found.days_left is None else format_decimal(found.days_left),
        )
    return found


def balance_of(upstream: str) -> Balance | None:
    """How the account there stood when it was last looked at; None if it never was."""
    with transaction() as session:
        found = _read(session, upstream)
        state = session.get(SupplierBalance, upstream)
        return found and replace(found, low_since=state.low_since if state else None)


def _read(session: Session, upstream: str) -> Balance | None:
    of_it = select(SupplierCredit).where(SupplierCredit.upstream == upstream)
    last = session.scalar(of_it.order_by(SupplierCredit.read_at.desc()).limit(1))
    if last is None:
        return None
    first = session.scalar(of_it.where(SupplierCredit.read_at >= last.read_at - PACE).order_by(SupplierCredit.read_at).limit(1)) or last
    remaining, span = last.bought_usd - last.used_usd, last.read_at - first.read_at
    burn = days = None
    if span >= LEAST_PACE and last.used_usd >= first.used_usd:
        burn = ((last.used_usd - first.used_usd) * DAY_SECONDS / Decimal(span // timedelta(seconds=1))).quantize(MICRO)
        days = (max(remaining, Decimal(0)) / burn).quantize(TENTH, ROUND_DOWN) if burn else None
    return Balance(upstream, last.read_at, remaining, burn, days, None)


def _is_below(balance: Balance, threshold: Threshold, *, by: Decimal) -> bool:
    if balance.remaining_usd <= 0 or balance.remaining_usd < threshold.usd * by:
        return True
    return balance.days_left is not None and balance.days_left < threshold.days * by
