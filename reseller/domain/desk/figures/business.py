"""Business: who is active, what comes in, what is earned, who left. Money is exact; a margin is charges minus what upstreams bill."""

# ruff: noqa: S608 - put together from constants only

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from reseller.clock import day_start
from reseller.database import sort_in_memory, transaction
from reseller.domain.desk.figures import pieces
from reseller.domain.usage.period import QUARTER, Period
from reseller.domain.usage.rollup_tables import QUARTERS_A_DAY
from reseller.money import to_usd

SHOWN_ACCOUNTS = 20
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Money:
    """Dollars. `paid_in_usd`: by customers for credit, refunds and disputes taken off."""

    paid_in_usd: Decimal
    charge_usd: Decimal
    cost_usd: Decimal

    @property
    def margin_usd(self) -> Decimal:
        return self.charge_usd - self.cost_usd

    @property
    def margin_percent(self) -> Decimal | None:
        """Of charges."""
        return _percent(self.margin_usd, self.charge_usd)


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the zone. `active` are accounts with at least one live call that was not refused."""

    day: date
    active: int
    money: Money


@dataclass(frozen=True, slots=True)
class Left:
    """An account that was active in the range before and not in this one."""

    account_id: UUID
    name: str
    charge_before_usd: Decimal


@dataclass(frozen=True, slots=True)
class Activity:
    """Accounts of a range and the one before it."""

    active: int
    active_before: int
    left: int  # active before, not now
    new: int  # active now, not before

    @property
    def churn_percent(self) -> Decimal | None:
        """Of those that were active before."""
        return _percent(Decimal(self.left), Decimal(self.active_before))


@dataclass(frozen=True, slots=True)
class BusinessFigures:
    money: Money
    money_before: Money
    activity: Activity
    daily_active: Decimal | None  # on average
    daily_active_before: Decimal | None
    days: tuple[Day, ...]
    left: tuple[Left, ...]  # those that had paid most, at most SHOWN_ACCOUNTS


def business(period: Period) -> BusinessFigures:
    """The figures of the range and of the one before."""
    with transaction() as session:
        sort_in_memory(session)
        days, days_before = _days(session, period), _days(session, period.before)
        activity, left = _activity(session, period)
    return BusinessFigures(_added_up(days), _added_up(days_before), activity, _average(days), _average(days_before), tuple(days), left)


def active_by_day(session: Session, period: Period) -> dict[date, int]:
    """How many accounts made a live call on each day of the zone.

    A day of 24 hours is a window that was counted when its calls were summed. A day with a change of clocks, or one that is cut
    off at a time of day, is counted account by account from its pieces of UTC days.
    """
    days = {day: period.span_of(day) for day in period.local_days()}
    cut = {day for day, (start, end) in days.items() if end - start != ONE_DAY or end > period.end}
    begins = {day: start for day, (start, _) in days.items() if day not in cut}
    windows = session.execute(
        text(
            """SELECT b.day, w.accounts[b.place] FROM unnest(CAST(:days AS date[]), CAST(:begins AS date[]), CAST(:places AS int[]))
                 AS b (day, begins, place) JOIN active_windows w ON w.day = b.begins"""
        ),
        {
            "days": list(begins),
            "begins": [start.date() for start in begins.values()],
            "places": [(start - day_start(start.date())) // QUARTER + 1 for start in begins.values()],
        },
    )
    counted = {row[0]: int(row[1]) for row in windows}
    masks = [mask for day in sorted(cut) for mask in _masks(period, day)]
    if masks:
        columns = {"local_days": [mask[0] for mask in masks], "days": [mask[1] for mask in masks], "masks": [mask[2] for mask in masks]}
        counted |= {row[0]: int(row[1]) for row in session.execute(_ACTIVE, columns)}
    return counted


_ACTIVE = text(
    f"""SELECT local_day, count(*) FROM (
        SELECT DISTINCT m.local_day, d.account_id
          FROM unnest(CAST(:local_days AS date[]), CAST(:days AS date[]), CAST(:masks AS text[])) AS m (local_day, day, mask)
          JOIN account_days d
            ON d.day = m.day AND d.quarters & CAST(m.mask AS bit({QUARTERS_A_DAY})) <> CAST(0 AS bit({QUARTERS_A_DAY}))) active
     GROUP BY 1"""
)


def _masks(period: Period, day: date) -> list[tuple[date, date, str]]:
    """(day of the zone, UTC day, a bit for each of its quarter-hours: whether that belongs to the zone's day)."""
    start, end = period.span_of(day)
    end = min(end, period.end)
    found, utc_day = [], start.date()
    while (midnight := day_start(utc_day)) < end:
        instants = (midnight + number * QUARTER for number in range(QUARTERS_A_DAY))
        found.append((day, utc_day, "".join("1" if start <= at < end else "0" for at in instants)))
        utc_day += timedelta(days=1)
    return found


def _days(session: Session, period: Period) -> list[Day]:
    active = active_by_day(session, period)
    sold = {
        row[0]: row[1:]
        for row in pieces.fetch(
            session,
            """SELECT (starts_at AT TIME ZONE :zone)::date, sum(charge_nano), sum(cost_usd) FROM traffic_totals
                WHERE starts_at >= :start AND starts_at < :end AND NOT is_test GROUP BY 1""",
            period,
        )
    }
    paid = {row[0]: int(row[1]) for row in pieces.fetch(session, _PAID, period, paid_end=min(period.end, max(period.at, period.start)))}
    return [
        Day(
            day,
            active.get(day, 0),
            Money(to_usd(paid.get(day, 0)), to_usd(int(sold.get(day, (0, 0))[0])), Decimal(sold.get(day, (0, 0))[1])),
        )
        for day in period.local_days()
    ]


_PAID = """SELECT (created_at AT TIME ZONE :zone)::date, sum(amount_nano) FROM ledger_entries
            WHERE kind IN ('top_up', 'refund', 'dispute') AND created_at >= :start AND created_at < :paid_end GROUP BY 1"""


def _is_active(named: str) -> str:
    """Whether the account `a` made a live call in the range whose bounds have this beginning: asked once for all of them."""
    return f"a.id IN (SELECT account_id FROM {pieces.accounts('account_id, calls', named=named)} WHERE calls > 0)"


_ACTIVITY = f"""
WITH seen AS MATERIALIZED (SELECT a.id, a.name, {_is_active("")} AS now, {_is_active("before_")} AS before FROM accounts a),
gone AS (SELECT s.id, s.name, (SELECT coalesce(sum(charge_nano), 0) FROM {pieces.accounts("account_id, charge_nano", named="before_")}
                                WHERE pieces.account_id = s.id) AS charge_nano FROM seen s WHERE before AND NOT now)
SELECT count(*) FILTER (WHERE now), count(*) FILTER (WHERE before), count(*) FILTER (WHERE before AND NOT now),
       NULL::uuid, NULL::text, NULL::bigint FROM seen
UNION ALL
(SELECT NULL, NULL, NULL, id, name, charge_nano FROM gone ORDER BY charge_nano DESC, id LIMIT {SHOWN_ACCOUNTS})"""


def _activity(session: Session, period: Period) -> tuple[Activity, tuple[Left, ...]]:
    before = pieces.bounds_of_accounts(session, period.before, named="before_")
    first, *rows = pieces.fetch(session, _ACTIVITY, period, **pieces.bounds_of_accounts(session, period), **before)
    active, active_before, gone = (int(count) for count in first[:3])
    left = tuple(Left(row[3], row[4], to_usd(int(row[5]))) for row in rows)
    return Activity(active, active_before, gone, active - (active_before - gone)), left


def _added_up(days: Sequence[Day]) -> Money:
    return Money(
        sum((day.money.paid_in_usd for day in days), Decimal(0)),
        sum((day.money.charge_usd for day in days), Decimal(0)),
        sum((day.money.cost_usd for day in days), Decimal(0)),
    )


def _average(days: Sequence[Day]) -> Decimal | None:
    return Decimal(sum(day.active for day in days)) / len(days) if days else None


def _percent(part: Decimal, whole: Decimal) -> Decimal | None:
    """How much of the whole the part is; None of nothing."""
    return 100 * part / whole if whole else None
