"""gunicorn's gevent worker, with less work for each answer and bounds for clients that wait. Written against gunicorn 27.0.1.

Parsing and framing stay gunicorn's. Ours: the head leaves together with the first bytes of the body (a send costs as much
as reading a whole request), and one look a second replaces a timer for each request: connections that have been silent for
too long are closed, and when nearly all places are taken, those that have waited longest without a whole request make room.
"""

import socket
import time
from contextlib import suppress
from ctypes import CDLL
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
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

from config.leaving import SUCCESSOR_SECONDS, Address, Waiting, close_door, has_successor, note_begin, replacements
from config.sending import OneSend, raw

LOOK_SECONDS = 1.0
STEP_SECONDS = 0.1
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


class WebWorker(GeventWorker):  # type: ignore[misc]
    """One web process. `notice_seconds`: how long it goes on taking connections after it was told to leave (leaving.py)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: dict[Any, Waiting] = {}  # connections that owe us a whole request; longest first
        self._open = 0
        self._servers: list[Any] = []
        self.notice_seconds = 0.0
        self.has_drained = False
        self.alive: bool
        self._began_as = replacements()

    def init_process(self) -> None:
        """Large blocks go back to the system when they are free, so that memory is flat (R29)."""
        self.leaving, self.left = Event(), Event()  # told to leave; takes no more connections
        with suppress(AttributeError):  # only glibc keeps them, and only glibc has this
            CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
        super().init_process()

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """SIGTERM, from the master or its platform."""
        self.leaving.set()

    @property
    def is_replaced(self) -> bool:
        """Whether successors take over at this address: the server was reloaded, not ended."""
        return replacements() > self._began_as

    @property
    def has_connections(self) -> bool:
        """Whether anybody who was let in is still here, heard yet or not."""
        return any(server.pool.free_count() != server.pool.size for server in self._servers)

    def run(self) -> None:
        """Serves until told to leave, then until the last answer, if that comes within the time for it."""
        gevent.spawn(self._look_at_waiting)
        self._servers = [self._listen(listener) for listener in self.sockets]
        note_begin()
        while self.alive and not self.leaving.wait(LOOK_SECONDS):
            self.notify()
        began = time.monotonic()
        while self.alive and self._is_needed(time.monotonic() - began):
            self._go_on()
        for server in self._servers:
            close_door(server, self.log)
        self.alive = False
        self.left.set()
        until = time.monotonic() + self.cfg.graceful_timeout - self.notice_seconds
        while self.has_connections and time.monotonic() < until:
            self._go_on()
        for server in self._servers:
            server.stop(timeout=1)

    def _is_needed(self, seconds: float) -> bool:
        """Whether it should take connections, so long after it was told to leave."""
        has_gap = self.is_replaced and not has_successor() and seconds < SUCCESSOR_SECONDS
        return has_gap or seconds < self.notice_seconds

    def _listen(self, listener: Any) -> Any:
        listener.setblocking(True)
        pool = Pool(self.worker_connections)
        address = Address(listener)
        server = StreamServer(listener, handle=lambda client, addr: self.handle(address, client, addr), spawn=pool)
        if self.cfg.workers > 1:
            server.max_accept = 1  # the others take some, too
        server.start()
        return server

    def _go_on(self) -> None:
        self.notify()
        gevent.sleep(STEP_SECONDS)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """One connection from its first to its last request."""
        self._open += 1
        gevent.getcurrent().waiting = Waiting(self._waiting, client, self.cfg.keepalive)
        try:
            super().handle(listener, client, addr)
        finally:
            self._open -= 1
            self._waiting.pop(client, None)

    def timeout_ctx(self) -> Waiting:
        """gunicorn waits for a request's head inside."""
        context: Waiting = gevent.getcurrent().waiting
        return context

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """One answer. Raises StopIteration when the connection is to be closed after it."""
        response, environ = wsgi.create(req, sock, addr, listener_name, self.cfg, response_class=OneSend)
        environ["wsgi.multithread"] = True
        if self.leaving.is_set():
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
        if response.should_close() or (self.leaving.is_set() and self._idle_seconds() == 0):
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

    def _idle_seconds(self) -> float | None:
        """How long a connection may be idle after an answer, if not as long as ever."""
        if not self.leaving.is_set():
            return None
        return 0 if self.has_drained else self.notice_seconds

    def _look_at_waiting(self) -> None:
        while True:
            gevent.sleep(LOOK_SECONDS)
            now, idle_seconds = time.monotonic(), self._idle_seconds()
            late = [client for client, waiting in self._waiting.items() if waiting.is_late(now, idle_seconds)]
            if self._open > FULL * self.worker_connections:
                surplus = self._open - int(ROOM * self.worker_connections)
                late = list(self._waiting)[: max(surplus, len(late))]
            for client in late:
                del self._waiting[client]
                _shut(client, socket.SHUT_RD)  # its greenlet reads the end; a request that came whole at this instant is still answered
            hurry = HURRIED_SECONDS if self._open > FULL * self.worker_connections else 0.0
            for client in [client for client, due in OneSend.being_sent.items() if now > due - hurry]:
                _shut(client, socket.SHUT_RDWR)


def _shut(client: Any, way: int) -> None:
    with suppress(OSError):
        raw(client).shutdown(way)


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
