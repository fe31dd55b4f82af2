"""A form that does not arrive keeps a connection, and nobody's turn (R29, R31). Over real sockets: tests/bounds/test_slow_forms.py."""

import contextlib
import io
from collections.abc import Callable, Iterator

import gevent
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from reseller.turns import AT_ONCE
from reseller.web import forms_read
from reseller.web.forms_read import OF_A_NETWORK, OF_ALL, Readers, TooSlow
from reseller.web.hooks import hooks_of

HERE, ELSEWHERE = "203.0.113.1", "203.0.113.2"
FORM = "application/x-www-form-urlencoded"


class Trickle(io.RawIOBase):
    """A body of which a byte arrives now and then, for ever."""

    def __init__(self, turns_taken: Callable[[], int]) -> None:
        self._turns_taken = turns_taken
        self.turns_seen: set[int] = set()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self.turns_seen.add(self._turns_taken())
        gevent.sleep(0.01)
        buffer[:1] = b"x"
        return 1


@pytest.fixture
def readers(dry_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Readers:
    """Of a process whose patience is short."""
    monkeypatch.setattr(forms_read, "FORM_SECONDS", 0.1)
    fresh = Readers()
    monkeypatch.setattr(hooks_of(dry_app), "readers", fresh)
    return fresh


@contextlib.contextmanager
def being_read(readers: Readers, networks: Iterator[str] | list[str]) -> Iterator[None]:
    """A form of each of these has not arrived yet."""
    with contextlib.ExitStack() as stack:
        for network in networks:
            stack.enter_context(readers.place(network))
        yield


def send(app: Flask, body: io.RawIOBase | None = None, *, address: str = HERE, kind: str = FORM) -> TestResponse:
    """The answer to a form that is there at once, or arrives as `body` does."""
    stream, length = (io.BytesIO(b"email=a"), 7) if body is None else (body, 100_000)
    environ = {"wsgi.input": stream, "CONTENT_LENGTH": str(length), "CONTENT_TYPE": kind, "REMOTE_ADDR": address}
    return app.test_client().post("/sign-in", environ_overrides=environ)


def is_read(answer: TestResponse) -> bool:
    """Whether the form was looked into: it has no token."""
    return answer.status_code == 400 and "The form had expired" in answer.text


@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=x"])
def test_a_form_that_trickles_in_is_ended_with_a_page(dry_app: Flask, readers: Readers, kind: str) -> None:
    for _ in range(OF_A_NETWORK // 10):
        answer = send(dry_app, Trickle(lambda: 0), kind=kind)

        assert answer.status_code == 408
        assert "That took too long" in answer.text
        assert "Nothing was changed" in answer.text
    assert is_read(send(dry_app)), "its place was given back"
    assert readers._by_network.total() == 0


def test_as_many_forms_of_a_network_as_may_arrive_at_once(dry_app: Flask, readers: Readers) -> None:
    with being_read(readers, [HERE] * (OF_A_NETWORK - 1)):
        last = send(dry_app)
        with being_read(readers, [HERE]):
            refused, elsewhere, page = send(dry_app), send(dry_app, address=ELSEWHERE), dry_app.test_client().get("/nowhere")

    assert is_read(last)
    assert refused.status_code == 429
    assert "Too many forms are being sent from your network at once" in refused.text
    assert is_read(elsewhere)
    assert page.status_code == 404
    assert is_read(send(dry_app))


def test_one_network_is_one_however_many_addresses_it_has(dry_app: Flask, readers: Readers) -> None:
    """Of IPv6, whoever has one address has the 64 bits below it."""
    with being_read(readers, ["2001:db8:1:2::"] * OF_A_NETWORK):
        answers = [send(dry_app, address=address).status_code for address in ("2001:db8:1:2::7", "2001:db8:1:2:ffff::1", "2001:db8:1:3::7")]

    assert answers == [429, 429, 400]


def test_all_networks_together_have_a_bound(dry_app: Flask, readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above it, those that are waited for longest are ended: a form that is there is read all the same."""
    monkeypatch.setattr(forms_read, "FORM_SECONDS", 60)
    trickling = [gevent.spawn(readers.read, f"198.51.100.{number % 200}", lambda: gevent.sleep(60)) for number in range(OF_ALL + 2)]
    gevent.sleep(0.6)
    ended, answer = [isinstance(reader.exception, TooSlow) for reader in trickling], send(dry_app)
    gevent.killall(trickling)

    assert ended == [True] * 2 + [False] * OF_ALL
    assert is_read(answer)


def test_a_form_that_is_read_has_no_turn_of_a_page(dry_app: Flask, readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slow forms would else stand between their network and every page."""
    taken: list[str] = []
    monkeypatch.setattr(hooks_of(dry_app), "before", [lambda: taken.append("turn"), *hooks_of(dry_app).before])
    slow = [Trickle(lambda: len(taken)) for _ in range(AT_ONCE + 1)]

    answers = [send(dry_app, body) for body in slow]

    assert {answer.status_code for answer in answers} == {408}
    assert {seen for body in slow for seen in body.turns_seen} == {0}
    assert is_read(send(dry_app))
    assert taken == ["turn"]
