"""The load generator tells right answers from wrong ones: a fast wrong answer must never look like speed."""

import pytest

from tests.bench.answers import BURST, SLOW, WHOLE, Kind, stream_pieces, whole_answer
from tests.bench.checking import Expected, framing_of, problem_with


def judged(raw: bytes, kind: Kind) -> str:
    received = bytearray(raw)
    framing = framing_of(received)
    assert framing is not None
    expected = Expected(tuple(mark.encode() for mark in kind.marks(is_charged=False)), kind.events)
    return problem_with(received, framing, expected) if framing.is_over(received) else "not over"


@pytest.mark.parametrize("kind", [BURST, SLOW])
def test_a_whole_stream_is_right(kind: Kind) -> None:
    assert judged(b"".join(stream_pieces(kind)), kind) == ""


def test_a_whole_answer_is_right() -> None:
    assert judged(whole_answer(), WHOLE) == ""


@pytest.mark.parametrize(
    ("replaced", "by", "complaint"),
    [
        (b"200 OK", b"503 No", "not a 200"),
        (b'"cost":0.0001', b'"cost":0.0002', "missing"),
        (b"that is all.", b"that is not.", "missing"),
    ],
)
def test_an_answer_with_another_status_cost_or_end_is_wrong(replaced: bytes, by: bytes, complaint: str) -> None:
    raw = whole_answer().replace(replaced, by)

    assert complaint in judged(raw, WHOLE)


def test_a_stream_that_lacks_an_event_is_wrong() -> None:
    pieces = stream_pieces(BURST)

    assert "events instead of 63" in judged(b"".join(pieces[:5] + pieces[6:]), BURST)


def test_a_stream_with_a_broken_chunk_length_is_wrong() -> None:
    raw = b"".join(stream_pieces(BURST))
    first = raw.index(b"\r\n\r\n") + 4

    assert "not framed" in judged(raw[:first] + b"1" + raw[first:], BURST)


@pytest.mark.parametrize("kind", [BURST, SLOW])
def test_a_stream_without_its_last_bytes_is_not_over(kind: Kind) -> None:
    assert judged(b"".join(stream_pieces(kind))[:-5], kind) == "not over"


def test_charges_are_costs_and_a_quarter_in_nano_dollars() -> None:
    assert (WHOLE.charge_nano, BURST.charge_nano, SLOW.charge_nano) == (125_000, 125_000, 106_250)
