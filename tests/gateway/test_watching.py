"""Who counts as having hung up (R9): a client that closed its side, never one whose side we have shut."""

import socket
from collections.abc import Iterator

import gevent
import pytest

from reseller.gateway.watching import HangUpWatch, has_hung_up

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Ours and the client's end of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        client = socket.create_connection(door.getsockname())
        ours, _ = door.accept()
    with ours, client:
        yield ours, client


def told_of(ours: socket.socket) -> list[str]:
    told: list[str] = []
    watch = HangUpWatch({"gunicorn.socket": ours}, lambda: told.append("gone"))
    gevent.sleep(0.05)
    watch.stop()
    return told


def test_a_client_that_closes_has_hung_up(pair: Pair) -> None:
    ours, client = pair
    client.close()

    assert told_of(ours) == ["gone"]
    assert has_hung_up(ours)


def test_a_client_that_breaks_the_connection_has_hung_up(pair: Pair) -> None:
    ours, client = pair
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    client.close()

    assert told_of(ours) == ["gone"]


def test_a_client_that_waits_has_not_hung_up(pair: Pair) -> None:
    ours, client = pair
    client.sendall(b"the next request, perhaps")

    assert told_of(ours) == []
    assert not has_hung_up(ours)


def test_a_client_whose_side_we_have_shut_has_not_hung_up(pair: Pair) -> None:
    """The web worker shuts connections that were silent for too long; a request that came at that instant is answered, not charged as
    one that nobody waited for."""
    ours, _ = pair
    ours.shutdown(socket.SHUT_RD)

    assert told_of(ours) == []


def test_what_is_no_connection_has_nobody_at_its_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert has_hung_up(ours)
