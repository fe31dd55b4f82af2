"""Months of `usage_logs`: made ahead of time, checked, never by a DEFAULT partition.

A row without its month cannot be inserted, so months are made well ahead; a DEFAULT partition
would have to be scanned and locked each time a month is added.
"""

from datetime import date

from sqlalchemy import text

from reseller.clock import month_start, next_month, now
from reseller.database import transaction

MONTHS_AHEAD = 3
OPERATORS = "(SELECT current_setting('reseller.acting_for', true)) = 'operator'"


def partition_of(month: date) -> str:
    return f"usage_logs_{month:%Y_%m}"


def month_of(partition: str) -> date:
    """The first day of a partition's month."""
    return date.fromisoformat(partition.removeprefix("usage_logs_").replace("_", "-") + "-01")


def existing() -> set[str]:
    """The names of the months that exist."""
    query = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'usage_logs'::regclass"
    with transaction() as session:
        return set(session.scalars(text(query)))


def kept_since() -> date | None:
    """The first day of the oldest month that there is; None if there is none."""
    return min(map(month_of, existing()), default=None)


def make_ahead(today: date | None = None, *, months: int = MONTHS_AHEAD) -> list[str]:
    """This month and the next `months` exist; returns the names of those made now.

    Each is made apart and then attached, so that running calls wait for no lock; direct access to it
    is open to the operator alone (a dump reads month by month).
    """
    month = month_start(today or now().date())
    there = existing()
    made = []
    for _ in range(months + 1):
        if partition_of(month) not in there:
            _make(month)
            made.append(partition_of(month))
        month = next_month(month)
    return made


def make_past(first: date) -> list[str]:
    """Every month from `first` to now exists: for demo data and restores."""
    month, made = month_start(first), []
    there = existing()
    while month <= now().date():
        if partition_of(month) not in there:
            _make(month)
            made.append(partition_of(month))
        month = next_month(month)
    return made


def missing_ahead(today: date | None = None) -> list[str]:
    """Months of the near future that do not exist; anything here is an alarm."""
    month = month_start(today or now().date())
    there = existing()
    wanted = [month, next_month(month)]
    return [partition_of(m) for m in wanted if partition_of(m) not in there]


def _make(month: date) -> None:
    name = partition_of(month)
    with transaction() as session:
        session.execute(text("SET LOCAL lock_timeout = '3s'"))
        session.execute(text(f"CREATE TABLE {name} (LIKE usage_logs INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)"))
        session.execute(text(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"))
        session.execute(text(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY"))
        session.execute(text(f"CREATE POLICY operator_rows ON {name} USING ({OPERATORS}) WITH CHECK ({OPERATORS})"))
        span = f"FROM ('{month} 00:00:00+00') TO ('{next_month(month)} 00:00:00+00')"
        session.execute(text(f"ALTER TABLE usage_logs ATTACH PARTITION {name} FOR VALUES {span}"))
