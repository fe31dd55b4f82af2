"""Passwords are hashed beside the hub, two at a time: whoever signs in must not hold up calls (promise R31)."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from gevent import get_hub
from gevent.lock import BoundedSemaphore

from reseller.errors import Unavailable

AT_ONCE = 2
PATIENCE_SECONDS = 5.0

P = ParamSpec("P")
R = TypeVar("R")

_turns = BoundedSemaphore(AT_ONCE)


def aside(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What the function returns, run in a thread. Raises Unavailable when too many want the same for too long."""
    if not _turns.acquire(timeout=PATIENCE_SECONDS):
        raise Unavailable("Many people are signing in just now. Try again in a moment.")
    try:
        answer: R = get_hub().threadpool.apply(function, args, kwargs)
        return answer
    finally:
        _turns.release()
