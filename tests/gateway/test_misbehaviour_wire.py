"""Below the answers: connections that end, lengths that lie, heads that are none (R9, R29, R32), and speeds that tire us."""

import threading

from tests.fakes.bytes_of_http import (
    DONE,
    FINISH,
    HELLO,
    LAST_CHUNK,
    SSE,
    TEXT,
    TOLD,
    WORLD,
    chat,
    chunk,
    chunked,
    head,
    sized,
    stream_head,
    whole_wire,
)
from tests.gateway.misbehaving import NOTHING, PAID, Case, check, recorded
from tests.shop import Shop

ANSWER, DOWN, SLOW = "200 answer", "502 upstream_unavailable", "504 upstream_timeout"
PARTIAL = recorded(None, "partial")
Steps = tuple[bytes | int | str, ...]
ERROR_BODY = b'{"error":{"code":400,"message":"the temperature is too high"}}'

NO_HEAD: dict[str, Steps] = {
    "reset": ("reset",),
    "closed": ("close",),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n", "close"),
    "HTTP/0.9": (b"<html>hello</html>", "close"),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", "close"),
    "status zero": (b"HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n", "close"),
    "half a head, reset": (head()[:30], "reset"),
    "half a head, closed": (head()[:30], "close"),
    "a line without colon": (b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n", "close"),
    "a space before the colon": (b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", "close"),
    "a zero in a header": (b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n", "close"),
    "two lengths": (head(200, "Content-Length: 5", "Content-Length: 6") + chat(), "close"),
    "a length twice": (head(200, "Content-Length: 5, 5") + b"hello", "close"),
    "length and chunks": (head(200, "Content-Length: 5", "Transfer-Encoding: chunked") + LAST_CHUNK, "close"),
    "a negative length": (head(200, "Content-Length: -1") + chat(), "close"),
    "a length in words": (head(200, "Content-Length: five") + chat(), "close"),
    "a length beyond 64 bits": (head(200, "Content-Length: " + "9" * 30) + chat(), "close"),
    "a head of 100 kB": (head(200, *(f"X-Filler-{n}: {'x' * 1000}" for n in range(100))), "close"),
    "a header of 100 kB": (head(200, "X-Filler: " + "x" * 100_000), "close"),
    "interim answers without end": (b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, "close"),
    "another protocol": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "close"),
    "interim, then nothing": (b"HTTP/1.1 100 Continue\r\n\r\n", "close"),
}
"""The answer never begins: 502 and nothing to pay, for whole and streamed calls, and each is sent exactly once."""

BODY_CUT: dict[str, Steps] = {
    "reset after the head": (head(200, f"Content-Length: {len(chat())}"), "reset"),
    "closed after the head": (head(200, f"Content-Length: {len(chat())}"), "close"),
    "reset in the body": (sized(chat())[:-40], "reset"),
    "closed in the body": (sized(chat())[:-1], "close"),
    "no last chunk": (chunked(chat(), kind="application/json").removesuffix(LAST_CHUNK), "close"),
    "a chunk too short": (stream_head(kind=None) + b"fff\r\n" + chat(), "close"),
    "a chunk size in words": (stream_head(kind=None) + chunk(chat()) + b"zz\r\n\r\n", "close"),
    "a negative chunk size": (stream_head(kind=None) + b"-5\r\n" + chat(), "close"),
    "a chunk size beyond 64 bits": (stream_head(kind=None) + b"f" * 20 + b"\r\n" + chat(), "close"),
    "a chunk too long": (stream_head(kind=None) + b"5\r\n" + chat() + b"\r\n" + LAST_CHUNK, "close"),
    "until close, cut": (head() + chat()[:-40], "close"),
    "a length too long": (head(200, f"Content-Length: {len(chat()) + 1}") + chat(), "close"),
    "a length too short": (head(200, f"Content-Length: {len(chat()) - 1}") + chat(), "close"),
}
"""The head came, the body did not: nothing that could be delivered."""

SOUND: dict[str, Steps] = {
    "continued": (b"HTTP/1.1 100 Continue\r\n\r\n", whole_wire()),
    "early hints": (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nX-Generation-Id: gen-early\r\n\r\n", whole_wire()),
    "a few interim answers": (b"HTTP/1.1 102 Processing\r\n\r\n" * 50, whole_wire()),
    "until close": (head() + chat(), "close"),
    "HTTP/1.0": (whole_wire().replace(b"HTTP/1.1", b"HTTP/1.0"), "close"),
    "chunk extensions and trailers": (
        stream_head(kind=None) + b"%x;a=b\r\n%b\r\n0\r\nX-Trailer: gen-7\r\n\r\n" % (len(chat()), chat()),
    ),
    "connection: close": (sized(chat(), 200, "Connection: close"), "close"),
    "a head of 60 kB": (sized(chat(), 200, *(f"X-Filler-{n}: {'x' * 1000}" for n in range(58))),),
    "in two pieces": (whole_wire()[:70], 30, whole_wire()[70:]),
    "a second answer behind it": (whole_wire() + sized(b'{"choices":"poison"}'),),
}  # fmt: skip

STREAM_CUT: dict[str, Steps] = {
    "reset": (stream_head() + chunk(HELLO) + chunk(WORLD), "reset"),
    "closed": (stream_head() + chunk(HELLO) + chunk(WORLD), "close"),
    "until close, cut": (head(200, kind=SSE) + HELLO + WORLD, "close"),
    "a bad chunk": (stream_head() + chunk(HELLO) + chunk(WORLD), 30, b"zz\r\n", "close"),
    "a length that ends early": (sized(HELLO + WORLD, kind=SSE) + FINISH + TOLD + DONE, "close"),
}
"""Words came, then the connection ended."""

STREAM_EMPTY: dict[str, Steps] = {
    "reset after the head": (stream_head(), "reset"),
    "closed after the head": (stream_head(), "close"),
    "until close, empty": (head(200, kind=SSE), "close"),
    "reset after comments": (stream_head() + chunk(b": OPENROUTER PROCESSING\n\n"), "reset"),
    "reset in the first word": (stream_head() + chunk(HELLO[:60]), "reset"),
}


def test_an_answer_that_never_begins_costs_nothing_and_is_not_asked_for_again(rough: Shop) -> None:
    """R9, R32: a byte of the request was accepted, so it is sent once."""
    cases = []
    for name, steps in NO_HEAD.items():
        cases += [Case(f"no head: {name}", steps, DOWN, NOTHING, is_stream=is_stream, is_trouble=True) for is_stream in (False, True)]

    check(rough, cases)


def test_a_whole_answer_that_is_cut_costs_nothing(rough: Shop) -> None:
    """R9: nothing of it can be delivered."""
    check(rough, [Case(f"cut: {name}", steps, DOWN, NOTHING, is_trouble=True) for name, steps in BODY_CUT.items()])


def test_an_odd_but_whole_answer_is_an_answer(rough: Shop) -> None:
    check(rough, [Case(f"odd: {name}", steps, ANSWER, PAID, text=TEXT) for name, steps in SOUND.items()])


def test_a_stream_that_is_cut_costs_what_the_record_says(rough: Shop) -> None:
    """R9: error mid-stream; what came before the cut was delivered."""
    cases = [
        Case(f"stream cut: {name}", steps, "200 upstream_unavailable", PARTIAL, is_stream=True, text=TEXT, is_trouble=True)
        for name, steps in STREAM_CUT.items()
    ]
    cases.append(Case("stream until close", (head(200, kind=SSE) + HELLO + WORLD + FINISH + TOLD + DONE, "close"), "200 done", PAID,
                      is_stream=True, text=TEXT))  # fmt: skip

    check(rough, cases)


def test_a_stream_that_is_cut_before_its_first_word_costs_nothing(rough: Shop) -> None:
    """R9: no answer."""
    cases = [
        Case(f"stream empty: {name}", steps, "200 upstream_unavailable", NOTHING, is_stream=True, is_trouble=True)
        for name, steps in STREAM_EMPTY.items()
    ]

    check(rough, cases)


REFUSALS: dict[str, Steps] = {
    "cut": (sized(ERROR_BODY, 400)[:-20], "reset"),
    "silent": (sized(ERROR_BODY, 400)[:-20], "hang"),
    "without end": (stream_head().replace(b"200", b"400", 1), *([chunk(b"x" * 900_000)] * 20)),
    "that drips": (head(400, "Content-Length: 500"), *((b"x", 200) * 30)),
}
"""Known by their status; their bodies are read for a while and up to a bound."""


def drip(raw: bytes, every_ms: int = 300, times: int = 40) -> Steps:
    """A byte at a time, never silent for long."""
    return tuple(step for at in range(times) for step in (raw[at : at + 1], every_ms))


def test_an_upstream_that_is_slow_is_given_up_in_time(rough: Shop) -> None:
    """R29: first byte and silence 1 s here, the whole answer 3 s; R9: before any output nothing to pay, after it the record's figure."""
    words, ending = stream_head() + chunk(HELLO) + chunk(WORLD), "200 upstream_timeout"
    comments = (stream_head(), *((chunk(b": OPENROUTER PROCESSING\n\n"), 200) * 30))
    both = {"silence": ("hang",), "half a head": (head()[:30], "hang"), "a head that drips": drip(head())}
    cases = [
        Case(f"slow: {name}", steps, SLOW, NOTHING, is_stream=s, is_trouble=True) for name, steps in both.items() for s in (False, True)
    ]
    cases += [
        Case("slow: silent body", (sized(chat())[:-40], "hang"), SLOW, NOTHING, is_trouble=True),
        Case("slow: body that drips", (head(200, f"Content-Length: {len(chat())}"), *drip(chat())), SLOW, NOTHING, is_trouble=True),
        Case("slow: chunks that drip", (stream_head(kind=None), *drip(b"1;" + b"x" * 100)), SLOW, NOTHING, is_trouble=True),
        Case("slow: no first word", (stream_head(), "hang"), ending, NOTHING, is_stream=True, is_trouble=True),
        Case("slow: silent after words", (words, "hang"), ending, PARTIAL, is_stream=True, text=TEXT, is_trouble=True),
        Case("slow: words that drip", (words, *drip(b"fff\r\n" + WORLD)), ending, PARTIAL, is_stream=True, text=TEXT, is_trouble=True),
        Case("slow: comments for ever", comments, ending, NOTHING, is_stream=True, is_trouble=True),
        Case("slow: words, then comments for ever", (words, *comments[1:]), ending, PARTIAL, is_stream=True, text=TEXT, is_trouble=True),
        Case("slow: usage, then silence", (words + chunk(TOLD), "hang"), ending, ("partial", *PAID[1:]), is_stream=True, is_trouble=True),
        Case("slow: done, then silence", (words + chunk(FINISH) + chunk(TOLD) + chunk(DONE), "hang"), "200 done", PAID, is_stream=True),
        Case("slow: but in time", (*(step for at in range(0, 5) for step in (whole_wire()[at * 9 : at * 9 + 9], 100)), whole_wire()[45:]),
             ANSWER, PAID, text=TEXT),
    ]  # fmt: skip
    cases += [Case(f"slow: refusal {name}", steps, "400 invalid_request", NOTHING) for name, steps in REFUSALS.items()]

    rows = check(rough, cases)

    longest = [rows[f"slow: {name}"]["response_metadata"]["ended_ms"] for name in ("comments for ever streamed", "body that drips whole")]
    assert all(2_900 < ms < 5_000 for ms in longest), longest
    left = {bill["body"]["messages"][0]["content"] for bill in rough.billed if bill["cancelled_at"]}
    assert {"slow: comments for ever streamed", "slow: silence whole", "slow: silent body whole"} <= left  # the upstream can stop


def test_a_connection_that_was_closed_or_poisoned_meanwhile_serves_nobody(rough: Shop) -> None:
    """R32: a kept connection is looked at before it is used; the next call is sent once and answered by its own answer."""
    customer, is_closed = rough.customer(limits=False), threading.Event()
    spoilt = {
        "closed": (whole_wire(), "close", is_closed.set),
        "poisoned": (whole_wire(), 20, sized(chat(content="poison")), is_closed.set),
        "poisoned at once": (whole_wire() + sized(chat(content="poison")), is_closed.set),
    }
    for name, steps in spoilt.items():
        rough.fake.plans[name] = {"wire": steps}
        for number in range(2):
            is_closed.clear()
            customer.chat(messages=[{"role": "user", "content": name}])
            assert is_closed.wait(5)
            check(rough, [Case(f"after a connection that was {name} {number}", whole_wire(), ANSWER, PAID, text=TEXT)])
