"""What every misbehaviour is made of: raw connections to the shop, closed loops, and what was answered."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import orjson

from tests.bounds.upstream import QUICK

PATH = "/v1/chat/completions"
LAST_ANSWER_SECONDS = 0.6
Misbehaviour = Callable[["Target"], Awaitable[Counter[str]]]


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to attack, as whom, for how long, and how much of it."""

    port: int
    key: str
    seconds: float
    share: float
    started: float = field(default_factory=time.monotonic)

    @property
    def until(self) -> float:
        return self.started + self.seconds

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.until

    def of(self, connections: int) -> int:
        return max(1, round(connections * self.share))

    def head(self, *lines: str, path: str = PATH, key: str | None = None) -> bytes:
        """The head of a POST."""
        fixed = ("Host: shop", f"Authorization: Bearer {self.key if key is None else key}", "Content-Type: application/json")
        return "\r\n".join((f"POST {path} HTTP/1.1", *fixed, *lines, "", "")).encode()

    def request(self, body: bytes, *lines: str, path: str = PATH, key: str | None = None) -> bytes:
        return self.head(f"Content-Length: {len(body)}", *lines, path=path, key=key) + body

    async def connect(self) -> "Wire":
        raw = socket.socket()
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self.port))
        return Wire(raw)

    async def rest(self, seconds: float = 1.0) -> None:
        """That long, but not beyond the end."""
        await asyncio.sleep(max(min(seconds, self.until - time.monotonic()), 0))


class Wire:
    """One raw connection: reads only what it is told to."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._received = b""

    async def send(self, piece: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._raw, piece)

    async def receive(self, size: int = 65_536) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._raw, size)

    async def answer(self) -> str:
        """The status of the next whole answer; "closed" if none comes."""
        while (end := self._received.find(b"\r\n\r\n") + 4) < 4:
            if not await self._more():
                return "closed"
        head = self._received[:end].lower()
        start = head.find(b"content-length:")
        whole = end + (int(head[start + 15 : head.index(b"\r\n", start)]) if start >= 0 else 0)
        while len(self._received) < whole:
            if not await self._more():
                return "closed"
        self._received = self._received[whole:]
        return head[9:12].decode()

    async def _more(self) -> bool:
        piece = await self.receive()
        self._received += piece
        return bool(piece)

    def close(self) -> None:
        self._raw.close()


def chat(text: str = "hello", model: str = QUICK, **more: object) -> bytes:
    return orjson.dumps({"model": model, "messages": [{"role": "user", "content": text}], **more})


async def side_by_side(
    target: Target, connections: int, work: Callable[[Wire, Counter[str]], Awaitable[None]], *, per_second: float = 400
) -> Counter[str]:
    """`work` on each of that many connections until the time is over; what the server answered.

    They come one by one in the first third and go one by one in the last, as many as that allows:
    what is measured is not that a crowd comes, but that it is there.
    """
    seen: Counter[str] = Counter()
    wires: list[Wire] = []

    async def one() -> None:
        wire = await target.connect()
        seen["connected"] += 1
        wires.append(wire)
        await work(wire, seen)

    tasks = []
    count = min(target.of(connections), round(per_second * target.seconds / 3))
    for number in range(count):
        tasks.append(asyncio.create_task(one()))
        await asyncio.sleep(target.started + target.seconds / 3 * (number + 1) / count - time.monotonic())
    await asyncio.sleep(target.seconds / 3)
    for number, task in enumerate(tasks):
        await ended([task])
        if number < len(wires):
            wires[number].close()
        await asyncio.sleep(target.until - target.seconds / 3 * (1 - (number + 1) / count) - time.monotonic())
    for wire in wires:
        wire.close()
    return seen


async def ended(tasks: Iterable["asyncio.Task[None]"]) -> None:
    """None of them runs any more."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def closed_loop(target: Target, connections: int, requests: list[bytes]) -> Counter[str]:
    """Each connection sends one request after another, a new connection for each that the server closed. Last answers may come late."""
    seen: Counter[str] = Counter()

    async def one(number: int) -> None:
        wire = await target.connect()
        seen["connected"] += 1
        try:
            while not target.is_over:
                number += 1
                wire = await _ask(target, wire, requests[number % len(requests)], seen)
        finally:
            wire.close()

    tasks = [asyncio.create_task(one(number)) for number in range(target.of(connections))]
    await asyncio.wait(tasks, timeout=target.seconds + LAST_ANSWER_SECONDS)
    await ended(tasks)
    return seen


async def _ask(target: Target, wire: Wire, request: bytes, seen: Counter[str]) -> Wire:
    """The wire for the next request."""
    sending = asyncio.create_task(wire.send(request))
    try:
        status = await wire.answer()
        sending.cancel()  # what is answered before it has all arrived need not be sent to its end
        failed = (await asyncio.gather(sending, return_exceptions=True))[0] is not None
    except OSError:
        status, failed = "reset", True
        await asyncio.gather(sending, return_exceptions=True)
    seen[status] += 1
    if failed or status in ("closed", "413", "400", "431"):
        wire.close()
        return await target.connect()
    return wire
