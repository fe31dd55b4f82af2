"""The load generator: `python -m tests.bench.load` reads one run a line as JSON and prints its result as JSON.

Closed loop: each connection asks again as soon as its answer is whole. Every answer is checked.
It draws no conclusions; report.py does.
"""

import asyncio
import json
import sys
import time
from itertools import cycle
from typing import Any

from tests.bench.checking import Expected, Framing, framing_of, problem_with
from tests.limits import raise_file_limit

FIRST_EVENT = b"data: {"
TOO_LATE_SECONDS = 90.0


class Run:
    """One run: what to ask, how often, and what came of it. Times in seconds."""

    def __init__(self, spec: dict[str, Any]) -> None:
        body = spec["body"].encode()
        head = f"POST {spec['path']} HTTP/1.1\r\nHost: 127.0.0.1:{spec['port']}\r\nAuthorization: Bearer "
        rest = f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        self.requests = cycle([(head + key).encode() + rest for key in spec["keys"]])
        self.expected = Expected(tuple(mark.encode() for mark in spec["marks"]), spec["events"])
        self.connections: int = spec["connections"]
        self.calls_each: int | None = spec["calls_each"]
        self.ramp_seconds: float = spec["ramp_seconds"]
        self.port: int = spec["port"]
        self.started = time.perf_counter()
        self.until: float = self.started + spec["seconds"]
        self.ended = self.started
        self.running = self.connections
        self.over = asyncio.get_running_loop().create_future()
        self.first: list[float] = []
        self.total: list[float] = []
        self.bad = 0
        self.first_bad = ""

    def may_ask(self, asked: int) -> bool:
        if self.calls_each is not None:
            return asked < self.calls_each
        return time.perf_counter() < self.until

    def note_bad(self, problem: str) -> None:
        self.bad += 1
        self.first_bad = self.first_bad or problem

    def leave(self) -> None:
        """One connection has done its part."""
        self.running -= 1
        self.ended = time.perf_counter()
        if not self.running and not self.over.done():
            self.over.set_result(None)

    def result(self) -> dict[str, Any]:
        return {
            "ok": len(self.total),
            "bad": self.bad,
            "first_bad": self.first_bad,
            "seconds": self.ended - self.started,
            "total_ms": _percentiles(self.total),
            "first_ms": _percentiles(self.first),
        }


class Client(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._received = bytearray()
        self._framing: Framing | None = None
        self._asked_at = self._first_at = 0.0
        self._asked = 0
        self._is_waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if self._is_waiting:
            self._run.note_bad(f"connection lost after {len(self._received)} bytes: {error}")
        self._run.leave()

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        if not self._first_at and (not self._run.expected.events or FIRST_EVENT in received):
            self._first_at = time.perf_counter()
        if self._framing is None:
            self._framing = framing_of(received)
        if self._framing is not None and self._framing.is_over(received):
            self._take(self._framing)

    def _ask(self) -> None:
        if not self._run.may_ask(self._asked):
            self._transport.close()
            return
        self._received.clear()
        self._framing, self._first_at, self._is_waiting = None, 0.0, True
        self._asked += 1
        self._asked_at = time.perf_counter()
        self._transport.write(next(self._run.requests))

    def _take(self, framing: Framing) -> None:
        now, run = time.perf_counter(), self._run
        self._is_waiting = False
        problem = problem_with(self._received, framing, run.expected)
        if problem:
            run.note_bad(problem)
            self._transport.close()
            return
        run.total.append(now - self._asked_at)
        run.first.append(self._first_at - self._asked_at)
        self._ask()


async def perform(spec: dict[str, Any]) -> dict[str, Any]:
    """The result of one run; it is over when every connection has its last answer."""
    run = Run(spec)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(TOO_LATE_SECONDS):
            for number in range(run.connections):
                await loop.create_connection(lambda: Client(run), "127.0.0.1", run.port)
                behind = run.started + run.ramp_seconds * number / run.connections - time.perf_counter()
                if behind > 0:
                    await asyncio.sleep(behind)
            await run.over
    except TimeoutError:
        run.note_bad(f"{run.running} connections were still waiting after {TOO_LATE_SECONDS:g} s")
    except OSError as error:
        run.note_bad(f"no connection: {error}")
    return run.result()


def _percentiles(seconds: list[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds."""
    ordered = sorted(seconds) or [0.0]
    return {f"p{percent}": 1000 * ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] for percent in (50, 99)}


if __name__ == "__main__":
    raise_file_limit()
    for line in sys.stdin:
        print(json.dumps(asyncio.run(perform(json.loads(line)))), flush=True)
