"""An answer of a web worker on its way: its head leaves with the first bytes of the body, and what nobody takes is known."""

import time
from email.utils import formatdate
from typing import Any, ClassVar

from gunicorn.http import wsgi

LAST_CHUNK = b"0\r\n\r\n"
TAKE_SECONDS, TAKE_BYTES_PER_SECOND = 60.0, 16_384


class OneSend(wsgi.Response):  # type: ignore[misc]
    """An answer whose head waits for the first bytes of its body."""

    headers_sent: bool
    being_sent: ClassVar[dict[Any, float]] = {}  # connection → when its client must have taken what it was sent
    _date = (0, "")
    _head = b""
    _is_last = _has_ended = False

    def send_headers(self) -> None:
        """The head is ready to leave."""
        if self.headers_sent:
            return
        connection = "close" if self.should_close() else "keep-alive"
        lines = [f"HTTP/1.1 {self.status}\r\nServer: {self.version}\r\nDate: {_http_date()}\r\nConnection: {connection}"]
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        lines.extend(f"{name}: {value}" for name, value in self.headers)
        lines.append("\r\n")
        self._head = "\r\n".join(lines).encode("latin-1")
        self.headers_sent = True

    def close(self) -> None:
        """Everything has left."""
        self.send_headers()
        end = LAST_CHUNK if self.chunked and not self._has_ended else b""
        if self._head or end:
            self._send(self._head + end)

    def end_with_this(self) -> None:
        """The next piece is the last one."""
        self._is_last = True

    def _emit_body(self, data: bytes) -> None:
        if not self.chunked:
            self._send(self._head + data)
            return
        self._send(b"%b%X\r\n%b\r\n%b" % (self._head, len(data), data, LAST_CHUNK if self._is_last else b""))
        self._has_ended = self._is_last

    def _send(self, data: bytes) -> None:
        """A client that does not take it in time is cut off by the worker's look."""
        self._head = b""
        try:
            sent = raw(self.sock).send(data)
        except BlockingIOError:
            sent = 0
        if sent == len(data):
            return
        due = time.monotonic() + TAKE_SECONDS + len(data) / TAKE_BYTES_PER_SECOND
        self.being_sent[self.sock] = due
        try:
            self.sock.sendall(memoryview(data)[sent:])
        finally:
            self.being_sent.pop(self.sock, None)


def raw(client: Any) -> Any:
    """The system's own socket under gevent's, which would wait, or tell a waiting reader that it was closed."""
    return getattr(client, "_sock", client)


def _http_date() -> str:
    second = int(time.time())
    if OneSend._date[0] != second:
        OneSend._date = (second, formatdate(second, usegmt=True))
    return OneSend._date[1]
