"""The proof of promise R1 and R2: the books add up, or the account and row that do not are named.

Checked per account, from one snapshot of the database:
- balance + unposted usage = Σ entries, and the last `balance_after` says the same;
- unposted usage = Σ charges of the usage rows of its day, and every earlier day's entry equals its rows
  (for days whose rows retention has not dropped yet);
- held = Σ open holds, and their number; each key's held = Σ its part of open holds and that of keys that spend as it;
- the chain of entries has no gap and every hash follows from the one before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from reseller.clock import day_start
from reseller.database import transaction
from reseller.domain.ledger.posting import hash_of
from reseller.domain.ledger.tables import GENESIS
from reseller.money import format_nano


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that does not add up: in which account, in which row, and in words."""

    account_id: UUID
    row: str
    problem: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    accounts: int
    entries: int
    open_holds: int
    mismatches: tuple[Mismatch, ...]


_BALANCES = """
SELECT b.account_id, b.settled_nano, b.held_nano, b.open_calls, b.unposted_nano, b.entries_nano, b.entry_count, b.last_hash,
       coalesce(h.amount, 0) AS holds_nano, coalesce(h.n, 0) AS holds,
       coalesce(e.amount, 0) AS entries_sum, coalesce(e.n, 0) AS entries_n
  FROM balances b
  LEFT JOIN (SELECT account_id, sum(amount_nano) AS amount, count(*) AS n FROM holds GROUP BY 1) h USING (account_id)
  LEFT JOIN (SELECT account_id, sum(amount_nano) AS amount, count(*) AS n FROM ledger_entries GROUP BY 1) e USING (account_id)
 ORDER BY b.account_id
"""

# Rows and entries of each account and day; days older than the oldest row kept have only their entry. Of months that were dropped, or
# are being dropped, the charges that were posted later are remembered without their rows.
_DAYS = """
WITH booked AS (
    SELECT account_id, day, sum(charged) AS charged
      FROM (SELECT account_id, posted_on AS day, sum(charge_nano) AS charged FROM usage_logs
             WHERE posted_on IS NOT NULL AND charge_nano > 0 AND created_at >= :rows_since AND created_at < :rows_until GROUP BY 1, 2
            UNION ALL
            SELECT account_id, day, charge_nano FROM carried_charges) kept GROUP BY 1, 2
), posted AS (
    SELECT account_id, split_part(reference, ':', 2)::date AS day, -amount_nano AS charged FROM ledger_entries WHERE kind = 'usage'
    UNION ALL
    SELECT account_id, usage_day, unposted_nano FROM balances WHERE unposted_nano > 0
)
SELECT coalesce(b.account_id, p.account_id) AS account_id, coalesce(b.day, p.day) AS day,
       coalesce(b.charged, 0) AS rows_nano, coalesce(p.charged, 0) AS posted_nano
  FROM booked b FULL JOIN (SELECT account_id, day, sum(charged) AS charged FROM posted GROUP BY 1, 2) p USING (account_id, day)
 WHERE coalesce(b.charged, 0) <> coalesce(p.charged, 0)
   AND coalesce(b.day, p.day) >= :kept_since AND coalesce(b.day, p.day) < :until
 ORDER BY 1, 2
"""

# Where rows went without a mark (a table that somebody dropped by hand), the first two days that are left may lack calls that ran past
# midnight, and are not compared.
_KEPT_SINCE = """
SELECT m.day IS NOT NULL AS is_marked,
       coalesce(m.day, CASE WHEN EXISTS (SELECT 1 FROM ledger_entries WHERE kind = 'usage' AND split_part(reference, ':', 2)::date < k.day)
                            THEN k.day + 2 ELSE k.day END) AS day
  FROM (SELECT coalesce(min(posted_on), current_date) AS day FROM usage_logs) k,
       (SELECT CAST(max(month) + interval '1 month' AS date) AS day FROM dropped_months) m
"""
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(9999, 1, 1)

_KEYS = """
SELECT k.account_id, k.id, k.held_nano, coalesce(h.held, 0) AS holds_nano
  FROM api_keys k
  LEFT JOIN (SELECT coalesce(own.spends_as_id, own.id) AS purse_id, sum(key_nano) AS held
               FROM holds JOIN api_keys own ON own.id = api_key_id GROUP BY 1) h ON h.purse_id = k.id
 WHERE k.held_nano <> coalesce(h.held, 0)
"""

_ORPHANS = """
SELECT h.account_id, h.id FROM holds h LEFT JOIN balances b USING (account_id) WHERE b.account_id IS NULL
"""

_ENTRIES = "SELECT * FROM ledger_entries ORDER BY account_id, sequence"


def verify() -> AuditReport:
    """Every account's books from one snapshot. Nothing is changed."""
    with transaction() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        balances = list(session.execute(text(_BALANCES)).mappings())
        found: list[Mismatch] = []
        for row in balances:
            found.extend(_balance_problems(dict(row)))
        found.extend(_day_problems(session))
        found.extend(_key_problems(session))
        found.extend(_chain_problems(session, {row["account_id"]: row["last_hash"] for row in balances}))
        return AuditReport(
            accounts=len(balances),
            entries=sum(row["entries_n"] for row in balances),
            open_holds=sum(row["holds"] for row in balances),
            mismatches=tuple(found),
        )


def unproved_days(first: date, until: date) -> list[Mismatch]:
    """Days from `first` to before `until` whose entries are not the charges of their rows, as far as rows are kept."""
    with transaction() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        return list(_day_problems(session, first=first, until=until))


def _balance_problems(row: dict[str, Any]) -> Iterator[Mismatch]:
    account_id = row["account_id"]
    where = f"balances {account_id}"
    if row["settled_nano"] + row["unposted_nano"] != row["entries_sum"]:
        expected = format_nano(int(row["entries_sum"]) - row["unposted_nano"])
        yield Mismatch(account_id, where, f"balance is {format_nano(row['settled_nano'])}, entries less unposted usage make {expected}")
    if row["entries_nano"] != row["entries_sum"] or row["entry_count"] != row["entries_n"]:
        yield Mismatch(account_id, where, f"{row['entry_count']} entries are counted, {row['entries_n']} exist, or their sum differs")
    if row["held_nano"] != row["holds_nano"]:
        held, holds = format_nano(row["held_nano"]), format_nano(int(row["holds_nano"]))
        yield Mismatch(account_id, where, f"held is {held}, open holds make {holds}")
    if row["open_calls"] != row["holds"]:
        yield Mismatch(account_id, where, f"{row['open_calls']} calls are counted as open, {row['holds']} holds are")


def _day_problems(session: Session, *, first: date = FIRST_DAY, until: date = LAST_DAY) -> Iterator[Mismatch]:
    is_marked, kept_since = session.execute(text(_KEPT_SINCE)).one()
    span = {
        "kept_since": max(kept_since, first),
        "until": until,
        "rows_since": day_start(kept_since if is_marked else FIRST_DAY),
        "rows_until": day_start(until),
    }
    for row in session.execute(text(_DAYS), span).mappings():
        rows, posted = format_nano(int(row["rows_nano"])), format_nano(int(row["posted_nano"]))
        yield Mismatch(row["account_id"], f"usage of {row['day']}", f"usage rows make {rows}, the books hold {posted}")


def _key_problems(session: Session) -> Iterator[Mismatch]:
    for row in session.execute(text(_KEYS)).mappings():
        held, holds = format_nano(row["held_nano"]), format_nano(int(row["holds_nano"]))
        yield Mismatch(row["account_id"], f"api_keys {row['id']}", f"key holds {held}, its open holds make {holds}")
    for row in session.execute(text(_ORPHANS)).mappings():
        yield Mismatch(row["account_id"], f"holds {row['id']}", "a hold of an account that does not exist")


def _chain_problems(session: Session, ends: dict[UUID, str]) -> Iterator[Mismatch]:
    """Walk every chain once; the first broken link of an account is named, and a chain cut short shows at its end."""
    account_id: UUID | None = None
    broken: set[UUID] = set()
    last: dict[UUID, str] = {}
    sequence, previous, running = 0, GENESIS, 0
    for row in session.execute(text(_ENTRIES)).mappings().yield_per(1000):
        if row["account_id"] != account_id:
            account_id, sequence, previous, running = row["account_id"], 0, GENESIS, 0
        sequence += 1
        running += row["amount_nano"]
        if account_id not in broken and not _follows(dict(row), sequence, previous, running):
            broken.add(account_id)
            yield Mismatch(account_id, f"ledger_entries {row['id']}", f"entry {row['sequence']} was changed, or one before it is missing")
        previous = last[account_id] = row["entry_hash"]
    for owner, end in ends.items():
        if owner not in broken and last.get(owner, GENESIS) != end:
            yield Mismatch(owner, f"balances {owner}", "the last entry is not the one the balance remembers")


def _follows(row: dict[str, Any], sequence: int, previous: str, running: int) -> bool:
    return bool(
        row["sequence"] == sequence
        and row["previous_hash"] == previous
        and row["balance_after_nano"] == running
        and row["entry_hash"] == hash_of(row)
    )
