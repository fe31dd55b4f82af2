"""Names of strangers are looked up in threads of their own, and only so many of one owner at once (R33)."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from reseller.clients import name_lookup
from reseller.clients.name_lookup import MOST_OF_ONE, Lookups, NotResolved
from tests.house.source import ROOT

IN_A_PATCHED_PROCESS = """
from gevent import monkey; monkey.patch_all()
import _socket, os, gevent

for_ever = monkey.get_original("threading", "Event")()

def answer(host, port, *more, **named):
    if str(host).endswith(".silent.example"):
        for_ever.wait()
    return [(2, 1, 6, "", ("127.0.0.1", port))]

_socket.getaddrinfo = answer
import socket
from reseller.clients.webhook_sender import NotSent, Reach, WebhookSender

sender = WebhookSender(user_agent="Webhooks/1.0", reach=Reach.PUBLIC, total_seconds=0.2)

def post(number):
    try:
        sender.post(f"https://a{number}.silent.example/", b"{}", {}, owner=f"account {number // 3}")
    except NotSent as error:
        return str(error)

said = {job.get() for job in [gevent.spawn(post, number) for number in range(15)]}
with gevent.Timeout(10):
    socket.getaddrinfo("smtp.example.com", 25)
print(*said, flush=True)
os._exit(0)
"""


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Nobody answers for names in .silent.example before this is set."""
    answered = threading.Event()

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        if host.endswith(".silent.example"):
            answered.wait(30)
        if host.endswith(".nowhere.example"):
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("8.8.8.8", "1.1.1.1", "8.8.8.8")]

    monkeypatch.setattr(name_lookup.socket, "getaddrinfo", getaddrinfo)
    yield answered
    answered.set()


def ask(lookups: Lookups, host: str, owner: str = "a", seconds: float = 5) -> tuple[str, ...]:
    return lookups.addresses_of(host, 443, owner=owner, seconds=seconds)


def test_every_address_is_told_once(silence: threading.Event) -> None:
    assert ask(Lookups(), "hooks.example.com") == ("8.8.8.8", "1.1.1.1")


@pytest.mark.parametrize("host", ["x.nowhere.example", "a\x00b"])
def test_a_name_that_is_none_is_said(silence: threading.Event, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "\x00" in host:
        monkeypatch.undo()

    with pytest.raises(NotResolved, match="cannot be resolved"):
        ask(Lookups(), host)


def test_names_that_nobody_answers_for_take_no_room_from_other_owners(silence: threading.Event) -> None:
    """Guard: a lookup counts until the resolver has given up, not only until we have."""
    lookups = Lookups()
    for number in range(MOST_OF_ONE):
        with pytest.raises(TimeoutError):
            ask(lookups, f"{number}.silent.example", seconds=0.01)

    with pytest.raises(NotResolved, match="others of the same owner"):
        ask(lookups, "quick.example")
    assert ask(lookups, "quick.example", owner="b") == ("8.8.8.8", "1.1.1.1")

    silence.set()
    with gevent.Timeout(10):
        while lookups._of_owner:
            gevent.sleep(0)
    assert ask(lookups, "quick.example") == ("8.8.8.8", "1.1.1.1")


def test_nobody_else_of_the_process_waits_for_them() -> None:
    """Guard: gevent has ten threads for all names of a process; letters, upstreams and payments need theirs, too."""
    command = [sys.executable, "-c", IN_A_PATCHED_PROCESS]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (0, "no whole answer within 0.2 seconds\n"), done.stderr
