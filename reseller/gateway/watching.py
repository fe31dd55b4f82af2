"""Noticing that the client hung up, at once and not at the next write.

A read watcher on the client's socket peeks when bytes or the end arrive: an empty peek is the
end. gunicorn hands the socket over as `gunicorn.socket`; where it is missing (tests without a
server) nothing is watched and a failing write tells. Runs in the hub, so it must not block.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gevent import get_hub, getcurrent

_READ = 1


class ClientGone(Exception):
    """The client hung up while its greenlet waited for something else."""


class HangUpWatch:
    """Calls `on_gone` once when the client closes its side. `stop` is idempotent."""

    def __init__(self, environ: dict[str, Any], on_gone: Callable[[], None]) -> None:
        client = environ.get("gunicorn.socket")
        self._socket = getattr(client, "_sock", client)
        self._on_gone = on_gone
        self._watcher: Any = None
        if self._socket is not None:
            self._watcher = get_hub().loop.io(self._socket.fileno(), _READ)
            self._watcher.start(self._look)

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
        if not peeked:
            self._on_gone()


@contextmanager
def giving_up(environ: dict[str, Any]) -> Iterator[None]:
    """A hang-up ends the block at once with ClientGone, whatever it waits for."""
    waiting = getcurrent()
    watch = HangUpWatch(environ, lambda: waiting.kill(ClientGone(), block=False))
    try:
        yield
    finally:
        watch.stop()
