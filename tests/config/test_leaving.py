"""How a web worker's listener is closed: what is queued is served as far as there are places, and closing never waits (R39)."""

import errno
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer

from config.leaving import close_door

PLACES = 2
log = logging.getLogger("test")


class Served:
    """A listener with PLACES places whose connections stay until `may_end` is set."""

    def __init__(self) -> None:
        self.count = 0
        self.may_end = Event()
        self.server = StreamServer(("127.0.0.1", 0), handle=self._serve, spawn=Pool(PLACES))
        self.server.start()

    def _serve(self, client: Any, address: Any) -> None:
        self.count += 1
        self.may_end.wait(20)


@pytest.fixture
def served() -> Iterator[Served]:
    opened = Served()
    yield opened
    opened.may_end.set()
    opened.server.stop(timeout=1)


def connected(stack: ExitStack, served: Served, number: int) -> None:
    """So many more are connected; the server has not looked since, unless it has an event loop's turn."""
    for _ in range(number):
        stack.enter_context(socket.create_connection(served.server.address))


def test_what_is_queued_is_served(served: Served) -> None:
    with ExitStack() as stack:
        gevent.sleep(0.05)  # a pool that is new has places: the server is told so once, and would begin again
        served.server.stop_accepting()
        connected(stack, served, PLACES)
        assert served.count == 0

        close_door(served.server, log)
        gevent.sleep(0)

        assert served.count == PLACES


def test_without_a_place_the_door_is_closed_all_the_same(served: Served) -> None:
    """Whoever waited for one would never begin to drain, and running answers would be killed unpaid."""
    with ExitStack() as stack, gevent.Timeout(5):
        connected(stack, served, PLACES)
        gevent.sleep(0.1)
        connected(stack, served, 3)

        close_door(served.server, log)

        assert served.count == PLACES
        assert served.server.closed


def test_a_listener_that_fails_is_closed_and_it_is_told(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_files() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(served.server, "do_read", no_files)
    close_door(served.server, log)

    assert served.server.closed
    assert "Too many open files" in caplog.text
