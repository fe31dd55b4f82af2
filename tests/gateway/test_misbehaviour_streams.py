"""Streams from sound to nonsense: what is SSE arrives whole, what breaks off says so, and the charge follows R9."""

import pytest

from tests.fakes.bytes_of_http import (
    DONE,
    ERROR,
    FINISH,
    HELLO,
    LAST_CHUNK,
    PROVIDER_ERROR,
    SSE,
    TEXT,
    TOLD,
    USAGE,
    WORLD,
    chunk,
    chunked,
    event,
    event_json,
    finished,
    said,
    sized,
    stream_head,
)
from tests.gateway.misbehaving import NOTHING, PAID, Case, Row, check, recorded
from tests.shop import Shop

ENDED, DOWN = "200 done", "200 upstream_unavailable"
PARTIAL = recorded(None, "partial")
PAID_PARTIAL: Row = ("partial", *PAID[1:])
ALL = (HELLO, WORLD, FINISH, TOLD, DONE)
STREAM = b"".join(ALL)
MEGABYTE = 1_048_576


def bytewise(stream: bytes) -> bytes:
    return chunked(*(stream[at : at + 1] for at in range(len(stream))))


def in_lines(frame: bytes) -> bytes:
    """The same event with its JSON spread over many data lines."""
    return b"".join(b"data: " + line + b"\n" for line in frame[6:].strip().replace(b",", b",\n").split(b"\n")) + b"\n"


SOUND: dict[str, bytes] = {
    "plain": chunked(*ALL),
    "one chunk": chunked(STREAM),
    "byte by byte": bytewise(STREAM),
    "CRLF": chunked(STREAM.replace(b"\n", b"\r\n")),
    "CRLF byte by byte": bytewise(STREAM.replace(b"\n", b"\r\n")),
    "both newlines": chunked(HELLO, WORLD.replace(b"\n", b"\r\n"), FINISH + TOLD.replace(b"\n", b"\r\n") + DONE),
    "blank lines between": chunked(*(frame + b"\n\n" for frame in ALL)),
    "many lines of data": chunked(in_lines(HELLO), in_lines(WORLD), in_lines(FINISH), in_lines(TOLD), DONE),
    "no space after data": chunked(*(frame.replace(b"data: ", b"data:") for frame in ALL)),
    "comments": chunked(*(b": OPENROUTER PROCESSING\n\n" + frame for frame in ALL)),
    "a comment inside": chunked(*(b": gen\n" + frame for frame in ALL)),
    "other fields": chunked(b"retry: 5\n\n", *(b"event: x\nid: gen-7\n" + frame for frame in ALL)),
    "done with spaces": chunked(HELLO, WORLD, FINISH, TOLD, b"data:  [DONE] \n\n"),
    "done twice": chunked(*ALL, DONE),
    "more after done": chunked(*ALL, event(said("poison")), event([], usage=b'{"prompt_tokens":1,"completion_tokens":1,"cost":9}')),
    "nonsense after done": chunked(*ALL, b"\xff\x00{{{"),
    "no done": chunked(HELLO, WORLD, FINISH, TOLD),
    "no done and no blank line": chunked(HELLO, WORLD, FINISH, TOLD.rstrip()),
    "usage first": chunked(TOLD, HELLO, WORLD, FINISH, DONE),
    "usage with the finish": chunked(HELLO, WORLD, event(finished(), usage=USAGE), DONE),
    "usage null in each": chunked(*(event(said(word), usage=b"null") for word in ("Hello ", "world")), FINISH, TOLD, DONE),
    "no finish": chunked(HELLO, WORLD, TOLD, DONE),
    "with a length": sized(STREAM, kind=SSE),
    "a type in capitals": chunked(*ALL, kind="Text/Event-Stream; charset=UTF-8"),
    "odd choices beside": chunked(HELLO, event([None, "x", {}]), event({"a": 1}), event([]), WORLD, FINISH, TOLD, DONE),
    "an error that is null": chunked(HELLO, event(said("world"), more=',"error":null'), FINISH, TOLD, DONE),
    "NaN beside": chunked(HELLO, event(said("world"), more=',"created":NaN'), FINISH, TOLD, DONE),
    "spaces in JSON": chunked(*(frame.replace(b'":', b'" : ').replace(b',"', b' ,\t"') for frame in ALL)),
}
"""Each ends in order, says TEXT, and costs its usage."""

BROKEN: dict[str, tuple[bytes, str | None]] = {
    "cut between frames": (chunked(HELLO, WORLD), TEXT),
    "cut inside a frame": (chunked(HELLO, WORLD[:-30]), "Hello "),
    "cut inside a character": (chunked(HELLO, event(said("žluť"))[:-90]), None),
    "a frame that is no JSON": (chunked(HELLO, WORLD, b"data: {not json}\n\n", *ALL), TEXT),
    "a frame that is an array": (chunked(HELLO, WORLD, b"data: []\n\n", *ALL), TEXT),
    "a frame that is no UTF-8": (chunked(HELLO, event(said("x"), more=',"a":"b"').replace(b"x", b"\xff"), *ALL), "Hello "),
    "100,000 levels": (chunked(HELLO, WORLD, b"data: " + b"[" * 100_000 + b"\n\n", *ALL), TEXT),
    "a line over a megabyte": (chunked(HELLO, WORLD, event(said("x" * MEGABYTE)), *ALL), TEXT),
    "a page after a word": (chunked(HELLO, WORLD, b"<html>502</html>\n\n"), TEXT),
    "an error": (chunked(HELLO, WORLD, ERROR), TEXT),
    "an error, then more": (chunked(HELLO, WORLD, ERROR, *ALL), TEXT),
    "an error after the finish": (chunked(HELLO, WORLD, FINISH, ERROR, DONE), TEXT),
    "an error of text": (chunked(HELLO, WORLD, event([], more=',"error":"x"')), TEXT),
    "an error list": (chunked(HELLO, WORLD, event([], more=',"error":[1]')), TEXT),
    "an error of true": (chunked(HELLO, WORLD, event([], more=',"error":true')), TEXT),
    "an error with a word": (chunked(HELLO, event(said("world"), more="," + PROVIDER_ERROR)), "Hello "),
}
"""Words came, then it broke off: an error event, and the charge of the record."""

SILENT: dict[str, bytes] = {
    "nothing": chunked(),
    "nothing by length": sized(b"", kind=SSE),
    "comments only": chunked(b": OPENROUTER PROCESSING\n\n" * 3),
    "newlines only": chunked(b"\n\n\r\n\r\n"),
    "a page": chunked(b"<html><body>no</body></html>"),
    "bare JSON": chunked(event_json(said(TEXT), usage=USAGE)),
    "no JSON": chunked(b"data: OK\n\n", DONE),
    "a cut frame": chunked(HELLO[:40]),
    "a first line over a megabyte": chunked(event(said("x" * MEGABYTE)), FINISH, TOLD, DONE),
    "a line without end": stream_head() + chunk(b"data: " + b"x" * 2 * MEGABYTE),
    "an error": chunked(ERROR),
    "an error after the role": chunked(event(said("")), ERROR),
    "an error without choices": chunked(b"data: {" + PROVIDER_ERROR.encode() + b"}\n\n"),
    "bare carriage returns": chunked(STREAM.replace(b"\n", b"\r")),
}  # fmt: skip
"""Not a word came: an error event, and nothing to pay, whatever the upstream bills."""


def test_sound_streams_arrive_whole_and_are_charged(rough: Shop) -> None:
    """R9: complete with usage → usage, however the events are written (WHATWG HTML, section 9.2)."""
    check(rough, [Case(f"stream {name}", wire, ENDED, PAID, is_stream=True, text=TEXT) for name, wire in SOUND.items()])


def test_texts_arrive_however_the_network_cuts_them(rough: Shop) -> None:
    words = ["žluť", "oučký 🐎", "\u2028\u2029\x85", "日本\U0010ffff", 'a "quoted],"', "\n\ndata: [DONE]\n\n", '"],"usage":', "\\"]
    stream = b"".join(event(said(word)) for word in words * 3) + FINISH + TOLD + DONE
    cuts = {
        "in one": chunked(stream),
        "in bytes": bytewise(stream),
        "in threes": chunked(*(stream[at : at + 3] for at in range(0, len(stream), 3))),
        "in hundreds": chunked(*(stream[at : at + 100] for at in range(0, len(stream), 100))),
    }

    check(rough, [Case(f"text {name}", wire, ENDED, PAID, is_stream=True, text="".join(words * 3)) for name, wire in cuts.items()])


def test_a_line_just_within_a_megabyte_passes(rough: Shop) -> None:
    """R29."""
    word = "x" * (MEGABYTE - 400)

    check(rough, [Case("long line", chunked(event(said(word)), FINISH, TOLD, DONE), ENDED, PAID, is_stream=True, text=word)])


def test_what_breaks_off_says_so_and_costs_what_the_record_says(rough: Shop) -> None:
    """R9: error mid-stream → usage, else the record."""
    check(rough, [Case(f"broken by {name}", wire, DOWN, PARTIAL, is_stream=True, text=text) for name, (wire, text) in BROKEN.items()])


def test_an_answer_over_32_megabytes_breaks_off(rough: Shop) -> None:
    """R29."""
    filler = b": " + b"x" * 1_000_000 + b"\n\n"
    wire = (stream_head(), chunk(HELLO), chunk(WORLD), *[chunk(filler)] * 34, chunk(FINISH), chunk(TOLD), chunk(DONE), LAST_CHUNK)

    check(rough, [Case("33 MB", wire, DOWN, PARTIAL, is_stream=True, text=TEXT, is_trouble=True)])


def test_an_error_after_the_usage_costs_the_usage(rough: Shop) -> None:
    """R9: error mid-stream → usage, where there is one, in whatever frame."""
    told = event([], usage=USAGE, more="," + PROVIDER_ERROR)
    by_error = chunked(HELLO, WORLD, event(finished("error")), TOLD, DONE)
    cases = [
        Case("usage before the error", chunked(TOLD, HELLO, WORLD, ERROR), DOWN, PAID_PARTIAL, is_stream=True, text=TEXT),
        Case("usage in the error", chunked(HELLO, WORLD, told), DOWN, PAID_PARTIAL, is_stream=True, text=TEXT),
        Case("usage after the error", chunked(HELLO, WORLD, ERROR, TOLD), DOWN, PARTIAL, is_stream=True, text=TEXT),
        Case("usage before nonsense", chunked(TOLD, HELLO, WORLD, b"data: {\n\n"), DOWN, PAID_PARTIAL, is_stream=True, text=TEXT),
        Case("finished by error", by_error, ENDED, PAID_PARTIAL, is_stream=True, text=TEXT),
    ]  # fmt: skip

    check(rough, cases)


@pytest.mark.parametrize("is_after_words", [True, False], ids=["after words", "at once"])
def test_an_error_event_tells_our_word_for_the_code(rough: Shop, is_after_words: bool) -> None:
    """R28: 401, 402 and 403 in a frame are our trouble too; a code may be a number or a text (upstream.md 6)."""
    heard = {
        "400": "invalid_request", "401": "upstream_unavailable", "402": "upstream_unavailable", "403": "upstream_unavailable",
        "404": "model_not_found", "408": "upstream_timeout", "429": "upstream_busy", '"429"': "upstream_busy",
        "500": "upstream_unavailable", "503": "upstream_busy", "529": "upstream_busy", '"server_error"': "upstream_unavailable",
        "null": "upstream_unavailable",
    }  # fmt: skip
    before, row = ((HELLO, WORLD), PARTIAL) if is_after_words else ((), NOTHING)
    cases = []
    for code, ours in heard.items():
        frame = event([], more=f',"error":{{"code":{code},"message":"x"}}')
        cases.append(Case(f"code {code} {is_after_words}", chunked(*before, frame), f"200 {ours}", row, is_stream=True))

    check(rough, cases)
    alarms = ("upstream_key_refused", "upstream_out_of_credit", "upstream_forbade", "upstream_rate_limited")
    assert [alarm for alarm in alarms if f'"alarm":"{alarm}"' not in rough.web.log] == []


def test_a_stream_without_a_word_costs_nothing(rough: Shop) -> None:
    """R9: a 200 whose body is no valid SSE, or with an error and no output."""
    check(rough, [Case(f"silent by {name}", wire, DOWN, NOTHING, is_stream=True) for name, wire in SILENT.items()])


def test_an_encoded_stream_is_no_answer(rough: Shop) -> None:
    """We asked for identity."""
    wire = stream_head("Content-Encoding: gzip") + chunk(STREAM) + LAST_CHUNK

    check(rough, [Case("encoded stream", wire, "502 upstream_unavailable", NOTHING, is_stream=True)])


def test_a_stream_that_fails_without_output_costs_nothing_whatever_its_usage_says(rough: Shop) -> None:
    """R9: a 200 with an error and no output → 0, as for a whole answer."""
    unsound = event([], usage=b'{"prompt_tokens":-1}')
    wires = {
        "usage, error": chunked(TOLD, ERROR),
        "usage in the error": chunked(event([], usage=USAGE, more="," + PROVIDER_ERROR)),
        "unsound usage, error": chunked(unsound, ERROR),
    }

    check(rough, [Case(f"no output but {name}", wire, DOWN, NOTHING, is_stream=True) for name, wire in wires.items()])


def test_a_stream_that_finishes_by_error_without_output_costs_nothing(rough: Shop) -> None:
    """R9; upstream.md 8: no tokens and a finish reason of "error" are not charged there either."""
    wires = {
        "no usage": chunked(event(finished("error")), DONE),
        "usage": chunked(event(finished("error")), TOLD, DONE),
    }

    check(rough, [Case(f"finished by error with {name}", wire, ENDED, NOTHING, is_stream=True) for name, wire in wires.items()])


def test_an_end_mark_alone_is_an_empty_answer(rough: Shop) -> None:
    """README, what a call costs: an empty answer costs nothing, as it does where the whole answer is empty."""
    check(rough, [Case("only done", chunked(DONE), DOWN, NOTHING, is_stream=True)])


def test_a_frame_that_cannot_be_written_ends_the_stream_in_order(rough: Shop) -> None:
    """Fault model: whatever the upstream sends, the client hears an end, and the row does not say that the client left."""
    deep = event(said("x")).replace(b'"logprobs":null', b'"logprobs":' + b"[" * 300 + b"]" * 300)
    wire = chunked(HELLO, WORLD, deep, FINISH, TOLD, DONE)

    check(rough, [Case("unwritable frame", wire, DOWN, PARTIAL, is_stream=True, text=TEXT)])


def test_a_number_beyond_64_bits_is_no_reason_to_break_off(rough: Shop) -> None:
    odd = event(said("world"), more=',"created":NaN,"service_tier":' + "9" * 30)

    check(rough, [Case("endless integer", chunked(HELLO, odd, FINISH, TOLD, DONE), ENDED, PAID, is_stream=True, text=TEXT)])


@pytest.mark.parametrize(("name", "wire"), [
    ("a mark of byte order", chunked(b"\xef\xbb\xbf" + STREAM)),
    ("events without data", chunked(HELLO, b"data:\n\n", b"data: \n\n", WORLD, FINISH, TOLD, DONE)),
])  # fmt: skip
def test_what_the_standard_says_to_ignore_is_ignored(rough: Shop, name: str, wire: bytes) -> None:
    """WHATWG HTML, sections 9.2.5 and 9.2.6: a leading U+FEFF and events whose data is empty."""
    check(rough, [Case(f"ignored {name}", wire, ENDED, PAID, is_stream=True, text=TEXT)])


def test_a_stream_is_over_only_when_every_choice_is(rough: Shop) -> None:
    """Two answers asked for, the second cut: that is an answer broken off, not a complete one."""
    wire = chunked(event(said("Hello ", 0)), event(said("world", 1)), event(finished("stop", 0)))

    check(rough, [Case("half of two", wire, DOWN, PARTIAL, is_stream=True, asks={"n": 2})])


def test_the_row_of_a_silent_failure_names_the_code_that_the_customer_heard(rough: Shop) -> None:
    """So that staff find what a customer reports."""
    overloaded = event([], more=',"error":{"code":503,"message":"x"}')
    cases = [
        Case("row of an error", chunked(overloaded), "200 upstream_busy", NOTHING, is_stream=True),
        Case("row of emptiness", chunked(), DOWN, NOTHING, is_stream=True),
    ]

    rows = check(rough, cases)

    assert [rows[case.words]["error_code"] for case in cases] == ["upstream_busy", "upstream_unavailable"]
