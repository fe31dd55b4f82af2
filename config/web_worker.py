"""gunicorn's gevent worker, with less work for each answer and bounds for clients that wait. Written against gunicorn 27.0.1.

Parsing and framing stay gunicorn's. Ours: the head leaves together with the first bytes of the body (a send costs as much
as reading a whole request), and one look a second replaces a timer for each request: connections that have been silent for
too long are closed, and when nearly all places are taken, those that have waited longest without a whole request make room.
"""

import socket
import time
from contextlib import suppress
from ctypes import CDLL
from email.utils import formatdate
from types import TracebackType
from typing import Any, ClassVar

import gevent
from gunicorn.http import wsgi
from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.workers.ggevent import GeventWorker

LAST_CHUNK = b"0\r\n\r\n"
LOOK_SECONDS = 1.0
FIRST_HEAD_SECONDS = 20.0
HEAD_BYTES = 16_384
SMALL_REST = 65_536
LINGER_SECONDS = 2.0
MALFORMED_SECONDS = 0.2
M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES = -3, 262_144  # mallopt(3); glibc would raise the threshold with every block that is freed
MALFORMED = b'{"error":{"message":"%b","type":"invalid_request_error","param":null,"code":"malformed_request"}}'
REFUSED = {
    LimitRequestHeaders: ("431 Request Header Fields Too Large", "The head of the request is too large."),
    LimitRequestLine: ("414 URI Too Long", "The first line of the request is too long."),
    UnsupportedTransferCoding: ("501 Not Implemented", "This transfer coding is not supported."),
    ExpectationFailed: ("417 Expectation Failed", "This expectation is not supported."),
}
PIPELINE_SECONDS = 0.001
TAKE_SECONDS, TAKE_BYTES_PER_SECOND = 60.0, 16_384
HURRIED_SECONDS = 55.0  # of these, when nearly all places are taken
FULL = 0.95
ROOM = 0.9
"""Shares of the connections a worker may have: above the first the longest waiting are closed, down to the second."""


class BoundedRequest(Request):  # type: ignore[misc]
    """A request whose head, first line included, is not read on once it is too large (R29)."""

    def read_into(self, unreader: Any, buf: bytearray, stop: bool = False) -> None:
        if len(buf) > HEAD_BYTES:
            raise LimitRequestHeaders("the head of the request is too large")
        super().read_into(unreader, buf, stop)


RequestParser.mesg_class = BoundedRequest


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
            sent = _raw(self.sock).send(data)
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


class WebWorker(GeventWorker):  # type: ignore[misc]
    """One web process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: dict[Any, float] = {}  # connection → since when it owes us a whole request; longest first
        self._open = 0

    def init_process(self) -> None:
        """Large blocks go back to the system when they are free, so that memory is flat (R29)."""
        with suppress(AttributeError):  # only glibc keeps them, and only glibc has this
            CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
        super().init_process()

    def run(self) -> None:
        """Serves until told to stop, then until the last answer."""
        gevent.spawn(self._look_at_waiting)
        super().run()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """One connection from its first to its last request."""
        self._open += 1
        gevent.getcurrent().waiting = _Waiting(self._waiting, client, self.cfg.keepalive - FIRST_HEAD_SECONDS)
        try:
            super().handle(listener, client, addr)
        finally:
            self._open -= 1
            self._waiting.pop(client, None)

    def timeout_ctx(self) -> "_Waiting":
        """gunicorn waits for a request's head inside."""
        context: _Waiting = gevent.getcurrent().waiting
        return context

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """One answer. Raises StopIteration when the connection is to be closed after it."""
        response, environ = wsgi.create(req, sock, addr, listener_name, self.cfg, response_class=OneSend)
        environ["wsgi.multithread"] = True
        if not self.alive:
            response.force_close()
        try:
            self._answer(response, environ)
        except OSError:
            raise
        except Exception:
            if not response.headers_sent:
                raise
            self.log.exception("an answer broke off")  # a second head would corrupt it
            response.force_close()
        except (gevent.GreenletExit, SystemExit):
            response.force_close()
        if _much_is_unread(req.body):
            _throw_away(sock)
            raise StopIteration
        if response.should_close() or not self.alive:  # a stream that ended because we end is not followed by another request
            raise StopIteration
        gevent.getcurrent().waiting.let_others_run()

    def _answer(self, response: OneSend, environ: dict[str, Any]) -> None:
        answer = self.wsgi(environ, response.start_response)
        try:
            for piece in answer:
                if getattr(answer, "has_sent_its_last", False):
                    response.end_with_this()
                response.write(piece)
            response.close()
        finally:
            if hasattr(answer, "close"):
                answer.close()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """What is no request is answered a little later: thousands of them a second would leave no time for others.

        Nothing of what a stranger sent is logged.
        """
        gevent.sleep(MALFORMED_SECONDS)
        if not isinstance(exc, ParseException) or isinstance(exc, (InvalidResponseHeader, InvalidResponseHeaderName)):
            super().handle_error(req, client, addr, exc)
            return
        self.log.info("malformed request: %s", type(exc).__name__)
        status, words = REFUSED.get(type(exc), ("400 Bad Request", "The HTTP request is malformed."))
        body = MALFORMED % words.encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        with suppress(OSError):
            client.sendall(head.encode() + body)

    def _look_at_waiting(self) -> None:
        while True:
            gevent.sleep(LOOK_SECONDS)
            now = time.monotonic()
            late = [client for client, since in self._waiting.items() if now - since > self.cfg.keepalive]
            if self._open > FULL * self.worker_connections:
                surplus = self._open - int(ROOM * self.worker_connections)
                late = list(self._waiting)[: max(surplus, len(late))]
            for client in late:
                del self._waiting[client]
                _shut(client, socket.SHUT_RD)  # its greenlet reads the end; a request that came whole at this instant is still answered
            hurry = HURRIED_SECONDS if self._open > FULL * self.worker_connections else 0.0
            for client in [client for client, due in OneSend.being_sent.items() if now > due - hurry]:
                _shut(client, socket.SHUT_RDWR)


class _Waiting:
    """While inside, the connection is among those that owe a request; the first one is due sooner than the next."""

    __slots__ = ("_client", "_loop", "_round", "_sooner_seconds", "_waiting")

    def __init__(self, waiting: dict[Any, float], client: Any, sooner_seconds: float) -> None:
        self._waiting = waiting
        self._client = client
        self._sooner_seconds = sooner_seconds
        self._loop = gevent.get_hub().loop
        self._round = -1

    def let_others_run(self) -> None:
        """A client whose requests were all there and needed no waiting would keep the processor to itself for as long as it sends."""
        if self._loop.iteration == self._round:
            gevent.sleep(PIPELINE_SECONDS)
        self._round = self._loop.iteration

    def __enter__(self) -> None:
        self._waiting[self._client] = time.monotonic() - self._sooner_seconds

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._waiting.pop(self._client, None)
        self._sooner_seconds = 0.0


def _raw(client: Any) -> Any:
    """The system's own socket under gevent's, which would wait, or tell a waiting reader that it was closed."""
    return getattr(client, "_sock", client)


def _shut(client: Any, way: int) -> None:
    with suppress(OSError):
        _raw(client).shutdown(way)


def _much_is_unread(body: Any) -> bool:
    """Whether more of the request's body may still come than gunicorn, a kilobyte at a time, should take off the connection."""
    if body.failed:
        return False
    reader = body.reader
    left = getattr(reader, "length", None)
    return left > SMALL_REST if left is not None else getattr(reader, "parser", None) is not None


def _throw_away(client: Any) -> None:
    """What still comes is read and forgotten for a while: closing on unread bytes would reset the connection before its answer arrives."""
    until = time.monotonic() + LINGER_SECONDS
    try:
        client.shutdown(socket.SHUT_WR)
        client.settimeout(LINGER_SECONDS)
        while time.monotonic() < until and client.recv(262_144):
            gevent.sleep(0.01)
    except OSError:
        return


def _http_date() -> str:
    second = int(time.time())
    if OneSend._date[0] != second:
        OneSend._date = (second, formatdate(second, usegmt=True))
    return OneSend._date[1]
