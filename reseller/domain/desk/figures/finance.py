"""Finance: what was sold, earned, paid and given back, and the credit that customers still have coming. Days are UTC, as in the ledger.

Credit that was given away is used up before credit that was paid for, so that of an account's balance at most what it has paid in, and
not had back, is deferred. What was earned follows: deferred before + sold - taken back - deferred after, always (promise R1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from reseller.clock import day_start
from reseller.database import transaction
from reseller.domain.payments.deferred import credit_by_day
from reseller.domain.payments.tables import DISPUTES_OVER
from reseller.domain.usage.period import Period
from reseller.money import ZERO_USD, to_usd

ONE_DAY = timedelta(days=1)
SHOWN_DISPUTES = 100
MOVED = ("paid", "tax", "tax_back", "fees", "refunded", "disputed", "lost")


@dataclass(frozen=True, slots=True)
class FinanceDay:
    """One UTC day, or several together: then what stood is at the end of the last. Dollars.

    Of credit: `sold_usd` by payments, `back_usd` what refunds and disputes took of it (below zero: gave back), `given_usd` bonuses and
    adjustments, `used_usd` by calls. Of money at Stripe: `paid_usd` with tax, `tax_usd` and `tax_back_usd` the tax in it,
    `refunded_usd` and `disputed_usd` what went back, `lost_usd` what of that was neither credit nor tax.
    """

    day: date
    deferred_before_usd: Decimal = ZERO_USD
    deferred_usd: Decimal = ZERO_USD
    owed_usd: Decimal = ZERO_USD  # by accounts below zero
    sold_usd: Decimal = ZERO_USD
    back_usd: Decimal = ZERO_USD
    given_usd: Decimal = ZERO_USD
    used_usd: Decimal = ZERO_USD
    paid_usd: Decimal = ZERO_USD
    tax_usd: Decimal = ZERO_USD
    tax_back_usd: Decimal = ZERO_USD
    fees_usd: Decimal = ZERO_USD
    refunded_usd: Decimal = ZERO_USD
    disputed_usd: Decimal = ZERO_USD
    lost_usd: Decimal = ZERO_USD
    cost_usd: Decimal = ZERO_USD  # what upstreams bill us

    @property
    def earned_usd(self) -> Decimal:
        """Credit that was paid for and used, less what was taken back of it afterwards."""
        return self.deferred_before_usd + self.sold_usd - self.back_usd - self.deferred_usd

    @property
    def net_usd(self) -> Decimal:
        """What stays at Stripe."""
        return self.paid_usd - self.refunded_usd - self.disputed_usd - self.fees_usd

    @property
    def result_usd(self) -> Decimal:
        """What is left of what was earned."""
        return self.earned_usd - self.cost_usd - self.fees_usd - self.lost_usd


_STANDING = ("day", "deferred_before_usd", "deferred_usd", "owed_usd")
SUMMED = tuple(each.name for each in fields(FinanceDay) if each.name not in _STANDING)


@dataclass(frozen=True, slots=True)
class OpenDispute:
    """A dispute that nobody has decided, the one whose evidence is due first before the others."""

    dispute_id: str
    payment_id: UUID
    account_id: UUID
    account_name: str
    amount_usd: Decimal
    status: str
    reason: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class FinanceFigures:
    total: FinanceDay
    before: FinanceDay
    days: tuple[FinanceDay, ...]
    disputes: tuple[OpenDispute, ...]


def finance(period: Period) -> FinanceFigures:
    """The figures of the range, by its days as UTC days, and of the one before."""
    with transaction() as session:
        days, before = _days(session, period.first, period.last), _days(session, period.before.first, period.before.last)
        return FinanceFigures(together(days), together(before), tuple(days), _disputes(session))


def together(days: Sequence[FinanceDay]) -> FinanceDay:
    """Days in turn as one."""
    sums: dict[str, Any] = {name: sum((getattr(day, name) for day in days), ZERO_USD) for name in SUMMED}
    return replace(days[-1], deferred_before_usd=days[0].deferred_before_usd, **sums)


_MONEY = text("""
SELECT CAST(created_at AT TIME ZONE 'UTC' AS date) AS day,
       coalesce(sum(amount_nano) FILTER (WHERE kind = 'payment'), 0) AS paid,
       coalesce(sum(tax_nano) FILTER (WHERE kind = 'payment'), 0) AS tax,
       -coalesce(sum(tax_nano) FILTER (WHERE kind <> 'payment'), 0) AS tax_back,
       -coalesce(sum(amount_nano) FILTER (WHERE kind IN ('fee', 'dispute_fee')), 0) AS fees,
       -coalesce(sum(amount_nano) FILTER (WHERE kind = 'refund'), 0) AS refunded,
       -coalesce(sum(amount_nano) FILTER (WHERE kind = 'dispute'), 0) AS disputed,
       -coalesce(sum(amount_nano - credit_nano - tax_nano) FILTER (WHERE kind IN ('refund', 'dispute')), 0) AS lost
  FROM payment_moves WHERE created_at >= :start AND created_at < :end GROUP BY 1""")

_COST = text("""
SELECT CAST(starts_at AT TIME ZONE 'UTC' AS date), sum(cost_usd) FROM traffic_totals
 WHERE starts_at >= :start AND starts_at < :end AND NOT is_test GROUP BY 1""")


def _days(session: Session, first: date, last: date) -> list[FinanceDay]:
    span = {"start": day_start(first), "end": day_start(last + ONE_DAY)}
    money = {row["day"]: row for row in session.execute(_MONEY, span).mappings()}
    cost = {row[0]: Decimal(row[1]) for row in session.execute(_COST, span)}
    credit = credit_by_day(first - ONE_DAY, last)
    return [
        FinanceDay(
            day.day,
            deferred_before_usd=to_usd(before.deferred),
            deferred_usd=to_usd(day.deferred),
            owed_usd=to_usd(day.owed),
            cost_usd=cost.get(day.day, ZERO_USD),
            **{f"{name}_usd": to_usd(getattr(day, name)) for name in ("sold", "back", "given", "used")},
            **{f"{name}_usd": _usd(money.get(day.day), name) for name in MOVED},
        )
        for before, day in pairwise(credit)
    ]


def _usd(row: Any, name: str) -> Decimal:
    return ZERO_USD if row is None else to_usd(int(row[name]))


_DISPUTES = text("""
SELECT d.dispute_id, d.payment_id, d.account_id, a.name AS account_name, d.amount_nano, d.status, d.reason, d.evidence_due_at AS due_at
  FROM payment_disputes d JOIN accounts a ON a.id = d.account_id
 WHERE d.status <> ALL(:over)
 ORDER BY d.evidence_due_at NULLS LAST, d.id LIMIT :limit""")


def _disputes(session: Session) -> tuple[OpenDispute, ...]:
    rows = session.execute(_DISPUTES, {"limit": SHOWN_DISPUTES, "over": list(DISPUTES_OVER)}).mappings()
    return tuple(
        OpenDispute(amount_usd=to_usd(row["amount_nano"]), **{name: row[name] for name in row if name != "amount_nano"}) for row in rows
    )
