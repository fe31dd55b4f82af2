"""How an account is doing right now: its day so far, and what it spends a day. Exact, and cheap enough to ask every few seconds."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from reseller.clock import now
from reseller.database import transaction
from reseller.domain.usage import points
from reseller.domain.usage.account_sums import ADDED_UP, Reading, Slice
from reseller.domain.usage.rollup import QUARTER, quarter_of
from reseller.money import to_usd

DAY = timedelta(days=1)
PACE_DAYS = 7

_FIRST = text("SELECT min(starts_at) FROM usage_hours WHERE account_id = :account_id AND calls > 0")

_EVER = text(
    """SELECT (SELECT starts_at FROM usage_hours WHERE account_id = :account_id ORDER BY starts_at LIMIT 1) IS NOT NULL
            OR EXISTS (SELECT FROM usage_logs WHERE account_id = :account_id)"""
)


@dataclass(frozen=True, slots=True)
class Today:
    """What was called since midnight of the zone."""

    calls: int  # sent; refused ones are not among them
    errors: int  # among the calls
    refused: int
    charge_usd: Decimal


@dataclass(frozen=True, slots=True)
class Pace:
    """What calls of the last `days` days were charged. Seven days, fewer for an account that began later, at least one."""

    charge_usd: Decimal
    days: int


def today_of(account_id: UUID, zone: ZoneInfo) -> Today:
    """The account's calls of today, as today is in the zone."""
    today = now().astimezone(zone).date()
    found = Slice(account_id, points.start_of(today, zone), points.start_of(today + DAY, zone))
    with transaction() as session:
        reading = Reading(session, found)
        [row] = reading.fetch(f"SELECT {ADDED_UP} FROM {reading.rows()}")  # noqa: S608 - constants
    return Today(int(row.calls), int(row.errors), int(row.refused), to_usd(int(row.charge_nano)))


def pace_of(account_id: UUID) -> Pace:
    """What the account spends a day: the seven days that end with the quarter-hour that runs now."""
    end = quarter_of(now()) + QUARTER
    start = end - PACE_DAYS * DAY
    with transaction() as session:
        reading = Reading(session, Slice(account_id, start, end))
        [row] = reading.fetch(f"SELECT coalesce(sum(charge_nano), 0) AS charge_nano, min(starts_at) AS first FROM {reading.rows()}")  # noqa: S608
        first = min((at for at in (session.scalar(_FIRST, {"account_id": account_id}), row.first) if at is not None), default=start)
    return Pace(to_usd(int(row.charge_nano)), _days(max(first.astimezone(UTC), start), end))


def has_called(account_id: UUID) -> bool:
    """Whether the account has ever made a call, be it a refused one."""
    with transaction() as session:
        return bool(session.scalar(_EVER, {"account_id": account_id}))


def _days(start: datetime, end: datetime) -> int:
    """Days begun between the two."""
    return min(max(-((start - end) // DAY), 1), PACE_DAYS)
