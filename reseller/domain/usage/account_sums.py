"""One account's sums of usage, exact at this moment: a FROM clause for everything that customers are shown.

The rollup sums whole quarter-hours, a minute or more after the fact. Rows that were settled since may lie in any of them, so
quarter-hours with such a row are summed from the raw rows, whole, and all others are taken from the sums. Nothing is counted twice
and nothing is left out, whether the rollup has just run, is running, or has been down for a day.

Which quarter-hours those are is asked before the sums are: a rollup in between only takes more into the sums.
Test calls count as calls; they cost nothing.
"""

# ruff: noqa: S608 - put together from constants only

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from reseller.database import sort_in_memory
from reseller.domain.usage.histogram import BOUNDS_MS
from reseller.domain.usage.rollup import CLOCK_STEP, MARK
from reseller.domain.usage.rollup_statements import FACTS, TOTAL_BUCKET, quarter

SUMMED = ("calls", "refused", "errors", "prompt_tokens", "completion_tokens", "charge_nano")
"""What customers see of the sums: neither what upstreams bill nor what it cost us."""

ADDED_UP = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in SUMMED)
_COLUMNS = f"starts_at, api_key_id, model, {', '.join(SUMMED)}"

# The rows of a quarter-hour by the account's own index, however many months there are.
_RAW = """FROM unnest(CAST(:fresh AS timestamptz[])) AS quarters (starts_at)
          JOIN usage_logs ON account_id = :account_id AND created_at >= quarters.starts_at
               AND created_at < quarters.starts_at + interval '15 minutes'"""

# As the rollup itself looks: a clock that was set back must not hide a row.
_SINCE = text(
    "SELECT settled_until - CASE WHEN settled_until > now() THEN :step ELSE interval '0' END FROM rollup_marks WHERE name = :name"
)
_FRESH = text(
    f"""SELECT DISTINCT {quarter("created_at")} FROM usage_logs
         WHERE account_id = :account_id AND settled_at >= :since AND created_at >= :start AND created_at < :end"""
)
_EVERYTHING = text(
    f"SELECT DISTINCT {quarter('created_at')} FROM usage_logs WHERE account_id = :account_id AND created_at >= :start AND created_at < :end"
)


@dataclass(frozen=True)
class Slice:
    """Calls of one account that begin in [start, end), both bounds of quarter-hours. None: of every model, with every key."""

    account_id: UUID
    start: datetime
    end: datetime
    model: str | None = None
    api_key_id: UUID | None = None
    is_test: bool | None = None

    @cached_property
    def where(self) -> str:
        """The conditions beside account and time."""
        named = {"model": self.model, "api_key_id": self.api_key_id, "is_test": self.is_test}
        return " AND ".join(("true", *(f"{name} = :{name}" for name, value in named.items() if value is not None)))


class Reading:
    """A slice, read from one transaction."""

    def __init__(self, session: Session, wanted: Slice) -> None:
        # A plan for any instant would read all of the account's rows to find those of the last minute.
        session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
        sort_in_memory(session, 32)
        self._session = session
        self._where = wanted.where
        self._params: dict[str, Any] = {
            "account_id": wanted.account_id, "start": wanted.start, "end": wanted.end,
            "model": wanted.model, "api_key_id": wanted.api_key_id, "is_test": wanted.is_test,
        }  # fmt: skip
        self._params["fresh"] = self._fresh()

    def rows(self) -> str:
        """FROM clause: the sums by quarter-hour, key and model, under the name `quarters`."""
        raw = f"SELECT quarters.starts_at, api_key_id, model, {FACTS} {_RAW} WHERE {self._where} GROUP BY 1, 2, 3"
        return self._both(f"SELECT {_COLUMNS} FROM usage_hours", f"SELECT {_COLUMNS} FROM ({raw}) raw")

    def latencies(self) -> str:
        """FROM clause: completed calls by quarter-hour, key, model and bucket of the histogram, under the same name."""
        columns = "starts_at, api_key_id, model, bucket, calls"
        raw = f"SELECT quarters.starts_at, api_key_id, model, {TOTAL_BUCKET} AS bucket, 1 AS calls {_RAW} WHERE {self._where}"
        return self._both(f"SELECT {columns} FROM usage_latencies", f"SELECT {columns} FROM ({raw}) raw WHERE bucket IS NOT NULL")

    def fetch(self, query: str, **more: Any) -> Sequence[Any]:
        """The rows of a query over `rows` or `latencies`."""
        return self._session.execute(text(query), self._params | {"bounds": list(BOUNDS_MS)} | more).all()

    def _both(self, summed: str, raw: str) -> str:
        of_slice = f"account_id = :account_id AND starts_at >= :start AND starts_at < :end AND {self._where}"
        if not self._params["fresh"]:
            return f"({summed} WHERE {of_slice}) quarters"
        return f"({summed} WHERE {of_slice} AND starts_at <> ALL(CAST(:fresh AS timestamptz[])) UNION ALL {raw}) quarters"

    def _fresh(self) -> list[datetime]:
        """The quarter-hours of the account in which something was settled that the sums may not have."""
        since = self._session.scalar(_SINCE, {"name": MARK, "step": CLOCK_STEP})
        return list(self._session.scalars(_FRESH if since else _EVERYTHING, self._params | {"since": since}))
