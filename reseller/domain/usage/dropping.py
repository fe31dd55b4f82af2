"""Old months of `usage_logs` go, whole, without a running call waiting for it (R36). Whether one may go is `retention`'s question.

First the month is marked, in one transaction with what has to outlive it; from then on nothing computes its sums anew. Then it is
detached concurrently: calls go on reading and writing the other months meanwhile, and no lock is queued before them. What is left
is a table of its own, and dropping that is no call's business. If we die in between: the mark says that it was begun, and the next
run goes on where this one ended.
"""

# ruff: noqa: S608 - names of months only

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import OperationalError

from reseller.clock import day_start, month_start, next_month, now
from reseller.database import db, transaction
from reseller.domain.usage import partitions
from reseller.domain.usage.rollup import LOCK
from reseller.domain.usage.tables import DroppedMonth

LOCK_TIMEOUT = "2s"
ATTEMPTS = 5
DROP_LOCK = 0x64726F70  # "drop": one worker at a time

_PENDING = text("""SELECT inhdetachpending FROM pg_inherits WHERE inhparent = 'usage_logs'::regclass AND inhrelid = to_regclass(:name)""")


class Busy(RuntimeError):
    """Somebody else has held what is needed for too long. The next run tries again."""


def begin(month: date, kept_months: int) -> None:
    """From now on the month's sums are final, and its charges that are posted later than its last day are remembered without its rows."""
    with transaction() as session:
        session.execute(select(func.pg_advisory_xact_lock(LOCK)))
        if session.get(DroppedMonth, month) is not None:
            return
        session.add(DroppedMonth(month=month, kept_months=kept_months))
        session.flush()
        # A charge is posted on the day it is settled, or on a later one if the clock had been ahead until then; rows lie in the order in
        # which they were settled, so few of them are read.
        session.execute(
            text(
                """INSERT INTO carried_charges (account_id, day, month, charge_nano)
                    SELECT account_id, posted_on, :month, sum(charge_nano) FROM usage_logs
                     WHERE created_at >= :start AND created_at < :end AND settled_at >= :last_day AND posted_on >= :after
                       AND charge_nano > 0 GROUP BY 1, 2"""
            ),
            {
                "month": month,
                "start": day_start(month),
                "end": day_start(next_month(month)),
                "last_day": day_start(next_month(month)) - timedelta(days=1),
                "after": next_month(month),
            },
        )


def finish(month: date) -> None:
    """The month is gone. Raises Busy if somebody reads it for longer than we wait; then nothing is lost and nobody waits for us."""
    name = partitions.partition_of(month)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with _alone() as connection:
                _detach(connection, name)
                with transaction() as session:
                    session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
                    session.execute(text(f"DROP TABLE IF EXISTS {name}"))
                    session.get_one(DroppedMonth, month).dropped_at = now()
            return
        except OperationalError as error:
            if attempt == ATTEMPTS:
                raise Busy(f"{name}: somebody else has held it for too long") from error


def begun() -> list[date]:
    """Months whose drop was begun and not finished, oldest first."""
    with transaction() as session:
        return list(session.scalars(select(DroppedMonth.month).where(DroppedMonth.dropped_at.is_(None)).order_by(DroppedMonth.month)))


def gone_words(at: datetime) -> str | None:
    """What to tell whoever asks for a call of that instant whose month is not kept any more; None if it is kept."""
    with transaction() as session:
        row = session.get(DroppedMonth, month_start(at.date()))
        kept = None if row is None else row.kept_months
    if kept is None:
        return None
    months = "month" if kept == 1 else f"{kept} months"
    words = f"Details of calls are kept for the running and the last {months}; those of {at:%B %Y} are gone."
    return f"{words} What was charged stays in the statement."


def kept_since() -> date | None:
    """The first day whose calls are kept, if older ones were dropped; None if none ever was."""
    with transaction() as session:
        last = session.scalar(select(func.max(DroppedMonth.month)))
        return None if last is None else next_month(last)


@contextmanager
def _alone() -> Iterator[Connection]:
    """A connection outside any transaction, as PostgreSQL wants it for this; no other worker drops meanwhile."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        try:
            connection.execute(select(func.pg_advisory_lock(DROP_LOCK)))
            try:
                yield connection
            finally:
                connection.execute(select(func.pg_advisory_unlock(DROP_LOCK)))
        finally:
            connection.execute(text("RESET lock_timeout"))


def _detach(connection: Connection, name: str) -> None:
    """The month is a table of its own; what was begun before is finished."""
    pending = connection.scalar(_PENDING, {"name": name})
    if pending is not None:
        connection.execute(text(f"ALTER TABLE usage_logs DETACH PARTITION {name} {'FINALIZE' if pending else 'CONCURRENTLY'}"))
