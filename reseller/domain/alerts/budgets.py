"""Alerts about budgets: told once for each UTC day or month whose charges exceed the line.

A call counts in the day in which it began, as everywhere. Its charge may be settled after midnight, so the day and the month before
are looked at, too, and sums are read as pages read them: exact at this moment, whatever the rollup has done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text

from reseller.by_itself import each_by_itself
from reseller.clock import day_start, month_start, next_month, now
from reseller.database import transaction
from reseller.domain.alerts.firing import Crossing, fire
from reseller.domain.alerts.tables import AlertKind, AlertRule
from reseller.domain.usage.account_sums import Reading, Slice
from reseller.money import exact_usd, to_nano, to_usd

AT_A_TIME = 500
DAY = timedelta(days=1)

_DUE = text(
    """SELECT r.account_id FROM alert_rules r JOIN balances b ON b.account_id = r.account_id
        WHERE r.kind LIKE 'budget%' AND (r.looked_at IS NULL OR b.updated_at >= r.looked_at - interval '1 minute')
        GROUP BY 1 ORDER BY min(coalesce(r.looked_at, '-infinity')) LIMIT :limit"""
)
_KEYS = text(
    """SELECT k.id, coalesce(k.spends_as_id, k.id) AS line_id, k.made_by_id, k.name, coalesce(u.email, '')
         FROM api_keys k LEFT JOIN users u ON u.id = k.made_by_id WHERE k.account_id = :account_id"""
)


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key, the line it belongs to (named by its newest), and who made it; "" for nobody."""

    id: UUID
    line_id: UUID
    made_by_id: UUID | None
    name: str
    made_by: str


def sweep() -> int:
    """Whoever's charges have crossed a budget of theirs is told; how many crossings. First those who were looked at longest ago.

    One account that cannot be looked at keeps no other's from it, and is raised at the end.
    """
    with transaction() as session:
        due = list(session.scalars(_DUE, {"limit": AT_A_TIME}))
    return each_by_itself(_look_at, due, of="looking at budgets")


def _look_at(account_id: UUID) -> int:
    """One account's budgets, in one transaction: two workers at once look one after the other, or one of them not at all."""
    at = now()
    with transaction() as session:
        query = select(AlertRule).where(AlertRule.account_id == account_id, AlertRule.kind.like("budget%")).order_by(AlertRule.id)
        rules = list(session.scalars(query.with_for_update(skip_locked=True).execution_options(populate_existing=True)))
        keys = [KeyFacts(*row) for row in session.execute(_KEYS, {"account_id": account_id})]
        sums: dict[tuple[date, date], Mapping[UUID, int]] = {}
        told = 0
        for rule in rules:
            for starts_on, ends_on in _spans(rule, at):
                if (starts_on, ends_on) not in sums:
                    sums[starts_on, ends_on] = _charges(account_id, starts_on, ends_on)
                told += _compare(rule, sums[starts_on, ends_on], _counted(rule, keys), starts_on)
            rule.looked_at = at
        return told


def _spans(rule: AlertRule, at: datetime) -> list[tuple[date, date]]:
    """The running day or month and the one before it, unless the budget is younger than that, or was another one then."""
    today = at.date()
    if rule.kind == AlertKind.BUDGET_DAY:
        spans = [(today - DAY, today), (today, today + DAY)]
    else:
        this = month_start(today)
        spans = [(month_start(this - DAY), this), (this, next_month(this))]
    return [span for span in spans if span[1] > rule.watched_since.date()]


def _charges(account_id: UUID, starts_on: date, ends_on: date) -> Mapping[UUID, int]:
    """What calls that began in [starts_on, ends_on) were charged, by key, in nano-dollars."""
    start, end = (day_start(day) for day in (starts_on, ends_on))
    with transaction() as session:
        reading = Reading(session, Slice(account_id, start, end))
        rows = reading.fetch(f"SELECT api_key_id, sum(charge_nano) AS charge_nano FROM {reading.rows()} GROUP BY 1")  # noqa: S608
        return {row.api_key_id: int(row.charge_nano) for row in rows}


def _counted(rule: AlertRule, keys: list[KeyFacts]) -> list[KeyFacts] | None:
    """The keys whose charges the budget is about; None for all of the account."""
    if rule.api_key_id is not None:
        line_id = next(key.line_id for key in keys if key.id == rule.api_key_id)
        return sorted((key for key in keys if key.line_id == line_id), key=lambda key: key.id != rule.api_key_id)
    return None if rule.member_id is None else [key for key in keys if key.made_by_id == rule.member_id]


def _compare(rule: AlertRule, charges: Mapping[UUID, int], counted: list[KeyFacts] | None, starts_on: date) -> int:
    """1 if the budget is crossed and nobody was told of it so far."""
    budget, about = rule.amount_usd or Decimal(0), ""
    if counted is None:
        spent = sum(charges.values())
    else:
        spent = sum(charges.get(key.id, 0) for key in counted)
        about = next((key.name if rule.api_key_id else key.made_by for key in counted), "")
    if spent <= to_nano(budget):
        return 0
    return fire(rule, Crossing(exact_usd(budget), budget, to_usd(spent), about, starts_on))
