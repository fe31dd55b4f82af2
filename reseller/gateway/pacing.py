"""Refusals leave at a pace: whoever is refused all the time waits for it, and leaves the processor to others (promise R31).

An answer of a few hundred microseconds is dear when thousands a second are asked for. Nobody who is refused now and then notices.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator

from flask import Response
from gevent import sleep

from reseller.clock import monotonic

PER_SECOND = 50.0
AT_ONCE = 100
LONGEST_SECONDS = 5.0
MAX_HELD_BACK = 500
MAX_REMEMBERED = 10_000
_ROUNDING = 0.000001  # whoever waits as long as they were told is not sent away again


class Pace:
    """For each culprit, an account or an address: so many refusals at once, then so many a second."""

    def __init__(self, *, per_second: float = PER_SECOND, at_once: int = AT_ONCE) -> None:
        self._gap = 1 / per_second
        self._credit = at_once / per_second
        self._due: OrderedDict[Hashable, float] = OrderedDict()
        self.held_back = 0

    def seconds_until(self, culprit: Hashable) -> float:
        """How long the culprit's next refusal is to wait. Nobody waits where many wait already: they hold connections."""
        now = monotonic()
        due = max(self._due.pop(culprit, 0.0), now - self._credit) + self._gap
        self._due[culprit] = min(due, now + LONGEST_SECONDS)
        if len(self._due) > MAX_REMEMBERED:
            self._due.popitem(last=False)
        return 0.0 if self.held_back >= MAX_HELD_BACK else min(max(due - now, 0.0), LONGEST_SECONDS)

    def wait_for_turn(self, culprit: Hashable) -> None:
        """Returns when the culprit's answer may leave. For callers that hold nothing others need."""
        seconds = self.seconds_until(culprit)
        if seconds > 0:
            self.hold_back(seconds)

    def hold_back(self, seconds: float) -> None:
        """One answer more waits that long."""
        self.held_back += 1
        try:
            sleep(seconds)
        finally:
            self.held_back -= 1


class Allotment:
    """For each culprit: so many at once, then so many a second. Whoever asks for more hears how long to wait, and that wait is true."""

    def __init__(self, *, per_second: float, at_once: int) -> None:
        self._gap = 1 / per_second
        self._credit = at_once / per_second
        self._due: OrderedDict[Hashable, float] = OrderedDict()

    def seconds_until_next(self, culprit: Hashable) -> float:
        """0 if the culprit has one now, which is then taken; else the wait until there is one. A refusal costs nothing."""
        now = monotonic()
        due = max(self._due.pop(culprit, 0.0), now - self._credit) + self._gap
        is_taken = due <= now + _ROUNDING
        self._due[culprit] = due if is_taken else due - self._gap
        if len(self._due) > MAX_REMEMBERED:
            self._due.popitem(last=False)
        return 0.0 if is_taken else due - now


class _HeldBack:
    """An answer that leaves later: not before the request has let go of all that it had."""

    def __init__(self, pace: Pace, seconds: float, answer: bytes) -> None:
        self._pace = pace
        self._seconds = seconds
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        self._pace.hold_back(self._seconds)
        yield self._answer


REFUSALS = Pace()
READS = Pace(per_second=200, at_once=500)
"""Of what costs nobody money: preflights, lists, balances. No page and no program that works needs more."""


def at_a_pace(response: Response, culprit: Hashable, pace: Pace = REFUSALS) -> Response:
    """The same answer, later if the culprit asks all the time for what is refused, or free."""
    seconds = pace.seconds_until(culprit)
    if seconds > 0:
        answer = response.get_data()
        response.response = _HeldBack(pace, seconds, answer)
        response.headers["Content-Length"] = str(len(answer))
    return response
