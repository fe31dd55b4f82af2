"""Noticing that the client hung up, at once and not at the next write.

A read watcher on the client's socket peeks when bytes or the end arrive: an empty peek is the
end, unless we have shut that side ourselves, as the web worker does with connections that were
silent for too long; a request that came whole at that instant is answered, and from then on a
failing write tells. gunicorn hands the socket over as `gunicorn.socket`; where it is missing
(tests without a server) nothing is watched, and a failing write tells. Runs in the hub, so it
must not block.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gevent import get_hub, getcurrent

_READ = 1
_ESTABLISHED = b"\x01"  # tcp_info.tcpi_state, see tcp(7)


class ClientGone(Exception):
    """The client hung up while its greenlet waited for something else."""


class HangUpWatch:
    """Calls `on_gone` once when the client closes its side. `stop` is idempotent."""

    def __init__(self, environ: dict[str, Any], on_gone: Callable[[], None]) -> None:
        self.client: Any = environ.get("gunicorn.socket")
        self._socket = getattr(self.client, "_sock", self.client)
        self._on_gone: Callable[[], None] | None = on_gone
        self._is_gone = False
        self._watcher: Any = None
        if self._socket is not None:
            self._watcher = get_hub().loop.io(self._socket.fileno(), _READ)
            self._watcher.start(self._look)

    def tell(self, on_gone: Callable[[], None] | None) -> None:
        """Somebody else is told from now on, or nobody; at once if the client went while nobody was."""
        self._on_gone = on_gone
        if self._is_gone and on_gone is not None:
            on_gone()

    def stop(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.stop()
            watcher.close()

    def _look(self) -> None:
        assert self._socket is not None
        try:
            peeked = self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            peeked = b""
        self.stop()  # a pipelined request is waiting, or nobody is there any more
        if not peeked and has_hung_up(self._socket):
            self._is_gone = True
            self.tell(self._on_gone)


def has_hung_up(client: Any) -> bool:
    """Whether the connection is over, although bytes that nobody has read may have come on it.

    The client has closed its side, or all of it is closed; also true once we have shut the side that we write to. False where
    we have shut only the one that we read from.
    """
    try:
        return bool(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != _ESTABLISHED)
    except OSError:  # no connection any more, or none of TCP
        return True


@contextmanager
def giving_up(environ: dict[str, Any]) -> Iterator[HangUpWatch]:
    """A hang-up ends the block at once with ClientGone, whatever it waits for.

    The watch goes on after the block and tells nobody until it is given to whoever wants to know; who has it must stop it.
    """
    waiting = getcurrent()
    watch = HangUpWatch(environ, lambda: waiting.throw(ClientGone()))  # the watch looks in the hub
    try:
        yield watch
    except BaseException:
        watch.stop()
        raise
    watch.tell(None)
