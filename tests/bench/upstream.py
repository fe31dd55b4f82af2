"""A fake upstream that costs as little as Python allows: `python -m tests.bench.upstream PORT`. One process, no framework.

It looks at the path and at two words of the body and writes bytes that were rendered at start.
Scripted behaviour and checks of what we send are not here: tests/fakes/openrouter.py has them.
"""

import asyncio
import sys
import time
from collections.abc import Iterator

from tests.bench.answers import BURST, FIRST_TOKEN_MS, SLOW, TOKEN_GAP_MS, catalogue, head_and_body, stream_pieces, whole_answer
from tests.limits import raise_file_limit

WHOLE_ANSWER = whole_answer()
BURST_ANSWER = b"".join(stream_pieces(BURST))
SLOW_PIECES = stream_pieces(SLOW)
CATALOGUE = catalogue()
NO_MODELS = head_and_body({"data": []})
NOT_FOUND = head_and_body({"error": {"code": 404, "message": "no such page"}}, status="404 Not Found")

SLOW_MARK = f'"{SLOW.model}"'.encode()
STREAM_MARK = b'"stream":true'


class Pacer:
    """Every slow stream from one timer: a wheel of milliseconds, where a stream has its turn once a gap."""

    def __init__(self) -> None:
        self._slots: list[list[tuple[asyncio.Transport, int, Iterator[bytes]]]] = [[] for _ in range(TOKEN_GAP_MS)]
        self._streams = 0
        self._done_until = 0

    def add(self, transport: asyncio.Transport) -> None:
        """The stream's first piece leaves after its wait, the others each a gap later."""
        start = _milliseconds() + FIRST_TOKEN_MS
        self._slots[start % TOKEN_GAP_MS].append((transport, start, iter(SLOW_PIECES)))
        self._streams += 1
        if self._streams == 1:
            self._done_until = _milliseconds()
            asyncio.get_running_loop().call_later(0.001, self._tick)

    def _tick(self) -> None:
        until = _milliseconds()
        for moment in range(self._done_until + 1, until + 1):
            slot = self._slots[moment % TOKEN_GAP_MS]
            if slot:
                kept = [stream for stream in slot if moment < stream[1] or _send_next(stream[0], stream[2])]
                self._streams -= len(slot) - len(kept)
                self._slots[moment % TOKEN_GAP_MS] = kept
        self._done_until = until
        if self._streams:
            asyncio.get_running_loop().call_later(0.001, self._tick)


def _send_next(transport: asyncio.Transport, pieces: Iterator[bytes]) -> bool:
    """False once the stream has ended or its reader is gone."""
    piece = next(pieces)
    if transport.is_closing():
        return False
    transport.write(piece)
    return piece is not SLOW_PIECES[-1]


class Upstream(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n") + 4
        if head_end < 4:
            return
        if self._received.startswith(b"GET "):
            self._answer_get(self._received)
        elif len(self._received) < head_end + _length(self._received[:head_end]):
            return
        else:
            self._answer_post(self._received)
        self._received = b""

    def _answer_get(self, request: bytes) -> None:
        path = request.split(b" ", 2)[1].partition(b"?")[0]
        answers = {b"/api/v1/models": CATALOGUE, b"/api/v1/embeddings/models": NO_MODELS}
        self._transport.write(answers.get(path, NOT_FOUND))

    def _answer_post(self, request: bytes) -> None:
        if STREAM_MARK not in request:
            self._transport.write(WHOLE_ANSWER)
        elif SLOW_MARK in request:
            self._pacer.add(self._transport)
        else:
            self._transport.write(BURST_ANSWER)


def _length(head: bytes) -> int:
    start = head.lower().find(b"content-length:")
    return int(head[start + 15 : head.index(b"\r\n", start)]) if start >= 0 else 0


def _milliseconds() -> int:
    return time.monotonic_ns() // 1_000_000


async def serve(port: int) -> None:
    """Requests are answered until the process is ended."""
    pacer = Pacer()
    server = await asyncio.get_running_loop().create_server(lambda: Upstream(pacer), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    raise_file_limit()
    asyncio.run(serve(int(sys.argv[1])))
