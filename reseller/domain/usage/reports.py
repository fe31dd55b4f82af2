"""Sums of usage for charts, tables and the API: one query shape, three ways to group.

Runs for whoever the transaction acts for; the account is named in the query all the same.
Days are UTC. Test calls count as calls; they cost nothing.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text

from reseller.database import transaction
from reseller.domain.usage.tables import UsageLog
from reseller.money import format_nano

Grouping = Literal["day", "model", "key"]

_GROUPS: dict[str, str] = {
    "day": "to_char(u.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    "model": "u.model",
    "key": "coalesce(k.name || ' (' || k.key_prefix || '…)', u.api_key_id::text)",
}

_SUMS = """
SELECT {group} AS grouped, count(*) FILTER (WHERE u.status <> 'refused') AS calls,
       count(*) FILTER (WHERE u.status = 'refused') AS refused,
       count(*) FILTER (WHERE u.status IN ('failed', 'partial', 'voided')) AS errors,
       coalesce(sum(u.prompt_tokens), 0) AS prompt_tokens, coalesce(sum(u.completion_tokens), 0) AS completion_tokens,
       coalesce(sum(u.charge_nano), 0) AS charge_nano
  FROM usage_logs u LEFT JOIN api_keys k ON k.id = u.api_key_id
 WHERE u.account_id = :account_id AND u.created_at >= CAST(:start AS timestamp) AT TIME ZONE 'UTC'
   AND u.created_at < CAST(CAST(:end AS date) + 1 AS timestamp) AT TIME ZONE 'UTC'
 GROUP BY 1 ORDER BY 1
"""


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


def sums(account_id: UUID, start: date, end: date, grouping: Grouping) -> list[UsageSum]:
    """Usage of the account from `start` to `end`, both days whole and included."""
    with transaction() as session:
        query = text(_SUMS.format(group=_GROUPS[grouping]))
        rows = session.execute(query, {"account_id": account_id, "start": start, "end": end})
        return [UsageSum(*(row[0], *(int(value) for value in row[1:]))) for row in rows]


def call_of(account_id: UUID, call_id: UUID, created_at: Any) -> UsageLog | None:
    """One call of this account; None if it is nobody's or somebody else's (R23)."""
    with transaction() as session:
        row = session.get(UsageLog, (call_id, created_at))
        if row is None or row.account_id != account_id:
            return None
        session.expunge(row)
        return row
