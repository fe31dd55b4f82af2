"""The SQL of ranges: whole UTC days from the tables of days, what is left over at both ends from the quarter-hours.

So ninety days are a few thousand rows, whatever the zone, and exact.
"""

# ruff: noqa: S608 - put together from constants only

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from reseller.domain.usage.histogram import BUCKETS
from reseller.domain.usage.period import Period
from reseller.domain.usage.rollup_statements import LATENCIES, SUMS


def _union(columns: str, quarters: str, days: str, *, where: str, named: str) -> str:
    head, tail = (f"starts_at >= :{named}{end}_from AND starts_at < :{named}{end}_to" for end in ("head", "tail"))
    return f"""(SELECT {columns} FROM {days} WHERE day >= :{named}day_from AND day < :{named}day_to AND {where}
         UNION ALL SELECT {columns} FROM {quarters} WHERE {head} AND {where}
         UNION ALL SELECT {columns} FROM {quarters} WHERE {tail} AND {where}) pieces"""


def traffic(columns: str, *, where: str = "NOT is_test") -> str:
    """FROM clause: rows of everybody's traffic in the range."""
    return _union(columns, "traffic_hours", "traffic_days", where=where, named="")


def accounts(columns: str, *, named: str = "") -> str:
    """FROM clause: rows of accounts' live calls in the range whose bounds are parameters with this beginning."""
    quarters = f"(SELECT starts_at, account_id, {', '.join(SUMS)} FROM usage_hours WHERE NOT is_test) live"
    return _union(columns, quarters, "account_days", where="true", named=named)


def added(histogram: str) -> str:
    """Columns that add up a histogram, one for each bucket."""
    return ", ".join(f"sum({histogram}[{n}])" for n in range(1, BUCKETS + 1))


HISTOGRAMS = LATENCIES


def point(period: Period) -> str:
    """Which point of a curve a quarter-hour belongs to: an hour of the zone in short ranges, else a day, as text."""
    form = "YYYY-MM-DD HH24:00" if period.is_hourly else "YYYY-MM-DD"
    return f"to_char(starts_at AT TIME ZONE :zone, '{form}')"


def fetch(session: Session, query: str, period: Period, **more: Any) -> Sequence[Any]:
    """The rows of a query over the range."""
    return session.execute(text(query), period.bounds() | more).all()
