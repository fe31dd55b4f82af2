"""Large request bodies take room and turns, so that nobody waits for somebody else's (promises R29, R31).

Room: their bytes in this process are bounded, for each account and for all. A body is read only once there is
room for it; until then it stays with its sender. Turns: whoever scans or parses holds the interpreter, so large
bodies are worked on one step at a time, accounts in rotation, and after each step everybody else has the
processor for twice as long as it took. Ordinary bodies never come here.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import UUID

from gevent import sleep
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from reseller.clock import monotonic
from reseller.errors import TooManyAtOnce
from reseller.gateway.watching import has_hung_up

LARGE_BYTES = 65_536
ROOM_BYTES = 128 * 1024 * 1024
ACCOUNT_ROOM_BYTES = 32 * 1024 * 1024
ROOM_SECONDS = 5.0
LOOK_SECONDS = 0.25
MAX_WAITING = 256  # of one account
REST = 2.0
MAX_REST_SECONDS = 0.5


class Turns:
    """Heavy work of one process, one step at a time; everybody else has the processor for longer than it has."""

    def __init__(self) -> None:
        self._is_taken = BoundedSemaphore(1)
        self._rested_at = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The block is one step, and must not wait for anything."""
        with self._is_taken:
            sleep(max(self._rested_at - monotonic(), 0))
            started = monotonic()
            try:
                yield
            finally:
                ended = monotonic()
                self._rested_at = ended + min(REST * (ended - started), MAX_REST_SECONDS)


heavy_work = Turns()


class _Share:
    """What one account has of this process."""

    __slots__ = ("line", "size", "turn", "visits", "waiting")

    def __init__(self) -> None:
        self.size = 0
        self.visits = 0  # waiting or inside
        self.waiting = 0
        self.line = BoundedSemaphore(1)  # whoever is first in line waits for room
        self.turn = BoundedSemaphore(1)  # one of an account at a time stands in the line of all


class LargeBodies:
    """The large bodies of one process."""

    def __init__(
        self, *, room_bytes: int = ROOM_BYTES, account_room_bytes: int = ACCOUNT_ROOM_BYTES, room_seconds: float = ROOM_SECONDS
    ) -> None:
        self._room_bytes = room_bytes
        self._account_room_bytes = account_room_bytes
        self._room_seconds = room_seconds
        self._shares: dict[UUID, _Share] = {}
        self._size = 0
        self._someone_left = Event()
        self._turns = heavy_work

    @property
    def size(self) -> int:
        """Bytes that have room now."""
        return self._size

    def enter(self, account_id: UUID, size: int, environ: dict[str, Any]) -> "LargeBody":
        """Room for a body of that many bytes, waited for if need be. Whoever enters must `leave`.

        Raises TooManyAtOnce if there is none for too long, or if its sender is gone meanwhile.
        """
        share = self._shares.setdefault(account_id, _Share())
        if share.waiting >= MAX_WAITING:
            raise _no_room()
        body = LargeBody(self, account_id, share)
        share.visits += 1
        share.waiting += 1
        try:
            self._wait_for_room(share, size, environ)
        except BaseException:
            body.leave()
            raise
        finally:
            share.waiting -= 1
        body.resize(size)
        return body

    def _wait_for_room(self, share: _Share, size: int, environ: dict[str, Any]) -> None:
        """First in the account's line, then first to find room."""
        until = monotonic() + self._room_seconds
        while not share.line.acquire(timeout=LOOK_SECONDS):
            _keep_waiting(until, environ)
        try:
            while not self._has_room(share, size):
                self._someone_left.wait(LOOK_SECONDS)
                _keep_waiting(until, environ)
        finally:
            share.line.release()

    def _has_room(self, share: _Share, size: int) -> bool:
        """A body that is larger than all the room may be there alone."""
        fits_account = not share.size or share.size + size <= self._account_room_bytes
        return fits_account and (not self._size or self._size + size <= self._room_bytes)

    def took(self, share: _Share, more: int) -> None:
        """The room taken has grown or, below zero, shrunk: whoever waits looks again."""
        share.size += more
        self._size += more
        if more < 0:
            someone_left, self._someone_left = self._someone_left, Event()
            someone_left.set()

    def left(self, account_id: UUID, share: _Share) -> None:
        share.visits -= 1
        if not share.visits:
            del self._shares[account_id]

    @contextmanager
    def in_turn(self, share: _Share) -> Iterator[None]:
        """One step of work on a body of that account."""
        with share.turn, self._turns.turn():
            yield


class LargeBody:
    """One body that has room."""

    def __init__(self, house: LargeBodies, account_id: UUID, share: _Share) -> None:
        self._house = house
        self._account_id = account_id
        self._share: _Share = share
        self._size = 0
        self._is_inside = True

    def resize(self, size: int) -> None:
        """It turned out to have that many bytes."""
        self._house.took(self._share, size - self._size)
        self._size = size

    def in_turn(self) -> AbstractContextManager[None]:
        """The block is one step of work on this body; it must not wait for anything."""
        return self._house.in_turn(self._share)

    def leave(self) -> None:
        """Its room is somebody else's. Idempotent."""
        if self._is_inside:
            self._is_inside = False
            self.resize(0)
            self._house.left(self._account_id, self._share)


def _keep_waiting(until: float, environ: dict[str, Any]) -> None:
    client = environ.get("gunicorn.socket")
    if monotonic() > until or (client is not None and has_hung_up(client)):
        raise _no_room()


def _no_room() -> TooManyAtOnce:
    message = "Too many large requests at once. Wait for the answers to some of them."
    return TooManyAtOnce(message, retry_after_seconds=1.0, what="large requests")
