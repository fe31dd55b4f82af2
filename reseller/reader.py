"""A second PostgreSQL that reports read from, where DATABASE_READ_URL names one: a replica, so that heavy figures cost calls nothing.

It never decides anything: balances, limits, keys, prices and sign-ins are read where they are written. Reports read it only while it
is well, which is looked at every LOOK_SECONDS at most and not by whoever waits for a page longer than a second: away, too far
behind, or with a role that row-level security does not hold, the first database answers as if there were no second, and staff are
alarmed. Whoever shows what was read here says how old it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from reseller import alarms
from reseller.clock import monotonic, now
from reseller.database import reading_from

LOOK_SECONDS = 5.0
MOST_BEHIND = timedelta(minutes=1)
WORTH_TELLING = timedelta(seconds=2)
OPTIONS = {
    "connect_timeout": 1,
    "options": "-c timezone=UTC -c default_transaction_read_only=on -c client_connection_check_interval=1s",
}

# What is no replica any more may be the first one of before a fail-over: it is behind nobody, and no process beats there, or ever did.
_LOOK = text(
    """SELECT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS is_above_walls,
              CASE WHEN pg_is_in_recovery() THEN extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
                   WHEN beat.seconds <= :most THEN 0 ELSE beat.seconds END AS behind
         FROM (SELECT extract(epoch FROM clock_timestamp() - max(beat_at)) AS seconds FROM processes) beat"""
)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old what a report reads is; None: not older than what is written."""

    as_of: datetime | None = None


TRUE_NOW = Freshness()


class Reader:
    """The second database of one process, or none."""

    def __init__(self, url: str) -> None:
        """Nothing is asked before the first report."""
        self._engine: Engine | None = None
        if url:
            self._engine = create_engine(
                url, pool_size=3, max_overflow=3, pool_timeout=1, pool_pre_ping=True, hide_parameters=True, connect_args=OPTIONS
            )
        self._looked_at = -LOOK_SECONDS
        self._behind: timedelta | None = None

    @contextmanager
    def reports(self) -> Iterator[Freshness]:
        """Transactions that begin inside read the second database if it is well, and may write nothing there."""
        behind = self._look()
        if self._engine is None or behind is None:
            yield TRUE_NOW
            return
        with reading_from(self._engine):
            yield Freshness(now() - behind) if behind >= WORTH_TELLING else TRUE_NOW

    def close(self) -> None:
        """Its connections are gone."""
        if self._engine is not None:
            self._engine.dispose()

    def _look(self) -> timedelta | None:
        """How far behind it is; None if it must not be read."""
        if self._engine is not None and monotonic() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = monotonic()  # first, so that others do not wait for the same look
            self._behind = self._seen(self._engine)
        return self._behind

    def _seen(self, engine: Engine) -> timedelta | None:
        try:
            with engine.connect() as connection:
                found = connection.execute(_LOOK, {"most": MOST_BEHIND.total_seconds()}).one()
        except SQLAlchemyError as error:
            alarms.sound("reader_unusable", words=f"it does not answer: {type(error).__name__}")
            return None
        if found.is_above_walls:
            alarms.sound("reader_unusable", words="its role is a superuser or exempt from row-level security")
            return None
        behind = None if found.behind is None else timedelta(seconds=max(float(found.behind), 0))
        if behind is None:
            alarms.sound(
                "reader_unusable", words="nobody knows how far it is behind: it has replayed nothing yet, or no process beats there"
            )
        elif behind > MOST_BEHIND:
            alarms.sound("reader_unusable", words=f"it is {behind.total_seconds():.0f} s behind")
        else:
            return behind
        return None
