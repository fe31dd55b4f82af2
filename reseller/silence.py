"""A database that falls silent without closing (a fail-over, a lost route, a host that hangs) is given up by us.

The server's own time limits do not reach a client that hears nothing, and TCP's do not end while the other
kernel still acknowledges. Who waits says how long: a request a few seconds in all, the clock longer for each answer,
commands for ever, since a migration may rightly take minutes.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout  # psycopg 3.3 raises it from `wait` and gives it no public name
from sqlalchemy import Engine, event
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import ConnectionPoolEntry

from reseller.clock import monotonic

T = TypeVar("T")

REQUEST_SECONDS = 2.5
"""R13: a new call is refused within 3 s."""

CLOCK_SECONDS = 12.0
"""For one answer; longer than the server's own time limit for a statement of the till, which is the better answer."""


@dataclass(slots=True)
class _Patience:
    each: float  # seconds for one answer
    left: float  # seconds for all that are still to come


_patience: ContextVar[_Patience | None] = ContextVar("patience", default=None)


def wait_in_all(seconds: float) -> None:
    """From now on this greenlet waits no longer than that for the database, all its answers together."""
    _patience.set(_Patience(inf, seconds))


def wait_for_each(seconds: float | None) -> None:
    """From now on this greenlet waits no longer for any one answer of the database; None: as long as it takes."""
    _patience.set(None if seconds is None else _Patience(seconds, inf))


class BoundedConnection(psycopg.Connection[Any]):
    """As any other; silence for longer than the patience closes it and raises OperationalError."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        patience = _patience.get()
        if patience is None or timeout is not None:
            return super().wait(gen, interval, timeout)
        started = monotonic()
        try:
            return super().wait(gen, interval, max(min(patience.each, patience.left), 0.001))
        except _WaitTimeout:
            self.close()
            raise silent() from None
        finally:
            patience.left -= monotonic() - started


def silent() -> psycopg.OperationalError:
    """What is raised instead of waiting on."""
    return psycopg.OperationalError("the server does not answer")


@event.listens_for(Engine, "do_connect")
def _connect(dialect: Dialect, entry: ConnectionPoolEntry, args: tuple[Any, ...], options: dict[str, Any]) -> BoundedConnection:  # noqa: ARG001
    patience = _patience.get()
    if patience is not None and patience.left <= 0:
        raise silent()
    return BoundedConnection.connect(*args, **options)
