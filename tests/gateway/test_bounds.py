"""One customer's request must not stop the others (R29, R31), nor a client that takes nothing keep a call for ever (R11)."""

import socket
from typing import Any

import pytest

from reseller.gateway import stream as stream_module
from reseller.gateway.access import LookUps
from reseller.gateway.body import MAX_DEPTH, too_deep
from reseller.gateway.stream import Stream
from reseller.gateway.watching import HangUpWatch


@pytest.mark.parametrize(
    ("raw", "is_deep"),
    [
        (b"[" * 65 + b'"' + b'\\"' * 2_000_000, True),  # an unterminated string: hours for a backtracking pattern
        (b'{"a":"' + b"x" * 5_000_000 + b'"}' + b"[]" * 65, False),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, False),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), True),
        (b'["[[[[", ' * 30 + b"1" + b"]" * 30, False),
    ],
    ids=["escaped quotes", "long string", "deep enough", "too deep", "brackets in strings"],
)
def test_depth_is_measured_in_one_pass(raw: bytes, is_deep: bool) -> None:
    """The suite's time limit stands behind the first case."""
    assert too_deep(raw) is is_deep


class Silent:
    """An upstream's reply of which only the closing matters."""

    is_stream, generation_id = True, None

    def __init__(self) -> None:
        self.is_closed = False

    def read1(self, wait_seconds: float | None = None) -> bytes | None:
        return None

    def read_all(self) -> bytes:
        return b""

    def close(self) -> None:
        self.is_closed = True


def test_a_client_that_takes_nothing_is_cut_off_and_its_call_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server blocks in its write meanwhile, so nobody else would notice."""
    ours, theirs = socket.socketpair()
    reply, ends, clock = Silent(), [], [0.0]
    monkeypatch.setattr(stream_module, "monotonic", lambda: clock[0])
    rewriter: Any = type("Seen", (), {"output_bytes": 0, "error": None})()
    stalled = Stream(reply, rewriter, lambda status, *_: ends.append(str(status)), wants_usage=False)
    stalled.watch(HangUpWatch({"gunicorn.socket": ours}, stalled.hung_up))
    next(stalled)  # a heartbeat, which the server now tries to write

    clock[0] = 59.0
    stalled.cut_off_if_stalled(60)
    was_patient = not reply.is_closed
    clock[0] = 61.0
    stalled.cut_off_if_stalled(60)
    stalled.close()

    assert was_patient
    assert reply.is_closed
    assert theirs.recv(1) == b""
    assert ends == ["abandoned"]
    ours.close()
    theirs.close()


def test_a_few_well_formed_keys_a_second_are_looked_up_all_the_same() -> None:
    """So that a valid key behind the same router is not locked out."""
    look_ups = LookUps(per_second=2)

    taken = [look_ups.take() for _ in range(4)]

    assert taken == [True, True, False, False]
