"""Files that nobody takes: a third is refused after a wait, others have theirs whole, and whoever hangs up leaves a place (R31)."""

import csv
import io
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection

import pytest

from reseller.clock import new_id, now
from reseller.domain.usage import request_id
from reseller.turns import LONGEST_SECONDS
from reseller.web.page_turns import EXPORTS_AT_ONCE
from tests.bounds.stage import Stage
from tests.bounds.upstream import QUICK
from tests.domain.usage import calls
from tests.shop import Answer, exchange
from tests.staff import cookie_of

HERE, NEXT_DOORS = "127.0.1.2", ("127.0.2.2", "127.0.3.2")  # one of these may share a queue with the first
ROWS = 2_345
LONG_NAME = "acme/" + "x" * 4_000  # so that a file is longer than what sockets hold


@dataclass(frozen=True, slots=True)
class Reader:
    """A customer with a long file; `ids` are those of its calls, the newest first."""

    port: int
    cookie: str
    ids: list[str]

    def asks(self, path: str = "/usage/calls.csv") -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {self.cookie}\r\n\r\n".encode()

    def stall(self) -> socket.socket:
        """A connection that has the first bytes of the file and takes no more."""
        taker = socket.socket()
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        taker.settimeout(LONGEST_SECONDS * 2)
        taker.bind((HERE, 0))
        taker.connect(("127.0.0.1", self.port))
        taker.sendall(self.asks())
        assert taker.recv(12) == b"HTTP/1.1 200"
        return taker

    def get(self, path: str = "/usage/calls.csv", *, address: str = HERE) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LONGEST_SECONDS * 3, source_address=(address, 0))
        try:
            return exchange(connection, path, headers={"Cookie": self.cookie, "Host": "localhost"})
        finally:
            connection.close()

    def has_all(self, file: Answer) -> bool:
        rows = csv.DictReader(io.StringIO(file.body.decode(), newline=""))
        return file.status == 200 and [row["request_id"] for row in rows] == self.ids


@pytest.fixture
def reader(stage: Stage) -> Reader:
    person = stage.shop.customer().person
    with stage.shop.at_work():
        moments = [now() - timedelta(seconds=number + 60) for number in range(ROWS)]
        rows = [calls.row(at, person.account_id, id=new_id(at), model=LONG_NAME) for at in moments]
        calls.write(rows)
        name, value = cookie_of(stage.shop.app, person.user_id, has_second_factor=False)
    return Reader(stage.shop.web.port, f"{name}={value}", [request_id(row["id"]) for row in rows])


def test_files_that_nobody_takes_keep_their_own_network_from_files_alone(stage: Stage, reader: Reader) -> None:
    with ExitStack() as stack:
        for _ in range(EXPORTS_AT_ONCE):
            stack.callback(reader.stall().close)
        with ThreadPoolExecutor(1) as pool:
            third = pool.submit(reader.get)
            pages = [reader.get(path).status for path in ("/overview", "/usage", "/usage/calls")]
            next_door = [reader.get(address=address) for address in NEXT_DOORS]
            called = [stage.good.chat(QUICK).status for _ in range(5)]
            refused = third.result()
    after = [reader.get() for _ in range(EXPORTS_AT_ONCE + 1)]

    assert (pages, called) == ([200] * 3, [200] * 5)
    assert any(reader.has_all(file) for file in next_door)
    assert (refused.status, refused.headers["retry-after"]) == (429, "5")
    assert b"Too many exports at once" in refused.body
    assert [reader.has_all(file) for file in after] == [True] * len(after), "who hung up left a place"
