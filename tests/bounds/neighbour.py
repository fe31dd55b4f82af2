"""A well-behaved customer who calls all the time, and how long it waits for answers of the server, and of the upstream itself."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Self

from tests.bounds.upstream import QUICK
from tests.shop import Customer, chat_body, exchange

CONNECTIONS = 2
PAUSE_SECONDS = 0.004
CALL = "/v1/chat/completions"


@dataclass(slots=True)
class Waits:
    """What calls took, in milliseconds: through the server, and straight to the upstream, which only the machine delays."""

    calls: list[float] = field(default_factory=list)
    straight: list[float] = field(default_factory=list)

    def __iadd__(self, more: "Waits") -> Self:
        self.calls += more.calls
        self.straight += more.straight
        return self


class Neighbour:
    """Closed loops with a short pause, each over one kept connection. Every answer must be a 200."""

    def __init__(self, customer: Customer, upstream_port: int) -> None:
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._waits = Waits()
        self.problems: list[str] = []
        here = customer.shop.web.port, CALL, {"Authorization": f"Bearer {customer.key}"}, "calls"
        there = upstream_port, f"/api{CALL}", {}, "straight"
        loops = [*[here] * CONNECTIONS, there]
        self._threads = [threading.Thread(target=self._call, args=loop, daemon=True) for loop in loops]

    def taken(self) -> Waits:
        """What the calls since the last time took."""
        with self._lock:
            taken, self._waits = self._waits, Waits()
        return taken

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def _call(self, port: int, path: str, headers: Mapping[str, str], kind: str) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        while not self._stopping.wait(PAUSE_SECONDS):
            started = time.perf_counter()
            try:
                answer = exchange(connection, path, chat_body(QUICK), headers=dict(headers))
                problem = "" if answer.status == 200 else f"{answer.status} {answer.body[:200]!r}"
            except (OSError, HTTPException) as error:
                problem = repr(error)
                connection.close()
            with self._lock:
                getattr(self._waits, kind).append((time.perf_counter() - started) * 1000)
                if problem:
                    self.problems.append(problem)
        connection.close()


def percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]
