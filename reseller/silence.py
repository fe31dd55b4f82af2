"""A database that falls silent without closing (a fail-over, a lost route, a host that hangs) is given up by us.

The server's own time limits do not reach a client that hears nothing, and TCP's do not end while the other
kernel still acknowledges. Who waits says how long: requests a few seconds, the clock longer, commands for ever,
since a migration may rightly take minutes.
"""

from contextvars import ContextVar
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from sqlalchemy import Engine, event
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import ConnectionPoolEntry

T = TypeVar("T")

REQUEST_SECONDS = 2.5
"""R13: a new call is refused within 3 s."""

CLOCK_SECONDS = 12.0

_patience: ContextVar[float | None] = ContextVar("patience", default=None)


def give_up_after(seconds: float | None) -> None:
    """From now on this greenlet waits no longer for any one answer of the database; None: as long as it takes."""
    _patience.set(seconds)


class BoundedConnection(psycopg.Connection[Any]):
    """As any other; silence for longer than the patience closes it and raises OperationalError."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, _patience.get() if timeout is None else timeout)
        except _WaitTimeout:
            self.close()
            raise psycopg.OperationalError("the server does not answer") from None


@event.listens_for(Engine, "do_connect")
def _connect(dialect: Dialect, entry: ConnectionPoolEntry, args: tuple[Any, ...], options: dict[str, Any]) -> BoundedConnection:  # noqa: ARG001
    return BoundedConnection.connect(*args, **options)
