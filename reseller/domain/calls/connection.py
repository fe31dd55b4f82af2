"""The till's own database connection: pipelined, prepared, reopened when it breaks.

One connection a process, used by one greenlet at a time. It says openly that it acts for the
operator (row-level security), once per connection, so the paid call does not get dearer by it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors as pg
from sqlalchemy import make_url

from reseller.batching import Retry, TryLater

Query = tuple[str, Any]
Rows = list[tuple[Any, ...]]

SETTINGS = (
    "SET reseller.acting_for = 'operator'; SET TIME ZONE 'UTC'; SET statement_timeout = '10s'; SET lock_timeout = '2s'; "
    "SET idle_in_transaction_session_timeout = '15s'; SET synchronous_commit = on"
)

TRANSIENT = (
    pg.LockNotAvailable,
    pg.QueryCanceled,
    pg.DeadlockDetected,
    pg.SerializationFailure,
)
"""Somebody else's lock or load: the operation itself may be fine, try it alone and later."""

FULL = (pg.DiskFull, pg.OutOfMemory, pg.TooManyConnections, pg.ReadOnlySqlTransaction, pg.IoError)
"""The database cannot write at all: the whole batch waits (R14)."""


class TillConnection:
    """Runs the statements of one commit. Any doubt about the result of a COMMIT raises Retry."""

    def __init__(self, database_url: str) -> None:
        url = make_url(database_url).set(drivername="postgresql")
        self._conninfo = url.render_as_string(hide_password=False)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    @contextmanager
    def transaction(self) -> Iterator["TillConnection"]:
        """BEGIN … COMMIT around the block; a broken connection or a full disk raises Retry, a lock or time-out TryLater.

        If we die here: PostgreSQL rolls back, or has committed; the operations' ids tell which when they are sent again.
        """
        try:
            yield self
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self._discard()
            if isinstance(error, TRANSIENT):
                raise TryLater(type(error).__name__) from error
            raise Retry(type(error).__name__) from error
        except psycopg.Error as error:
            self._discard() if isinstance(error, FULL) else self._roll_back()
            if isinstance(error, FULL):
                raise Retry(type(error).__name__) from error
            if isinstance(error, TRANSIENT):
                raise TryLater(type(error).__name__) from error
            raise
        except BaseException:
            # A greenlet killed or timed out between statements leaves an unknown protocol state: never reuse it.
            self._discard()
            raise

    def begin_and_read(self, queries: Sequence[Query]) -> list[Rows]:
        """BEGIN and these queries in one round trip; the rows of each."""
        connection = self._open()
        with connection.pipeline():
            connection.execute("BEGIN")
            cursors = [connection.execute(sql, params, prepare=True) for sql, params in queries]
            return [cursor.fetchall() for cursor in cursors]

    def write_and_commit(self, sql: str, params: dict[str, Any]) -> None:
        """The write and COMMIT in one round trip; if the write fails, COMMIT is never executed."""
        connection = self._open()
        with connection.pipeline():
            connection.execute(sql, params, prepare=True)
            connection.execute("COMMIT")

    def end_read(self) -> None:
        """Nothing to write: give the locks back."""
        self._open().execute("ROLLBACK")

    def close(self) -> None:
        self._discard()

    def _open(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._conninfo, autocommit=True, connect_timeout=3, application_name="reseller-till")
            self._connection.execute(SETTINGS)
        return self._connection

    def _roll_back(self) -> None:
        try:
            if self._connection is not None:
                self._connection.execute("ROLLBACK")
        except psycopg.Error:
            self._discard()

    def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
