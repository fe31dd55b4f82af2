"""gunicorn's gevent worker, with less work for each answer and bounds for clients that wait.

Parsing and framing stay gunicorn's. Ours: the head leaves together with the first bytes of the body (a send costs as much
as reading a whole request), and one look a second replaces a timer for each request: connections that have been silent for
too long are closed, and when nearly all places are taken, those that have waited longest without a whole request make room.
"""

import socket
import time
from email.utils import formatdate
from types import TracebackType
from typing import Any

import gevent
from gunicorn.http import wsgi
from gunicorn.workers.ggevent import GeventWorker

LOOK_SECONDS = 1.0
FULL = 0.95
ROOM = 0.9
"""Shares of the connections a worker may have: above the first the longest waiting are closed, down to the second."""


class OneSend(wsgi.Response):  # type: ignore[misc]
    """An answer whose head waits for the first bytes of its body."""

    headers_sent: bool
    _date = (0, "")
    _head = b""

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
        end = b"0\r\n\r\n" if self.chunked else b""
        if self._head or end:
            self._send(self._head + end)

    def _emit_body(self, data: bytes) -> None:
        self._send(b"%b%X\r\n%b\r\n" % (self._head, len(data), data) if self.chunked else self._head + data)

    def _send(self, data: bytes) -> None:
        self._head = b""
        sent = self.sock.send(data)
        if sent < len(data):
            self.sock.sendall(memoryview(data)[sent:])


class WebWorker(GeventWorker):  # type: ignore[misc]
    """One web process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: dict[Any, float] = {}  # connection → since when it owes us a whole request; longest first
        self._open = 0

    def run(self) -> None:
        """Serves until told to stop, then until the last answer."""
        gevent.spawn(self._look_at_waiting)
        super().run()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """One connection from its first to its last request."""
        self._open += 1
        self._client = client  # `timeout_ctx` is asked for before anything else can run
        try:
            super().handle(listener, client, addr)
        finally:
            self._open -= 1
            self._waiting.pop(client, None)

    def timeout_ctx(self) -> "_Waiting":
        """gunicorn waits for a request's head inside."""
        greenlet = gevent.getcurrent()
        context: _Waiting | None = getattr(greenlet, "waiting", None)
        if context is None:
            context = greenlet.waiting = _Waiting(self._waiting, self._client)
        return context

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """One answer. Raises StopIteration when the connection is to be closed after it."""
        response, environ = wsgi.create(req, sock, addr, listener_name, self.cfg, response_class=OneSend)
        environ["wsgi.multithread"] = True
        self.nr += 1
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
        if response.should_close():
            raise StopIteration

    def _answer(self, response: OneSend, environ: dict[str, Any]) -> None:
        answer = self.wsgi(environ, response.start_response)
        try:
            for piece in answer:
                response.write(piece)
            response.close()
        finally:
            if hasattr(answer, "close"):
                answer.close()

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
                _stop_reading(client)


class _Waiting:
    """While inside, the connection is among those that owe a request."""

    __slots__ = ("_client", "_waiting")

    def __init__(self, waiting: dict[Any, float], client: Any) -> None:
        self._waiting = waiting
        self._client = client

    def __enter__(self) -> None:
        self._waiting[self._client] = time.monotonic()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._waiting.pop(self._client, None)


def _stop_reading(client: Any) -> None:
    """Its greenlet reads the end, and closes. A request that came whole at this instant is still answered."""
    try:
        client.shutdown(socket.SHUT_RD)
    except OSError:
        return


def _http_date() -> str:
    second = int(time.time())
    if OneSend._date[0] != second:
        OneSend._date = (second, formatdate(second, usegmt=True))
    return OneSend._date[1]
