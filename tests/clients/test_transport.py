"""One exchange after another: timely, bounded, honest about broken answers, and gone when we go."""

import time
from collections.abc import Callable

import gevent
import pytest

from reseller.clients.connections import Connections
from reseller.clients.failures import BrokenAnswer
from reseller.clients.transport import Patience, Transport
from reseller.errors import UpstreamTimeout
from tests.clients.exchanges import OK, PATH, post, read, transport_to
from tests.clients.raw_server import RawServer
from tests.fakes.openrouter import FakeOpenRouter
from tests.waiting import wait_until

Serve = Callable[..., RawServer]


def test_connections_are_kept_and_used_again(fake: FakeOpenRouter) -> None:
    transport, connections = transport_to(fake.base_url)

    answers = [read(transport, stream=is_stream) for is_stream in (False, True, False, True)]

    assert all(answers)
    assert fake.connections == 1
    assert connections.kept == 1


def test_only_our_own_headers_are_sent(fake: FakeOpenRouter) -> None:
    """R28: the upstream gets only headers we made."""
    transport, _ = transport_to(fake.base_url)

    read(transport)

    names = [name for name, _ in fake.requests[0]["headers"]]
    assert names == ["host", "authorization", "accept-encoding", "content-type", "accept", "content-length"]
    assert ["accept-encoding", "identity"] in fake.requests[0]["headers"]


def test_pieces_arrive_when_they_are_sent(fake: FakeOpenRouter) -> None:
    transport, _ = transport_to(fake.base_url)
    exchange = post(transport, "fake/slow", stream=True)

    first = exchange.read1()
    bill_at_first_piece = fake.billed[0]["ended"]
    rest = list(iter(exchange.read1, b""))

    assert first
    assert bill_at_first_piece is False
    assert len(rest) > 5


def test_a_burst_is_one_piece(fake: FakeOpenRouter) -> None:
    transport, _ = transport_to(fake.base_url)

    exchange = post(transport, "fake/burst", stream=True)

    assert exchange.read1().endswith(b"data: [DONE]\n\n")
    assert exchange.read1() == b""


@pytest.mark.parametrize("model", ["fake/reset", "fake/close", "fake/garbage", "fake/large-head"])
def test_no_answer_is_broken_and_never_asked_for_twice(fake: FakeOpenRouter, model: str) -> None:
    """R32: nothing is sent again once a byte of the request was accepted."""
    transport, connections = transport_to(fake.base_url)

    with pytest.raises(BrokenAnswer):
        read(transport, model)

    assert len(fake.requests) == 1
    assert connections.kept == 0


@pytest.mark.parametrize("model", ["fake/reset-mid-stream", "fake/stop-mid-stream"])
def test_a_stream_that_ends_too_early_is_broken_after_what_came(fake: FakeOpenRouter, model: str) -> None:
    transport, connections = transport_to(fake.base_url)
    exchange = post(transport, model, stream=True)
    received: list[bytes] = []

    with pytest.raises(BrokenAnswer):
        received.extend(iter(exchange.read1, b""))

    assert b"".join(received).count(b"data: ") == 3
    assert connections.kept == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n99\r\nshort",
    ],
)
def test_what_came_before_the_break_is_delivered_first(serve: Serve, answer: bytes) -> None:
    transport, _ = transport_to(serve(answer, ending="close").base_url)
    exchange = post(transport)

    assert exchange.read1() == b"short"
    with pytest.raises(BrokenAnswer):
        exchange.read1()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
    ],
)
def test_ambiguous_or_partial_heads_are_broken(serve: Serve, answer: bytes) -> None:
    transport, _ = transport_to(serve(answer, ending="close").base_url)

    with pytest.raises(BrokenAnswer):
        post(transport)


def test_bytes_after_the_answer_cost_the_connection_and_not_the_answer(serve: Serve) -> None:
    server = serve(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", OK)
    transport, connections = transport_to(server.base_url)

    answers = [read(transport), read(transport)]

    assert answers == [b"ok", b"ok"]
    assert server.connections == 2


def test_an_answer_without_length_ends_with_its_connection(serve: Serve) -> None:
    transport, connections = transport_to(serve(b"HTTP/1.1 200 OK\r\n\r\nall of it", ending="close").base_url)

    assert read(transport) == b"all of it"
    assert connections.kept == 0


def test_interim_answers_are_passed_over(fake: FakeOpenRouter) -> None:
    transport, _ = transport_to(fake.base_url)

    exchange = post(transport, "fake/continue-first")

    assert exchange.status == 200
    assert exchange.headers["content-type"] == "application/json"
    assert exchange.read_all()


def test_headers_are_found_by_lower_case_names_and_repeated_ones_joined(serve: Serve) -> None:
    transport, _ = transport_to(serve(b"HTTP/1.1 200 OK\r\nX-One: a\r\nx-one: b\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n").base_url)

    exchange = post(transport)

    assert exchange.headers == {"x-one": "a, b", "x-empty": "", "content-length": "0"}


@pytest.mark.parametrize("model", ["fake/hang", "fake/half-head"])
def test_the_first_byte_is_waited_for_only_so_long(fake: FakeOpenRouter, model: str) -> None:
    """R29: first byte, a setting. A head that trickles does not prolong it."""
    transport, _ = transport_to(fake.base_url)
    started = time.monotonic()

    with pytest.raises(UpstreamTimeout):
        post(transport, model)

    assert 0.35 < time.monotonic() - started < 10
    assert wait_until(lambda: fake.billed[0]["cancelled"])


def test_a_silent_stream_is_given_up(fake: FakeOpenRouter) -> None:
    """R29: idle, a setting."""
    transport, _ = transport_to(fake.base_url)
    exchange = post(transport, "fake/stall-mid-stream", stream=True)

    with pytest.raises(UpstreamTimeout):
        exchange.read_all()

    assert wait_until(lambda: fake.billed[0]["cancelled"])


def test_comments_keep_a_stream_alive_but_not_for_ever(fake: FakeOpenRouter) -> None:
    """R29: total, a setting; it holds for an upstream that never falls silent."""
    fake.script(PATH, {"comments": 1_000, "comment_every_ms": 20})
    transport, _ = transport_to(fake.base_url, idle_seconds=0.2, total_seconds=0.6)
    started = time.monotonic()

    with pytest.raises(UpstreamTimeout):
        read(transport, stream=True)

    assert 0.5 < time.monotonic() - started < 10


def test_a_too_large_body_is_given_up(fake: FakeOpenRouter) -> None:
    """R29: an upstream's body is at most 32 MB."""
    transport, _ = transport_to(fake.base_url)
    exchange = post(transport, "fake/large-body")
    sizes: list[int] = []

    with pytest.raises(BrokenAnswer):
        sizes.extend(map(len, iter(exchange.read1, b"")))

    assert 33_000_000 < sum(sizes) <= 33_554_432


def test_closing_wakes_a_reader_that_waits(fake: FakeOpenRouter) -> None:
    """R9: when the client is gone the upstream is closed at once."""
    transport, _ = transport_to(fake.base_url, idle_seconds=30)
    exchange = post(transport, "fake/stall-mid-stream", stream=True)
    reader = gevent.spawn(exchange.read_all)
    reader.join(timeout=0.1)

    exchange.close()
    exchange.close()

    with pytest.raises(BrokenAnswer):
        reader.get(timeout=10)
    assert wait_until(lambda: fake.billed[0]["cancelled"])


def test_a_greenlet_that_is_killed_before_the_head_closes_the_upstream(fake: FakeOpenRouter) -> None:
    transport, _ = transport_to(fake.base_url, first_byte_seconds=30)
    sender = gevent.spawn(post, transport, "fake/hang")
    sender.join(timeout=0.1)

    sender.kill()

    assert wait_until(lambda: fake.billed and fake.billed[0]["cancelled"])


def test_a_closed_exchange_of_a_whole_answer_leaves_its_connection_to_the_next(fake: FakeOpenRouter) -> None:
    transport, connections = transport_to(fake.base_url)
    exchange = post(transport)
    exchange.read_all()

    exchange.close()

    assert connections.kept == 1


def test_a_hundred_streams_run_side_by_side(fake: FakeOpenRouter) -> None:
    transport, connections = transport_to(fake.base_url, idle_seconds=10, first_byte_seconds=10)
    started = time.monotonic()

    streams = [gevent.spawn(read, transport, "fake/slow", stream=True) for _ in range(100)]
    gevent.joinall(streams, timeout=30, raise_error=True)

    assert all(stream.value.endswith(b"data: [DONE]\n\n") for stream in streams)
    assert time.monotonic() - started < 15
    assert connections.kept == fake.connections <= 100


@pytest.mark.parametrize("header", ["a\r\nX-Evil: 1", "a\nb", "a\0"])
def test_a_header_that_breaks_out_of_its_line_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="not a header"):
        Transport(Connections("http://localhost:1"), {"X-Title": header}, Patience())


def test_silence_is_told_and_adds_up(fake: FakeOpenRouter) -> None:
    """Conventions, 6: a heartbeat is due long before an upstream is given up."""
    transport, _ = transport_to(fake.base_url, idle_seconds=0.3)
    exchange = post(transport, "fake/stall-mid-stream", stream=True)
    while exchange.read1(0.1) is not None:
        continue

    assert exchange.read1(0.1) is None
    with pytest.raises(UpstreamTimeout):
        exchange.read1(0.2)


def test_a_stream_goes_on_after_its_silence_was_told(fake: FakeOpenRouter) -> None:
    fake.script(PATH, {"pause_ms": 60})
    transport, _ = transport_to(fake.base_url, idle_seconds=0.2)
    exchange = post(transport, stream=True)

    pieces = list(iter(lambda: exchange.read1(0.02), b""))

    assert pieces.count(None) > 10
    assert b"".join(piece for piece in pieces if piece).endswith(b"data: [DONE]\n\n")


def test_our_own_slowness_is_not_the_upstreams_silence(fake: FakeOpenRouter) -> None:
    fake.script(PATH, {"pause_ms": 10})
    transport, _ = transport_to(fake.base_url, idle_seconds=0.05)
    exchange = post(transport, stream=True)

    first = exchange.read1()
    wait_until(lambda: fake.billed[0]["ended"])

    assert first
    assert b"".join(iter(exchange.read1, b"")).endswith(b"data: [DONE]\n\n")
