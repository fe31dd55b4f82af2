"""A proxy for PostgreSQL that knows a COMMIT of the till, or of a transaction about something, and decides what becomes of it."""

import asyncio
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Self

from tests.faults.proxy import Link, Proxy
from tests.waiting import wait_until

TILL = b"application_name\0reseller-till\0"
COMMIT = b"COMMIT"
READY = b"Z\0\0\0\5"  # ReadyForQuery: everything that was sent has been carried out
NEGOTIATIONS = (80877103, 80877104)  # SSLRequest, GSSENCRequest: no type byte, and a start message follows


class Fate(Enum):
    """What becomes of a COMMIT."""

    NEVER_ARRIVES = auto()  # the connection is cut, the server has not seen it
    ANSWER_LOST = auto()  # the server has committed, then the connection is cut
    ANSWER_CUT_SHORT = auto()  # the same, after the first half of the answer, and with an end in order
    HELD_BACK = auto()  # it waits here, and is gone if its sender is
    ANSWER_HELD_BACK = auto()  # the server has committed, its answer waits here


@dataclass(slots=True)
class Trap:
    """Catches COMMITs of tills, as many as `times` says, of those that `chooses` picks.

    With `about`, of transactions of any connection whose statements or values have named it, from the `nth` such on.
    """

    fate: Fate
    times: int | None = 1
    chooses: Callable[[], bool] = lambda: True
    about: bytes = b""
    nth: int = 1
    passed: int = 0
    caught: int = 0
    is_sprung: threading.Event = field(default_factory=threading.Event)  # the first one has met its fate

    def takes(self) -> bool:
        if (self.times is not None and self.caught >= self.times) or not self.chooses():
            return False
        self.passed += 1
        if self.passed < self.nth:
            return False
        self.caught += 1
        return True

    def await_catch(self, seconds: float = 10) -> None:
        """A COMMIT has met its fate."""
        wait_until(self.is_sprung.is_set, seconds)


class PostgresLink(Link):
    """A connection whose client messages are taken apart: a COMMIT is one message or the end of one."""

    proxy: "PostgresProxy"

    def __init__(self, proxy: Proxy, client: asyncio.Transport) -> None:
        super().__init__(proxy, client)
        self._unread = bytearray()
        self._is_started = False
        self._is_till = False
        self._is_about = False  # what the trap is about was named since the last COMMIT
        self._trap: Trap | None = None
        self._answer = bytearray()

    def client_said(self, piece: bytes) -> None:
        self._unread += piece
        while message := self._next_message():
            self._pass(message)

    def server_said(self, piece: bytes) -> None:
        if self._trap is None:
            self.to_client(piece)
            return
        self._answer += piece
        if READY in self._answer:
            if self._trap.fate is Fate.ANSWER_CUT_SHORT:
                self.client.write(bytes(self._answer[: len(self._answer) // 2]))
                self.client.close()
            elif self._trap.fate is Fate.ANSWER_LOST:
                self.cut()
            self._trap.is_sprung.set()

    def client_left(self) -> None:
        if self._trap is not None and self._trap.fate is Fate.HELD_BACK and self.server is not None:
            self.server.abort()
        super().client_left()

    def _next_message(self) -> bytes:
        """The next whole message, b"" if it has not all come yet."""
        start = 1 if self._is_started else 0
        if len(self._unread) < start + 4:
            return b""
        size = start + int.from_bytes(self._unread[start : start + 4])
        if len(self._unread) < size:
            return b""
        message = bytes(self._unread[:size])
        del self._unread[:size]
        if not self._is_started and int.from_bytes(message[4:8]) not in NEGOTIATIONS:
            self._is_started, self._is_till = True, TILL in message
        return message

    def _pass(self, message: bytes) -> None:
        trap = self.proxy.trap
        if self._trap is not None and self._trap.fate is Fate.HELD_BACK:
            return
        if trap is None or not self._is_its(trap, message) or not trap.takes():
            self.to_server(message)
            return
        self._trap = trap
        if trap.fate not in (Fate.NEVER_ARRIVES, Fate.HELD_BACK):
            self.to_server(message)
            return
        if trap.fate is Fate.NEVER_ARRIVES:
            self.cut()
        trap.is_sprung.set()

    def _is_its(self, trap: Trap, message: bytes) -> bool:
        """Whether this is a COMMIT that the trap waits for."""
        self._is_about |= bool(trap.about) and trap.about in message
        if COMMIT not in message:
            return False
        is_its = self._is_about if trap.about else self._is_till
        self._is_about = False
        return is_its


class PostgresProxy(Proxy):
    """Between the product and PostgreSQL."""

    def __init__(self, target_port: int) -> None:
        self.trap: Trap | None = None
        super().__init__(target_port, PostgresLink)

    def catch(self, fate: Fate, *, times: int | None = 1) -> Trap:
        """From now on the next COMMITs of tills, in whatever process, meet this fate."""
        trap = Trap(fate, times)
        self.trap = trap
        return trap

    def catch_about(self, fate: Fate, about: str, *, nth: int = 1) -> Trap:
        """From now on the nth COMMIT of a transaction that has named this meets this fate, whoever makes it."""
        self.trap = Trap(fate, about=about.encode(), nth=nth)
        return self.trap

    def catch_some(self, fate: Fate, share: float, dice: random.Random) -> Trap:
        """From now on this share of all COMMITs of tills meets this fate."""
        self.trap = Trap(fate, None, lambda: dice.random() < share)
        return self.trap

    def let_all_pass(self) -> None:
        self.trap = None

    def __enter__(self) -> Self:
        return self
