"""How often may one address be wrong (promise R31)? Counted per process before anything is asked of the database."""

from collections import OrderedDict

from reseller.clock import monotonic
from reseller.errors import TooManyFailures

MAX_ADDRESSES = 10_000
WINDOW_SECONDS = 60.0


class FailureThrottle:
    """Failed attempts per address in fixed minutes; the oldest addresses are forgotten first. `words` tell whoever is over the limit."""

    def __init__(self, limit: int, words: str) -> None:
        self._limit, self._words = limit, words
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises TooManyFailures while the address is over its limit."""
        started, count = self._seen.get(address, (0.0, 0))
        left = started + WINDOW_SECONDS - monotonic()
        if count >= self._limit and left > 0:
            raise TooManyFailures(self._words, retry_after_seconds=left)

    def failed(self, address: str) -> None:
        started, count = self._seen.pop(address, (0.0, 0))
        if monotonic() - started > WINDOW_SECONDS:
            started, count = monotonic(), 0
        self._seen[address] = (started, count + 1)
        if len(self._seen) > MAX_ADDRESSES:
            self._seen.popitem(last=False)
