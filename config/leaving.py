"""How a web worker's connections wait for requests, and how it leaves: nobody who was let in is turned away unheard.

What a listener has queued is reset when it is closed, and what a proxy sends over a kept connection is lost when that is
closed at the same moment. So a worker that has been told to leave first takes what is queued, and with a notice
(DRAIN_NOTICE_SECONDS) it also goes on taking connections that long, answers on each with `Connection: close`, and closes a
kept one only after that long without a request. One that is replaced takes them until its successors do.
"""

import mmap
import time
from typing import Any

import gevent

PIPELINE_SECONDS = 0.001
FIRST_HEAD_SECONDS = 20.0

SUCCESSOR_SECONDS = 60.0
DOOR_SECONDS = 1.0

_shared = mmap.mmap(-1, 9)  # between master and workers; this module outlives a reload of gunicorn's settings
_COUNT, _HAS_BEGUN = slice(0, 8), slice(8, 9)


def note_replacement() -> None:
    """Whoever is told to end from now on has successors at the same address, which have not begun yet."""
    _shared[_COUNT] = (replacements() + 1).to_bytes(8, "little")
    _shared[_HAS_BEGUN] = b"\0"


def replacements() -> int:
    """How often the workers of this master have been replaced."""
    return int.from_bytes(_shared[_COUNT], "little")


def note_begin() -> None:
    """A worker of the present generation takes connections."""
    _shared[_HAS_BEGUN] = b"\1"


def has_successor() -> bool:
    """Whether one of those that replace the others takes connections."""
    return _shared[_HAS_BEGUN] == b"\1"


def close_door(server: Any, log: Any) -> None:
    """The listener is closed, and every connection that it had queued is being served, as far as there were places for them.

    Where there is none, waiting for one would keep all others from their drain.
    """
    server.stop_accepting()
    until = time.monotonic() + DOOR_SECONDS
    try:
        while time.monotonic() < until and not server.full() and (accepted := server.do_read()):
            server.do_handle(*accepted)
    except OSError as error:
        log.warning("connections that are still queued are reset: %s", error)
    server.close()


class Address:
    """Where a listener listens; gunicorn asks it for that at the begin of each connection, when the listener may be closed."""

    def __init__(self, listener: Any) -> None:
        self._name = listener.getsockname()

    def getsockname(self) -> Any:
        """As of the socket."""
        return self._name


class Waiting:
    """While inside, the connection is among those that owe a request; the first one is due sooner than the next."""

    __slots__ = ("_client", "_keepalive_seconds", "_loop", "_round", "_waiting", "is_first", "since")

    def __init__(self, waiting: "dict[Any, Waiting]", client: Any, keepalive_seconds: float) -> None:
        self._waiting = waiting
        self._client = client
        self._keepalive_seconds = keepalive_seconds
        self._loop = gevent.get_hub().loop
        self._round = -1
        self.is_first = True
        self.since = 0.0

    def is_late(self, now: float, idle_seconds: float | None = None) -> bool:
        """Whether it has waited for too long; with `idle_seconds`, for that long after an answer."""
        if self.is_first:
            return now - self.since > FIRST_HEAD_SECONDS
        return now - self.since > (self._keepalive_seconds if idle_seconds is None else idle_seconds)

    def let_others_run(self) -> None:
        """A client whose requests were all there and needed no waiting would keep the processor to itself for as long as it sends."""
        if self._loop.iteration == self._round:
            gevent.sleep(PIPELINE_SECONDS)
        self._round = self._loop.iteration

    def __enter__(self) -> None:
        self.since = time.monotonic()
        self._waiting[self._client] = self

    def __exit__(self, *exc: object) -> None:
        self._waiting.pop(self._client, None)
        self.is_first = False
