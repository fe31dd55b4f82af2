"""Forms and events that trickle in: each is ended, more than may are refused or make room, and nobody else notices (R29, R31)."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from reseller.callbacks import EVENT_SECONDS
from reseller.web.forms_read import FORM_SECONDS, OF_A_NETWORK, OF_ALL
from tests.bounds.stage import Stage
from tests.bounds.upstream import QUICK
from tests.waiting import wait_until

HERE, NEXT_DOOR = "127.0.1.1", "127.0.2.1"
HEAD = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
LONG, SHORT = HEAD + b"Content-Length: 1000\r\n\r\nemail=", HEAD + b"Content-Length: 7\r\n\r\nemail=a"
EVENT = b"POST /callbacks/stripe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{"
LARGE_EVENT = EVENT.replace(b"60000", b"900000") + b" " * 70_000
PAGE = b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Sender:
    """One connection from an address of this machine."""

    def __init__(self, port: int, address: str = HERE) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=FORM_SECONDS * 3, source_address=(address, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, raw: bytes) -> None:
        self._socket.sendall(raw)

    def answer(self, end: bytes = b"</h1>") -> tuple[int, bytes]:
        """Status and the first words of the page; waits for them."""
        received = b""
        while end not in received:
            piece = self._socket.recv(65_536)
            assert piece, f"the server closed after {received!r}"
            received += piece
        return int(received.split(b" ", 2)[1]), received

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def senders(stage: Stage) -> Iterator[list[Sender]]:
    """As many slow forms of one network as may be read at once, each with some bytes here and the rest to come."""
    with ExitStack() as stack:
        opened: list[Sender] = []
        for _ in range(OF_A_NETWORK):
            opened.append(Sender(stage.shop.web.port))
            stack.callback(opened[-1].close)
            opened[-1].send(LONG)
        yield opened


def asked(stage: Stage, raw: bytes, address: str) -> int:
    """The status of one request."""
    sender = Sender(stage.shop.web.port, address)
    try:
        sender.send(raw)
        return sender.answer()[0]
    finally:
        sender.close()


def is_full(stage: Stage) -> bool:
    """Whether the server reads all of them: the next form of their network is refused."""
    return asked(stage, SHORT, HERE) == 429


def test_slow_forms_are_ended_and_their_neighbours_served_meanwhile(stage: Stage, senders: list[Sender]) -> None:
    """Network, next door and customer share one process. A form without a token is read, and refused as 400."""
    started = time.monotonic()
    wait_until(lambda: is_full(stage), FORM_SECONDS / 2)
    pages = [asked(stage, PAGE, address) for address in (HERE, NEXT_DOOR)]
    form, calls = asked(stage, SHORT, NEXT_DOOR), [stage.good.chat(QUICK).status for _ in range(5)]
    for sender in senders:
        sender.send(b"x")  # another byte is no reason to wait longer

    ended = [sender.answer() for sender in senders]
    took = time.monotonic() - started

    assert (pages, form, calls) == ([200, 200], 400, [200] * 5)
    assert {status for status, _ in ended} == {408}
    assert all(b"That took too long" in page for _, page in ended)
    assert took < FORM_SECONDS * 2
    assert asked(stage, SHORT, HERE) == 400, "their places were given back"


def test_whoever_hangs_up_in_the_middle_of_a_form_leaves_a_place(stage: Stage, senders: list[Sender]) -> None:
    wait_until(lambda: is_full(stage), FORM_SECONDS / 2)

    for sender in senders:
        sender.close()

    wait_until(lambda: not is_full(stage), FORM_SECONDS / 2)


def test_who_trickles_from_many_networks_makes_room_for_a_form_that_is_there(stage: Stage) -> None:
    """As many as may be read of all, and some: those that were waited for longest are ended before their time."""
    networks = OF_ALL // OF_A_NETWORK + 1
    started = time.monotonic()
    with ExitStack() as stack:
        opened: list[Sender] = []
        for number in range(networks * OF_A_NETWORK):
            opened.append(Sender(stage.shop.web.port, f"127.1.{number % networks}.1"))
            stack.callback(opened[-1].close)
            opened[-1].send(LONG)

        form = asked(stage, SHORT, NEXT_DOOR)
        ended, took = opened[0].answer(), time.monotonic() - started

    assert form == 400, "a form without a token is read, and refused"
    assert ended[0] == 408
    assert took < FORM_SECONDS


@pytest.mark.parametrize("event", [EVENT, LARGE_EVENT], ids=["small", "large"])
def test_an_event_that_trickles_is_not_waited_for(stage: Stage, event: bytes) -> None:
    sender, started = Sender(stage.shop.web.port), time.monotonic()
    try:
        sender.send(event)
        status, _ = sender.answer(b"too slowly")
    finally:
        sender.close()

    assert status == 408
    assert EVENT_SECONDS <= time.monotonic() - started < EVENT_SECONDS * 2
