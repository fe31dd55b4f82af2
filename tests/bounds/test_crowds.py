"""More connections than the server has places for: whoever sends a request is served, whoever only waits makes room (R29)."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.bounds.stage import Stage
from tests.bounds.upstream import QUICK

CROWD = 4300  # config/gunicorn.py has 4,000 places


@pytest.fixture
def crowd(stage: Stage) -> Iterator[list[socket.socket]]:
    """Connections that send the first bytes of a request and nothing more."""
    with ExitStack() as stack:
        opened: list[socket.socket] = []
        for _ in range(CROWD):
            opened.append(stack.enter_context(socket.create_connection(("127.0.0.1", stage.shop.web.port), timeout=60)))
            opened[-1].send(b"POST /v1/chat")
        yield opened


def test_a_customer_is_served_beside_a_crowd_of_half_open_connections(stage: Stage, crowd: list[socket.socket]) -> None:
    pids = stage.shop.web.worker_pids

    answers = [stage.good.chat(QUICK).status for _ in range(5)]

    assert answers == [200] * 5
    assert stage.shop.web.worker_pids == pids
