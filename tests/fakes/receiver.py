"""Whom webhooks are sent to: a server on this machine that keeps what it gets, and behaves by path as badly as is asked for.

`/ok` answers 200; a path may be given another behaviour with `behave`: a status, a list of statuses (the last one stays), or one of
the words of `MISBEHAVIOUR`.
"""

import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from tests.waiting import wait_until

MISBEHAVIOUR = (
    "hang",
    "drip_head",
    "drip_body",
    "redirect",
    "long_redirect",
    "huge_body",
    "huge_head",
    "bomb",
    "break_off",
    "no_http",
    "odd_head",
)
MORE_THAN_ANYBODY_WAITS = 60.0


@dataclass(frozen=True, slots=True)
class Message:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float  # monotonic

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """Listens on a free port of 127.0.0.1."""

    def __init__(self, tls: Any = None) -> None:
        self.messages: list[Message] = []
        self.sent_bytes = 0  # of the answers
        self._behaviour: dict[str, Any] = {}
        self._tls = tls
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path: str = "/ok") -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}{path}"

    def behave(self, path: str, how: Any) -> None:
        self._behaviour[path] = how

    def at(self, path: str) -> list[Message]:
        """What came to this path, the oldest first."""
        return [message for message in list(self.messages) if message.path == path]

    def await_at(self, path: str, count: int = 1, seconds: float = 15.0) -> list[Message]:
        """The same, once there are that many."""
        return wait_until(lambda: found if len(found := self.at(path)) >= count else None, seconds) or []

    def stop(self) -> None:
        self._over.set()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), plain:
            connection = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
            message = self._read(connection)
            how = self._behaviour.get(message.path, 200)
            self.messages.append(message)
            if isinstance(how, list):
                how = how.pop(0) if len(how) > 1 else how[0]
            if callable(how):
                how = how(message)
            self._answer(connection, how)

    def _read(self, connection: Any) -> Message:
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65_536)
            if not piece:
                raise ValueError("no request")
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += connection.recv(65_536)
        return Message(first.split(" ")[1], headers, body, time.monotonic())

    def _answer(self, connection: Any, how: Any) -> None:
        if isinstance(how, str):
            misbehave: Callable[[Any], None] = getattr(self, f"_{how}")
            misbehave(connection)
            return
        words = f"you said it, and I answer {how}".encode()
        self._send(connection, b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nX-Of: receiver\r\n\r\n%s" % (how, len(words), words))

    def _send(self, connection: Any, data: bytes) -> None:
        connection.sendall(data)
        self.sent_bytes += len(data)

    def _hang(self, connection: Any) -> None:
        self._over.wait(MORE_THAN_ANYBODY_WAITS)

    def _drip(self, connection: Any, data: bytes) -> None:
        for position in range(len(data)):
            self._send(connection, data[position : position + 1])
            if self._over.wait(0.2):
                return

    def _drip_head(self, connection: Any) -> None:
        self._drip(connection, b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000)

    def _drip_body(self, connection: Any) -> None:
        self._send(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        self._drip(connection, b"y" * 10_000)

    def _redirect(self, connection: Any) -> None:
        self._send(connection, b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % self.url("/elsewhere").encode())

    def _long_redirect(self, connection: Any) -> None:
        """A body without an end, as far as whoever reads it can tell."""
        self._send(connection, b"HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n" % self.url("/elsewhere").encode())
        for _ in range(640):
            self._send(connection, b"r" * 65_536)

    def _odd_redirect(self, connection: Any) -> None:
        self._send(connection, b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n")

    def _huge_body(self, connection: Any) -> None:
        self._send(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n")
        for _ in range(160):
            self._send(connection, b"z" * 65_536)

    def _huge_head(self, connection: Any) -> None:
        self._send(connection, b"HTTP/1.1 200 OK\r\n")
        for number in range(100):
            self._send(connection, b"X-%d: %s\r\n" % (number, b"h" * 60_000))

    def _odd_head(self, connection: Any) -> None:
        self._send(connection, b"HTTP/1.1 200 OK\r\nX-Odd: a\x00b\r\nX-\xe9: \x85\r\nContent-Length: 0\r\n\r\n")

    def _bomb(self, connection: Any) -> None:
        packed = gzip.compress(b"0" * 5_000_000)
        self._send(connection, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(packed), packed))

    def _break_off(self, connection: Any) -> None:
        self._send(connection, b"HTTP/1.1 20")

    def _no_http(self, connection: Any) -> None:
        self._send(connection, b"220 mail.example ESMTP\r\n")
