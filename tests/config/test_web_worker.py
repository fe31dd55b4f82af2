"""The web worker's own part: answers that nobody takes (R29)."""

import socket

import gevent
from gevent import socket as gevent_socket

from config.sending import OneSend
from config.web_worker import _shut

MORE_THAN_ANY_BUFFER = b"x" * 20_000_000


def test_an_answer_that_nobody_takes_is_known_and_can_be_cut_off() -> None:
    ours, theirs = gevent_socket.socketpair()
    answer = OneSend(None, ours, None)
    sending = gevent.spawn(answer._send, MORE_THAN_ANY_BUFFER)
    gevent.sleep(0.05)
    waited_for = ours in OneSend.being_sent

    _shut(ours, socket.SHUT_RDWR)
    sending.join(5)

    assert waited_for
    assert isinstance(sending.exception, OSError)
    assert ours not in OneSend.being_sent
    theirs.close()


def test_an_answer_that_is_taken_leaves_whole_and_is_not_watched() -> None:
    ours, theirs = gevent_socket.socketpair()
    answer = OneSend(None, ours, None)
    taken = gevent.spawn(lambda: sum(len(theirs.recv(1 << 20)) for _ in iter(lambda: taken_all(theirs), True)))
    answer._send(b"short")

    assert ours not in OneSend.being_sent
    ours.close()
    taken.join(5)
    assert taken.value == len(b"short")
    theirs.close()


def taken_all(client: gevent_socket.socket) -> bool:
    """The other side has closed and nothing is left."""
    return client.recv(1, socket.MSG_PEEK) == b""
