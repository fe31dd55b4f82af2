"""An upstream in a process of its own: quick for the neighbour, hostile for whoever asks for its other models.

`python -m tests.bounds.upstream PORT`. What a model does is in its name: `slow/silent`, `slow/head`, `slow/byte`, …
Without generation ids, so that a call that is cut short is settled at once and not asked for later.
"""

import asyncio
import sys

import orjson

from tests.fakes.openrouter_catalogue import entry
from tests.limits import raise_file_limit

QUICK = "acme/quick"
SILENT, HEAD, BYTE, COMMENTS, FLOOD = "slow/silent", "slow/head", "slow/byte", "slow/comments", "slow/flood"
MODELS = (QUICK, SILENT, HEAD, BYTE, COMMENTS, FLOOD)
PRICES = {"prompt": "0.000001", "completion": "0.000001"}
CONTEXT = 20_000_000
COMMENT_SECONDS = 0.5


def _body(value: object) -> bytes:
    body = orjson.dumps(value)
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _frame(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + orjson.dumps({"object": "chat.completion.chunk", "created": 1, "model": "acme/quick", "choices": [choice]}) + b"\n\n"


WHOLE = _body(
    {
        "id": "gen-1-quick",
        "object": "chat.completion",
        "created": 1,
        "model": QUICK,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Done."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "cost": 0.000007},
    }
)
LISTS = {
    b"/api/v1/models": _body({"data": [entry(name, PRICES, context_length=CONTEXT) for name in MODELS]}),
    b"/api/v1/embeddings/models": _body({"data": []}),
}
NOT_FOUND = WHOLE.replace(b"200 OK", b"404 Not Found", 1)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
FLOOD_PIECE = _chunk(_frame("flood " * 20) * 20)


class Upstream(asyncio.Protocol):
    """One connection, one request at a time; a body is counted, and only its start and end are looked at."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._start = self._end = b""
        self._left = -1  # bytes of the body that are still to come; below zero while the head is
        self._task: asyncio.Task[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n") + 4
            if end < 4:
                return
            data = bytes(self._head[end:])
            self._left, self._start, self._end = _length(self._head[:end]), b"", b""
        self._left -= len(data)
        self._start = self._start if len(self._start) > 500 else self._start + data[:1000]
        self._end = (self._end + data[-1000:])[-1000:]
        if not self._left:
            self._answer()
            self._left = -1
            self._head.clear()

    def _answer(self) -> None:
        if self._head.startswith(b"GET "):
            path = bytes(self._head).split(b" ", 2)[1].partition(b"?")[0]
            self._transport.write(LISTS.get(path, NOT_FOUND))
            return
        seen = self._start + self._end
        asked = next((name for name in MODELS if f'"{name}"'.encode() in seen), QUICK)
        if asked == QUICK:
            self._transport.write(WHOLE)
        else:
            self._task = asyncio.create_task(self._misbehave(asked))

    async def _misbehave(self, how: str) -> None:
        """Until the other side is gone."""
        if how == SILENT:
            return
        self._transport.write(STREAM_HEAD)
        while how != HEAD:
            await self._may_write.wait()
            if how == FLOOD:
                self._transport.write(FLOOD_PIECE)
                await asyncio.sleep(0)
            elif how == COMMENTS:
                self._transport.write(_chunk(b": OPENROUTER PROCESSING\n\n"))
                await asyncio.sleep(COMMENT_SECONDS)
            else:
                for byte in _frame("word"):
                    self._transport.write(_chunk(bytes([byte])))
                    await asyncio.sleep(1)


def _length(head: bytearray) -> int:
    start = head.lower().find(b"content-length:")
    return int(head[start + 15 : head.index(b"\r\n", start)]) if start >= 0 else 0


async def serve(port: int) -> None:
    """Requests are answered until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    raise_file_limit()
    asyncio.run(serve(int(sys.argv[1])))
