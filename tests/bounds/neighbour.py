"""A well-behaved customer who calls all the time, and how long it waits for its answers."""

import threading
import time
from http.client import HTTPConnection, HTTPException
from typing import Self

from tests.bounds.upstream import QUICK
from tests.shop import Customer, chat_body, exchange

CONNECTIONS = 2
PAUSE_SECONDS = 0.004


class Neighbour:
    """Closed loops with a short pause, each over one kept connection. Every answer must be a 200."""

    def __init__(self, customer: Customer) -> None:
        self._customer = customer
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._milliseconds: list[float] = []
        self.problems: list[str] = []
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(CONNECTIONS)]

    def taken(self) -> list[float]:
        """What the calls since the last time took, in milliseconds."""
        with self._lock:
            taken, self._milliseconds = self._milliseconds, []
        return taken

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def _call(self) -> None:
        headers = {"Authorization": f"Bearer {self._customer.key}"}
        connection = HTTPConnection("127.0.0.1", self._customer.shop.web.port, timeout=20)
        while not self._stopping.wait(PAUSE_SECONDS):
            started = time.perf_counter()
            try:
                answer = exchange(connection, "/v1/chat/completions", chat_body(QUICK), headers=headers)
                problem = "" if answer.status == 200 else f"{answer.status} {answer.body[:200]!r}"
            except (OSError, HTTPException) as error:
                problem = repr(error)
                connection.close()
            with self._lock:
                self._milliseconds.append((time.perf_counter() - started) * 1000)
                if problem:
                    self.problems.append(problem)
        connection.close()


def percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]
