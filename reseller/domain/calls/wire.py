"""One libpq connection of its own: a message of statements out, all their results back, in bounded time.

Not psycopg's cursors: a client library's care for one statement costs as much as the statement, and the till sends ten
with every message. Waiting is gevent's, on one watcher that lives as long as the connection. A server that has fallen
silent without closing (a fail-over, a lost route) is given up after CLOCK_SECONDS, since nobody else would notice.
"""

from typing import Any

import psycopg
from gevent import get_hub
from gevent.socket import wait
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import Escaping, ExecStatus
from psycopg.pq.abc import PGresult

from reseller.silence import CLOCK_SECONDS, silent

CONNECT_SECONDS = 3
_READ, _WRITE = 1, 2


class _Silent(Exception):
    """The server has not answered in time."""


class Wire:
    """Raises psycopg's errors as its cursors would; OperationalError when the connection is of no use any more."""

    def __init__(self, conninfo: str, application: str) -> None:
        """Connected. Raises psycopg.OperationalError."""
        self._connection = psycopg.connect(conninfo, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name=application)
        self._pg = self._connection.pgconn
        self._rows = Transformer(self._connection)
        self.escape = Escaping(self._pg).escape_literal
        loop = get_hub().loop
        self._readable = loop.io(self._pg.socket, _READ)
        self._writable = loop.io(self._pg.socket, _WRITE)

    def run(self, message: bytes) -> list[list[tuple[Any, ...]]]:
        """Every statement of the message has run; the rows of those that give any, in order.

        Raises the error of the first that failed; the server has skipped the rest then.
        """
        results = self._exchange(message)
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result, encoding="utf-8")
        return [self._rows_of(result) for result in results if result.status == ExecStatus.TUPLES_OK]

    def close(self) -> None:
        """Closed, in the middle of an answer too. Idempotent."""
        for watcher in (self._readable, self._writable):
            watcher.close()
        self._connection.close()

    def _exchange(self, message: bytes) -> list[PGresult]:
        pg = self._pg
        results: list[PGresult] = []
        pg.send_query(message)
        while pg.flush():
            self._await(self._writable)
        while True:
            while pg.is_busy():
                self._await(self._readable)
                pg.consume_input()
            result = pg.get_result()
            if result is None:
                return results
            results.append(result)

    def _await(self, watcher: Any) -> None:
        try:
            wait(watcher, CLOCK_SECONDS, _Silent())
        except _Silent:
            raise silent() from None

    def _rows_of(self, result: PGresult) -> list[tuple[Any, ...]]:
        self._rows.set_pgresult(result)
        return self._rows.load_rows(0, result.ntuples, tuple)
