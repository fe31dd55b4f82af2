"""A replayed history goes into the tables, many rows a statement.

The one place beside the ledger's own verbs and the till that writes entries and balances: it fills accounts
that have neither entries nor calls, and refuses any other.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from reseller.clock import instant_of
from reseller.domain.demo.buying import paid_rows
from reseller.domain.demo.replay import History
from reseller.domain.keys import SpendPeriod, period_start
from reseller.domain.usage import CallStatus
from reseller.errors import Conflict

ROWS_A_STATEMENT = 2_000

_TABLES = ("ledger_entries", "usage_logs", "payments", "payment_refunds", "payment_disputes", "payment_moves")
_INSERTS = {
    table: text(f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, CAST(:rows AS json))")  # noqa: S608
    for table in _TABLES
}
_BALANCE = text(
    """UPDATE balances
          SET settled_nano = :settled, usage_day = :usage_day, unposted_nano = :unposted, entry_count = :entry_count,
              entries_nano = :entries_nano, last_hash = :last_hash, updated_at = now()
        WHERE account_id = :account_id AND entry_count = 0 AND unposted_nano = 0 AND open_calls = 0"""
)
_KEY = text(
    """UPDATE api_keys SET calls = :calls, total_nano = :total, spent_nano = :spent, period_start = :period_start,
                           last_used_at = :last_used_at
        WHERE id = :id"""
)


def write(session: Session, history: History, *, user_id: UUID) -> None:
    """Usage rows, entries, payments by this person, balance and key counters are in the caller's transaction. Raises Conflict if any."""
    state = history.state
    balance = {
        "account_id": state.account_id,
        "settled": state.settled,
        "usage_day": state.usage_day,
        "unposted": state.unposted,
        "entry_count": state.entry_count,
        "entries_nano": state.entries_nano,
        "last_hash": state.last_hash,
    }
    if session.execute(_BALANCE, balance).rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(f"account {state.account_id} has a history of its own")
    for table, rows in (("ledger_entries", history.entries), ("usage_logs", history.rows), *paid_rows(history, user_id).items()):
        for part in _parts(rows):
            session.execute(_INSERTS[table], {"rows": orjson.dumps(part, default=str).decode()})


def count_keys(session: Session, history: History, *, periods: dict[UUID, str]) -> None:
    """The account's keys know what was called with them. `periods` are the spans of their spend limits by key."""
    for key_id, period in periods.items():
        rows = [row for row in history.rows if row["api_key_id"] == key_id and row["status"] != CallStatus.REFUSED]
        if rows:
            session.execute(_KEY, {"id": key_id, **_counted(rows, start=period_start(period, history.state.now.date()), period=period)})


def _counted(rows: Sequence[dict[str, Any]], *, start: date, period: str) -> dict[str, Any]:
    last_used: datetime = max(instant_of(row["id"]) for row in rows)
    since = date.min if period == SpendPeriod.LIFETIME else start
    return {
        "calls": len(rows),
        "total": sum(row["charge_nano"] for row in rows),
        "spent": sum(row["charge_nano"] for row in rows if row["settled_at"].date() >= since),
        "period_start": start,
        "last_used_at": last_used,
    }


def _parts(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        yield rows[start : start + ROWS_A_STATEMENT]
