"""Waiting for what another process or greenlet does. The only way to wait in a test: nothing sleeps for a fixed time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

PAUSE_SECONDS = 0.02


def wait_until(predicate: Callable[[], Answer], seconds: float = 90.0) -> Answer:
    """The predicate's first true answer. Fails the test when none came within `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {getattr(predicate, '__doc__', None) or predicate!r}")
        pause.wait(PAUSE_SECONDS)
