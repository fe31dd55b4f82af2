"""Who asks for much at once stands in line by himself: a crowd of one culprit's requests never stands between others and their answers.

Those that wait hold a connection and nothing else (promise R31).
"""

from collections.abc import Hashable
from threading import BoundedSemaphore

from gevent import sleep

from reseller.errors import TooManyAtOnce

AT_ONCE = 3
LONGEST_SECONDS = 10.0
QUEUES = 256
"""Culprits whose names fall together wait for each other: a while longer, and never for long."""

A_LOOK_AROUND, A_BREATH = 0.000_1, 0.004
"""Seconds before a turn begins, one turn after the other: more where they queue. gevent runs whoever is ready, fifty of them before
it looks at sockets again; a timer lets it look before each turn, and a longer one lets others pass."""


class Turns:
    """At most so many of a culprit's requests are worked for at once."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._queues: dict[int, BoundedSemaphore] = {}  # each from when somebody stands in it
        self._start = BoundedSemaphore(1)

    def take(self, culprit: Hashable, what: str) -> BoundedSemaphore:
        """A turn of this culprit, as soon as there is one; whoever has it releases it.

        Raises TooManyAtOnce after LONGEST_SECONDS; `what` are too many of.
        """
        queue = self._queue_of(culprit)
        if not queue.acquire(timeout=LONGEST_SECONDS):
            message = f"Too many {what} at once. Wait for the answers to some of them."
            raise TooManyAtOnce(message, retry_after_seconds=5, what=what)
        self._look_around()
        return queue

    def _queue_of(self, culprit: Hashable) -> BoundedSemaphore:
        number = hash(culprit) % QUEUES
        return self._queues.get(number) or self._queues.setdefault(number, BoundedSemaphore(self._at_once))

    def _look_around(self) -> None:
        """Others have had the processor."""
        is_calm = self._start.acquire(blocking=False)
        if not is_calm:
            self._start.acquire()
        try:
            sleep(A_LOOK_AROUND if is_calm else A_BREATH)
        finally:
            self._start.release()
