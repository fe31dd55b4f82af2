"""Bodies that come too slowly are not waited for (promise R29).

One look every now and then at all that are being read, instead of a timer for each: nearly every body has arrived already.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from gevent import get_hub, getcurrent

from reseller.clock import monotonic

LOOK_SECONDS = 0.25
ENDED_AT_ONCE = 25
MAX_READ = 1000
"""Bodies of one kind waited for in one process, which has 4,000 places: a crowd of senders must leave room for everybody else."""
ENDED_IN_A_CROWD = 100


T = TypeVar("T")


class SentTooSlowly(Exception):
    """Thrown into a greenlet that reads a body whose sender is overdue."""


class SlowSenders:
    """Ends the reading of overdue bodies, and of those that are due first when it is more than `most`.

    A body that has arrived costs two writes into a dict, no timer.
    """

    def __init__(self, most: int = MAX_READ) -> None:
        self._most = most
        self._due: dict[Any, float] = {}
        self._timer: Any = None

    def read(self, due: float, source: Callable[..., T], *arguments: Any) -> T:
        """`source(*arguments)`, which waits for the sender and for nothing else. Raises SentTooSlowly if it is not there when it is due."""
        reader = getcurrent()
        self._due[reader] = due
        if self._timer is None:
            self._timer = get_hub().loop.timer(LOOK_SECONDS, repeat=LOOK_SECONDS, ref=False)
            self._timer.start(self._look)
        try:
            return source(*arguments)
        finally:
            self._due.pop(reader, None)

    def _look(self) -> None:
        """Runs in the hub, so that whoever is found here does nothing but wait for bytes. A crowd is not answered all at once."""
        now = monotonic()
        surplus = len(self._due) - self._most
        if surplus > 0:  # those that are due first make room
            overdue = sorted(self._due, key=self._due.__getitem__)[: min(surplus, ENDED_IN_A_CROWD)]
        else:
            overdue = [reader for reader, due in self._due.items() if now > due][:ENDED_AT_ONCE]
        for reader in overdue:
            if self._due.pop(reader, None) is not None:
                reader.throw(SentTooSlowly())
