"""Hosts that strangers named are looked up where nobody else waits.

The system's resolver has no deadline, and gevent asks it in ten threads for the whole process: a few names whose servers say nothing
would keep letters, upstreams and the webhooks of everybody else from theirs. So these have threads of their own, and no owner has more
than MOST_OF_ONE of them, until the resolver has given up and not only until we have.
"""

import socket
from collections import Counter
from functools import cache

from gevent import get_hub
from gevent.hub import Hub
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

MOST = 200
MOST_OF_ONE = 3


class NotResolved(Exception):
    """The text says why, for whoever gave the name."""


class Lookups:
    """Those of one thread's greenlets."""

    def __init__(self) -> None:
        self._pool = ThreadPool(MOST)
        self._of_owner: Counter[str] = Counter()

    def addresses_of(self, host: str, port: int, *, owner: str, seconds: float) -> tuple[str, ...]:
        """Every address of the host, asked once. Raises NotResolved, TimeoutError."""
        if self._of_owner[owner] >= MOST_OF_ONE or self._of_owner.total() >= MOST:
            raise NotResolved("its name is not looked up: others of the same owner are, and nobody answers for them")
        self._of_owner[owner] += 1
        asked = self._pool.spawn(_ask, host, port)
        asked.rawlink(lambda _: self._is_over(owner))
        asked.wait(max(seconds, 0))
        if not asked.ready():
            raise TimeoutError
        found: tuple[str, ...] | None = asked.value
        if not found:
            raise NotResolved("its name cannot be resolved")
        return found

    def _is_over(self, owner: str) -> None:
        self._of_owner[owner] -= 1
        if not self._of_owner[owner]:
            del self._of_owner[owner]


def lookups() -> Lookups:
    """Those of the caller's thread."""
    return _of(get_hub())


@cache
def _of(hub: Hub) -> Lookups:  # noqa: ARG001 - a pool belongs to the hub that made it
    return Lookups()


def _ask(host: str, port: int) -> tuple[str, ...]:
    """In a thread: none where there is no such name."""
    getaddrinfo = get_original("socket", "getaddrinfo")  # gevent's own would go to its ten threads
    try:
        found = getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
