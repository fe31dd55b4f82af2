"""Sliding windows that say what an account has asked for.

A window of width W is kept as 61 sub-buckets of W/60. The oldest one counts whole although
part of it is already outside, so no window of width W, wherever it starts, ever holds more
calls than the limit, and a call is free again at most W/60 late (promise R30). All three
windows of an account live packed in one row, read and written in the admission commit, so
they hold across processes. "Now" is the database's clock (R39).
"""

import struct
from array import array
from dataclasses import dataclass

from reseller.domain.limits.tables import RateLimit, RequestCounter

BUCKETS = 60
SLOTS = BUCKETS + 1
WINDOW_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_HEAD = struct.Struct("<q")


class SlidingWindow:
    """Counts of calls in sub-buckets of one window; `width` is the window in seconds."""

    __slots__ = ("counts", "head", "step", "width")

    def __init__(self, width: int, packed: bytes = b"") -> None:
        self.width = width
        self.step = width // BUCKETS
        if packed:
            (self.head,) = _HEAD.unpack_from(packed)  # newest sub-bucket, counted since 1970
            self.counts = array("I", packed[_HEAD.size :])  # newest is at head % SLOTS
        else:
            self.head = 0
            self.counts = array("I", bytes(4 * SLOTS))

    def advance(self, now: float) -> None:
        """Sub-buckets that have left the window are empty; `now` is the newest.

        If the clock went back, the counts keep their order and count from the new `now`:
        never fewer calls than were made, at most one window of waiting.
        """
        slot = int(now) // self.step
        passed = slot - self.head
        if passed >= SLOTS:
            self.counts = array("I", bytes(4 * SLOTS))
        elif passed > 0:
            for empty in range(self.head + 1, slot + 1):
                self.counts[empty % SLOTS] = 0
        elif passed < 0:
            ordered = [self.counts[(self.head - age) % SLOTS] for age in range(SLOTS)]
            for age, count in enumerate(ordered):
                self.counts[(slot - age) % SLOTS] = count
        self.head = slot

    def add(self) -> None:
        """One more call in the newest sub-bucket."""
        self.counts[self.head % SLOTS] += 1

    @property
    def used(self) -> int:
        return sum(self.counts)

    def seconds_until_free(self, limit: int, now: float) -> float:
        """How long until fewer than `limit` calls are counted; 0 if that is so now."""
        excess = self.used - limit + 1
        if excess <= 0:
            return 0.0
        for age in range(SLOTS - 1, -1, -1):
            excess -= self.counts[(self.head - age) % SLOTS]
            if excess <= 0:
                return max(float((self.head - age + SLOTS) * self.step) - now, 0.0)
        return float(self.width)

    def seconds_until_empty(self, now: float) -> float:
        """How long until every call counted now has left the window."""
        for age in range(SLOTS):
            if self.counts[(self.head - age) % SLOTS]:
                return max(float((self.head - age + SLOTS) * self.step) - now, 0.0)
        return 0.0

    def pack(self) -> bytes:
        return _HEAD.pack(self.head) + self.counts.tobytes()


@dataclass(frozen=True, slots=True)
class WindowUse:
    """One window of an account at one instant, for headers and pages."""

    name: str  # minute, hour, day
    limit: int
    remaining: int
    reset_seconds: float  # until the window is empty if nothing more is sent


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of each limited window after this call; empty when nothing is limited."""

    windows: tuple[WindowUse, ...] = ()

    @property
    def tightest(self) -> WindowUse | None:
        """The window with the smallest share left."""
        return min(self.windows, key=lambda w: (w.remaining / w.limit, w.limit), default=None)


def windows_now(counter: RequestCounter, limits: RateLimit, now: float) -> Allowance:
    """The account's windows as they stand, for reading."""
    uses = []
    for name, width in WINDOW_SECONDS.items():
        limit = getattr(limits, f"requests_per_{name}")
        window = SlidingWindow(width, getattr(counter, name))
        window.advance(now)
        if limit is not None:
            uses.append(WindowUse(name, limit, max(limit - window.used, 0), window.seconds_until_empty(now)))
    return Allowance(tuple(uses))


def used_now(counter: RequestCounter, now: float) -> dict[str, int]:
    """Calls that each window counts at this instant, limited or not."""
    used = {}
    for name, width in WINDOW_SECONDS.items():
        window = SlidingWindow(width, getattr(counter, name))
        window.advance(now)
        used[name] = window.used
    return used
