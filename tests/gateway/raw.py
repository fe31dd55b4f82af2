"""A client that does what well-behaved ones never do: sends odd bytes, reads a part, hangs up."""

import socket
from typing import Self

import orjson

from tests.shop import Customer, chat_body


class RawClient:
    """One connection to the shop. Sends exactly what it is given; `close` hangs up at once."""

    def __init__(self, customer: Customer) -> None:
        self._customer = customer
        self._socket = socket.create_connection(("127.0.0.1", customer.shop.web.port), timeout=60)
        self.received = b""

    def send(self, raw: bytes) -> None:
        self._socket.sendall(raw)

    def ask(self, model: str, **more: object) -> None:
        """A chat is on its way."""
        body = orjson.dumps(chat_body(model, **more))
        self.send(self.head("/v1/chat/completions", f"Content-Length: {len(body)}") + body)

    def head(self, path: str, *lines: str) -> bytes:
        """The head of a POST with the customer's key."""
        fixed = ("Host: shop", f"Authorization: Bearer {self._customer.key}", "Content-Type: application/json", *lines)
        return "\r\n".join((f"POST {path} HTTP/1.1", *fixed, "", "")).encode()

    def read_until(self, mark: bytes) -> bytes:
        """Everything received so far, once `mark` is in it."""
        while mark not in self.received:
            piece = self._socket.recv(65_536)
            if not piece:
                raise AssertionError(f"the server closed before {mark!r} came: {self.received!r}")
            self.received += piece
        return self.received

    def read_to_end(self) -> bytes:
        while piece := self._socket.recv(65_536):
            self.received += piece
        return self.received

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
