"""Sums of usage for charts, tables and the API: one query shape, three ways to group.

Runs for whoever the transaction acts for; the account is named in the query all the same.
Days are days of a time zone. Test calls count as calls; they cost nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from reseller.database import transaction
from reseller.domain.keys import ApiKey
from reseller.domain.usage import points
from reseller.domain.usage.account_sums import ADDED_UP, Reading, Slice
from reseller.domain.usage.tables import UsageLog
from reseller.money import format_nano

Grouping = Literal["day", "model", "key"]
UTC_ZONE = ZoneInfo("UTC")

# A point of the calendar by its number, from 1.
POINT = "width_bucket(starts_at, CAST(:points AS timestamptz[]))"

_COLUMNS: dict[Grouping, str] = {"day": POINT, "model": "model", "key": "api_key_id"}


@dataclass(frozen=True, slots=True)
class UsageSum:
    """One group of calls."""

    grouped: str
    calls: int
    refused: int
    errors: int
    prompt_tokens: int
    completion_tokens: int
    charge_nano: int

    def as_json(self, grouping: Grouping) -> dict[str, Any]:
        return {
            grouping: self.grouped,
            "calls": self.calls,
            "refused": self.refused,
            "errors": self.errors,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "charge": format_nano(self.charge_nano),
        }


def sums(account_id: UUID, start: date, end: date, grouping: Grouping, zone: ZoneInfo = UTC_ZONE) -> list[UsageSum]:
    """Usage of the account from `start` to `end`, both days of the zone, whole and included. Exact at this moment."""
    calendar = points.days(start, end, zone)
    with transaction() as session:
        reading = Reading(session, Slice(account_id, calendar.starts[0], points.start_of(end + timedelta(days=1), zone)))
        query = f"SELECT {_COLUMNS[grouping]} AS grouped, {ADDED_UP} FROM {reading.rows()} GROUP BY 1 ORDER BY 1"  # noqa: S608 - constants
        rows = reading.fetch(query, points=list(calendar.starts))
        keys = labels_of_keys(account_id, {row.grouped for row in rows}) if grouping == "key" else {}

    def named(grouped: Any) -> str:
        return calendar.local[grouped - 1].date().isoformat() if grouping == "day" else keys.get(grouped, str(grouped))

    found = [UsageSum(named(row[0]), *(int(value) for value in row[1:])) for row in rows]
    return sorted(found, key=lambda sum_: sum_.grouped)


def labels_of_keys(account_id: UUID, key_ids: Iterable[UUID] | None = None) -> dict[UUID, str]:
    """What people recognise keys by: name and prefix. Of these keys as far as they are the account's, or of all it has; oldest first."""
    query = select(ApiKey.id, ApiKey.name, ApiKey.key_prefix).where(ApiKey.account_id == account_id)
    if key_ids is not None:
        query = query.where(ApiKey.id.in_(list(key_ids)))
    with transaction() as session:
        return {row.id: f"{row.name} ({row.key_prefix}…)" for row in session.execute(query.order_by(ApiKey.id))}


def call_of(account_id: UUID, call_id: UUID, created_at: Any) -> UsageLog | None:
    """One call of this account; None if it is nobody's or somebody else's (R23)."""
    with transaction() as session:
        row = session.get(UsageLog, (call_id, created_at))
        if row is None or row.account_id != account_id:
            return None
        session.expunge(row)
        return row
