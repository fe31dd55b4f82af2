"""A circuit breaker: when most calls to an upstream fail, the next ones are told at once (promise R32).

Not a limiter and not shared: each process watches what it sees itself. It opens at 20 or more
failures within 10 s that are at least half of all calls of that time; then calls are refused
without a packet being sent. After 5 s one call is let through: if it is answered the breaker
closes and forgets, if it fails another 5 s begin. Failures are connect errors, resets, time-outs
and 5xx; an answer of 4xx is an answer.
"""

from collections import deque
from collections.abc import Callable

from reseller.clients.failures import DOWN
from reseller.clock import monotonic
from reseller.errors import UpstreamBusy

WINDOW_SECONDS = 10.0
MIN_FAILURES = 20
PROBE_AFTER_SECONDS = 5.0


class Breaker:
    """One per upstream and process. `clock` is a monotonic clock in seconds."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._calls: deque[tuple[float, int, int]] = deque()
        self._total = 0
        self._failed = 0
        self._opened_at: float | None = None
        self._is_probing = False

    @property
    def is_open(self) -> bool:
        """True while calls are refused, a probe on its way included."""
        return self._opened_at is not None

    def check(self) -> None:
        """Nothing stands against a call now. Raises UpstreamBusy otherwise. Takes no turn."""
        wait = self._wait_seconds()
        if wait is not None:
            raise UpstreamBusy(DOWN, status=503, retry_after_seconds=wait)

    def enter(self) -> bool:
        """This call may go. True: the breaker is open and this is the one probe. Raises UpstreamBusy.

        Exactly one of `succeeded`, `failed` and `left` must follow, with the value returned here.
        """
        self.check()
        self._is_probing = self.is_open
        return self._is_probing

    def succeeded(self, is_probe: bool) -> None:
        """The call that entered was answered, whatever the answer; a probe closes the breaker."""
        if is_probe:
            self._close()
        if not self.is_open:
            self._count(1, 0)

    def failed(self, is_probe: bool) -> None:
        """The call that entered found no sound answer."""
        if is_probe:
            self._open()
        else:
            self._fail(1)

    def broke(self) -> None:
        """A call that had `succeeded` broke off later, inside its answer: it counts once, as a failure."""
        self._fail(0)

    def left(self, is_probe: bool) -> None:
        """The call that entered was given up by us and tells nothing; after a probe another may try."""
        if is_probe:
            self._is_probing = False

    def _wait_seconds(self) -> float | None:
        if self._opened_at is None:
            return None
        wait = self._opened_at + PROBE_AFTER_SECONDS - self._clock()
        if wait <= 0 and not self._is_probing:
            return None
        return max(wait, 1.0)

    def _fail(self, calls: int) -> None:
        if self.is_open:
            return
        self._count(calls, 1)
        if self._failed >= MIN_FAILURES and self._failed * 2 >= self._total:
            self._open()

    def _count(self, calls: int, failures: int) -> None:
        now = self._clock()
        while self._calls and self._calls[0][0] < now - WINDOW_SECONDS:
            _, old_calls, old_failures = self._calls.popleft()
            self._total -= old_calls
            self._failed -= old_failures
        self._calls.append((now, calls, failures))
        self._total += calls
        self._failed += failures

    def _open(self) -> None:
        self._opened_at = self._clock()
        self._is_probing = False

    def _close(self) -> None:
        self._opened_at = None
        self._is_probing = False
        self._calls.clear()
        self._total = self._failed = 0
