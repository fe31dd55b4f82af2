"""The SQL of ranges: whole UTC days from the tables of days, what is left over at both ends from the quarter-hours.

So ninety days are a few thousand rows, whatever the zone, and exact. Of accounts, of which there may be very many, months that are
over come from their own table.
"""

# ruff: noqa: S608 - put together from constants only

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from reseller.clock import month_start, next_month
from reseller.domain.usage import rollup
from reseller.domain.usage.histogram import BUCKETS
from reseller.domain.usage.period import Period


def traffic(columns: str, *, where: str = "NOT is_test") -> str:
    """FROM clause: rows of everybody's traffic in the range."""
    edges = (f"traffic_hours WHERE starts_at >= :{end}_from AND starts_at < :{end}_to AND {where}" for end in ("head", "tail"))
    return _union(columns, f"traffic_days WHERE day >= :day_from AND day < :day_to AND {where}", *edges)


def accounts(columns: str, *, named: str = "", grouped: str = "") -> str:
    """FROM clause: rows of accounts' live calls in the range whose bounds are parameters with this beginning.

    `grouped`: each piece is added up by these columns before; the server's other processors help with the long ones.
    """
    found = [f"account_months WHERE month >= :{named}month_from AND month < :{named}month_to"]
    found += [
        f"account_days WHERE day >= :{named}{start} AND day < :{named}{end}"
        for start, end in (("day_from", "month_from"), ("month_to", "day_to"))
    ]
    found += [
        f"usage_hours WHERE starts_at >= :{named}{end}_from AND starts_at < :{named}{end}_to AND NOT is_test" for end in ("head", "tail")
    ]
    return _union(columns, *(f"{piece} GROUP BY {grouped}" if grouped else piece for piece in found))


def _union(columns: str, *found: str) -> str:
    return "(" + " UNION ALL ".join(f"SELECT {columns} FROM {piece}" for piece in found) + ") pieces"


def added(histogram: str) -> str:
    """Columns that add up a histogram, one for each bucket."""
    return ", ".join(f"sum({histogram}[{n}])" for n in range(1, BUCKETS + 1))


def point(period: Period) -> str:
    """Which point of a curve a quarter-hour belongs to: an hour of the zone in short ranges, else a day, as text."""
    form = "YYYY-MM-DD HH24:00" if period.is_hourly else "YYYY-MM-DD"
    return f"to_char(starts_at AT TIME ZONE :zone, '{form}')"


def fetch(session: Session, query: str, period: Period, **more: Any) -> Sequence[Any]:
    """The rows of a query over the range."""
    return session.execute(text(query), period.bounds() | more).all()


def bounds_of_accounts(session: Session, period: Period, *, named: str = "") -> dict[str, Any]:
    """Parameters of `accounts`: those of the range, and the months that it holds whole and that are summed, before `month_to`."""
    found = period.bounds()
    first, last = found["day_from"], found["day_to"]
    month_from = first if first == month_start(first) else next_month(month_start(first))
    month_to = min(month_start(last), rollup.months_until(session))
    if month_from >= month_to:
        month_from = month_to = first
    found |= {"month_from": month_from, "month_to": month_to}
    return {f"{named}{name}": value for name, value in found.items()}
