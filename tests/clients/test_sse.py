"""Frames are found wherever the network cuts the bytes, and nothing grows without bound."""

import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller.clients.failures import BrokenAnswer
from reseller.clients.sse import Frames, data_of, frames_in
from tests.clients.conftest import sample

STREAM = sample("chat_stream.sse")
PIECES_OF_STREAMS = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b"\r", b"data: x", b": c", "🐎".encode(), b"data: [DONE]"]), max_size=40
)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(stream) + 1) for place in places}), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=60))
def test_a_real_stream_gives_the_same_frames_however_it_is_cut(places: list[int]) -> None:
    frames = Frames()

    found = [frame for piece in cut(STREAM, places) for frame in frames.feed(piece)]

    assert found == list(frames_in(STREAM))
    assert b"".join(found) == STREAM
    assert frames.rest == b""


@given(PIECES_OF_STREAMS, st.lists(st.integers(min_value=0, max_value=400), max_size=60))
def test_any_bytes_give_the_same_frames_however_they_are_cut(parts: list[bytes], places: list[int]) -> None:
    stream = b"".join(parts)
    at_once, piecewise = Frames(), Frames()

    expected = at_once.feed(stream)
    found = [frame for piece in cut(stream, places) for frame in piecewise.feed(piece)]

    assert found == expected
    assert b"".join(found) + piecewise.rest == stream
    assert piecewise.rest == at_once.rest


@given(PIECES_OF_STREAMS, st.lists(st.integers(min_value=0, max_value=400), max_size=60))
def test_blocks_hold_the_same_bytes_as_their_frames(parts: list[bytes], places: list[int]) -> None:
    stream = b"".join(parts)
    one_by_one, blocks = Frames(), Frames()

    frames = [b"".join(one_by_one.feed(piece)) for piece in cut(stream, places)]

    assert frames == [blocks.take_block(piece) for piece in cut(stream, places)]


def test_the_data_of_a_real_stream_is_json_up_to_the_end_mark() -> None:
    values = [data_of(frame) for frame in frames_in(STREAM)]

    assert values[:2] == [None, None]
    assert values[-1] == b"[DONE]"
    assert [orjson.loads(value)["object"] for value in values[2:-1] if value] == ["chat.completion.chunk"] * 4


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        (b"data: one\n\n", b"one"),
        (b"data: one\r\n\r\n", b"one"),
        (b"data:one\n\n", b"one"),
        (b"data:  one\n\n", b" one"),
        (b"data: one\ndata: two\n\n", b"one\ntwo"),
        (b"event: error\r\ndata: {\r\ndata: }\r\n\r\n", b"{\n}"),
        (b": comment\n\n", None),
        (b": comment\ndata: one\n\n", b"one"),
        (b"event: ping\n\n", None),
        (b"data:\n\n", b""),
    ],
)
def test_data_is_read_as_the_standard_says(frame: bytes, data: bytes | None) -> None:
    assert data_of(frame) == data


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    """R29: one line of a stream is at most 1 MB."""
    frames = Frames()
    piece = b"x" * 65_536
    for _ in range(16):
        frames.take_block(piece)

    with pytest.raises(BrokenAnswer):
        frames.take_block(piece)


@pytest.mark.parametrize("piece_bytes", [1_000, 70_000, 3_000_000])
def test_a_too_long_frame_is_refused_however_it_is_cut(piece_bytes: int) -> None:
    stream = b"data: ok\n\ndata: " + b"x" * 1_100_000 + b"\n\n"
    pieces = [stream[start : start + piece_bytes] for start in range(0, len(stream), piece_bytes)]

    with pytest.raises(BrokenAnswer):
        list(map(Frames().feed, pieces))


def test_many_frames_in_one_large_piece_are_no_long_line() -> None:
    stream = (b"data: " + b"x" * 1_000 + b"\n\n") * 3_000

    assert Frames().take_block(stream) == stream


def test_lines_that_never_make_a_frame_are_bounded_too() -> None:
    with pytest.raises(BrokenAnswer):
        list(map(Frames(max_line_bytes=1_000).take_block, [b"data: x\n"] * 1_000))
