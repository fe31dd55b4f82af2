"""The till's own database connection: prepared once, one message each way, reopened when it breaks.

BEGIN, the locks and all reads travel as one message, the write and COMMIT as another. The values of an EXECUTE
are literals, quoted by libpq. One connection a process, used by one greenlet at a time. It says openly that it acts for the
operator (row-level security), once per connection, so the paid call does not get dearer by it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import errors as pg
from sqlalchemy import make_url

from reseller.batching import Retry, TryLater
from reseller.clock import instant_of
from reseller.domain.calls.statements import COUNTED, PREPARED, write_of
from reseller.domain.calls.wire import Wire

Rows = list[tuple[Any, ...]]

SETTINGS = (
    "SET reseller.acting_for = 'operator'; SET TIME ZONE 'UTC'; SET statement_timeout = '10s'; SET lock_timeout = '150ms'; "
    "SET idle_in_transaction_session_timeout = '15s'; SET synchronous_commit = on; "
    "SET plan_cache_mode = force_generic_plan; "
    # Every row is found by its key. A plan made while a table was small must not scan it when it has grown.
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"
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


class Part(NamedTuple):
    """One part of a write: its rows as a JSON list, and how many it must touch."""

    name: str
    rows: bytes
    expected: int


class TillConnection:
    """Runs the statements of one commit. Any doubt about the result of a COMMIT raises Retry."""

    def __init__(self, database_url: str) -> None:
        url = make_url(database_url).set(drivername="postgresql")
        self._conninfo = url.render_as_string(hide_password=False)
        self._wire: Wire | None = None
        self._prepared: set[str] = set()  # the writes that this connection knows

    @contextmanager
    def transaction(self) -> Iterator["TillConnection"]:
        """BEGIN … COMMIT around the block; a broken connection or a full disk raises Retry, a lock or time-out TryLater.

        If we die here: PostgreSQL rolls back, or has committed; the operations' ids tell which when they are sent again.
        """
        try:
            yield self
        except psycopg.Error as error:
            if isinstance(error, TRANSIENT):
                self._roll_back()
                raise TryLater(type(error).__name__) from error
            if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError, *FULL)):
                self._discard()
                raise Retry(type(error).__name__) from error
            self._roll_back()
            raise
        except BaseException:
            # A greenlet killed or timed out between statements leaves an unknown protocol state: never reuse it.
            self._discard()
            raise

    def begin_and_read(self, reads: Sequence[tuple[str, list[UUID]]]) -> list[Rows]:
        """BEGIN and these reads in one message; the rows of each. Each read has one argument, a list of ids."""
        executes = [f"EXECUTE {name}('{{{','.join(map(str, ids))}}}')" for name, ids in reads]
        return self._open().run(";".join(["BEGIN", *executes]).encode())

    def read_ends(self, call_ids: list[UUID]) -> Rows:
        """Status and charge of calls that have ended, in the transaction that is open."""
        instants = ",".join(f'"{instant_of(call_id).isoformat()}"' for call_id in call_ids)
        ids = ",".join(map(str, call_ids))
        return self._open().run(f"EXECUTE till_ended('{{{ids}}}', '{{{instants}}}')".encode())[0]

    def write_and_commit(self, parts: Sequence[Part]) -> None:
        """The write and COMMIT in one message; if the write fails, COMMIT is never executed."""
        wire = self._open()
        name, prepare = write_of(tuple(part.name for part in parts))
        values = [wire.escape(part.rows) for part in parts] + [b"%d" % part.expected for part in parts if part.name in COUNTED]
        message = b"EXECUTE " + name.encode() + b"(" + b",".join(values) + b");COMMIT"
        if name not in self._prepared:
            self._prepared.add(name)  # a PREPARE stays although the statement behind it fails
            message = prepare.encode() + b";" + message
        wire.run(message)

    def end_read(self) -> None:
        """Nothing to write: give the locks back."""
        self._open().run(b"ROLLBACK")

    def close(self) -> None:
        self._discard()

    def _open(self) -> Wire:
        if self._wire is None:
            wire = Wire(self._conninfo, "reseller-till")
            try:
                wire.run(SETTINGS.encode())
                for name, (types, sql) in PREPARED.items():
                    wire.run(f"PREPARE {name}({types}) AS {sql}".encode())
            except BaseException:
                wire.close()
                raise
            self._wire, self._prepared = wire, set()
        return self._wire

    def _roll_back(self) -> None:
        try:
            if self._wire is not None:
                self._wire.run(b"ROLLBACK")
        except psycopg.Error:
            self._discard()

    def _discard(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
