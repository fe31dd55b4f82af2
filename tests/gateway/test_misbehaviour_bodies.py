"""Whole answers under a 200, from sound to nonsense: what can be read is delivered and charged, the rest costs nothing (R8, R9)."""

import gzip
from typing import Any

import orjson

from tests.fakes.bytes_of_http import (
    BILL,
    DONE,
    ERROR,
    FINISH,
    HELLO,
    SSE,
    TEXT,
    TOLD,
    USAGE,
    WORLD,
    chat,
    chunked,
    event,
    head,
    sized,
    whole_wire,
)
from tests.gateway.misbehaving import NOTHING, PAID, Case, Row, check, recorded
from tests.shop import Shop

ANSWER, DOWN = "200 answer", "502 upstream_unavailable"
NO_OUTPUT = ',"choices":[]'


def error(code: object, message: str = "Provider returned error", **more: object) -> bytes:
    return orjson.dumps({"error": {"code": code, "message": message, **more}, "user_id": "user_2fakefakefake"})


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


READABLE: dict[str, bytes] = {
    "plain": whole_wire(),
    "in chunks": chunked(chat()[:50], chat()[50:], kind="application/json"),
    "chunk by byte": chunked(*(chat()[i : i + 1] for i in range(len(chat()))), kind="application/json"),
    "no content type": sized(chat(), kind=None),
    "a type of its own": sized(chat(), kind="text/plain; charset=latin1"),
    "status 201": sized(chat(), 201),
    "status 206": sized(chat(), 206),
    "a mark of byte order": sized(b"\xef\xbb\xbf" + chat()),
    "blank space around": sized(b"\r\n \t" + chat() + b"\n\n"),
    "NaN beside": sized(chat(more=',"created":NaN')),
    "numbers out of range beside": sized(chat(more=',"created":-1e999')),
    "half a character": sized(chat(more=',"service_tier":"\\ud83d"')),
    "an error that is null": sized(chat(more=',"error":null')),
    "an error that is empty": sized(chat(more=',"error":{}')),
    "an error beside the output": sized(chat(more="," + error(502).decode()[1:-1])),
    "model as list": sized(chat(more=',"model":["a"]')),
    "a usage in the choice": sized(chat(in_choice=',"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":0}')),
    "identity": sized(chat(), 200, "Content-Encoding: identity"),
    "200 levels": sized(chat(in_choice=f',"logprobs":{deep(200)}')),
}
"""Delivered, and charged by its usage."""

UNREADABLE: dict[str, bytes] = {
    "empty": sized(b""),
    "204": head(204),
    "205": sized(b"", 205),
    "a page": sized(b"<html><body>OpenRouter is down</body></html>", kind="text/html"),
    "words": sized(b"upstream connect error"),
    "cut JSON": sized(chat()[:-20]),
    "two objects": sized(chat() + chat()),
    "array": sized(b"[" + chat() + b"]"),
    "number": sized(b"7"),
    "null": sized(b"null"),
    "no UTF-8": sized(chat().replace(b"Hello", b"Hel\xff\xfe")),
    "100,000 levels": sized(b'{"choices":' + b"[" * 100_000),
    "no choices": sized(b'{"id":"gen-1","usage":%b}' % USAGE),
    "choices empty": sized(b'{"choices":[],"usage":%b}' % USAGE),
    "choices null": sized(b'{"choices":null,"usage":%b}' % USAGE),
    "choices object": sized(b'{"choices":{"0":{}},"usage":%b}' % USAGE),
    "choices text": sized(b'{"choices":"stop","usage":%b}' % USAGE),
    "events": sized(HELLO + WORLD + FINISH + TOLD + DONE, kind=SSE),
    "events in chunks": chunked(HELLO, WORLD, FINISH, TOLD, DONE),
    "gzip": sized(gzip.compress(chat()), 200, "Content-Encoding: gzip"),
    "brotli by name": sized(chat(), 200, "Content-Encoding: br"),
    "33 MB": sized(b" " * 33_600_000 + chat()),
    "33 MB in chunks": chunked(*[b" " * 1_050_000] * 33, chat(), kind="application/json"),
}
"""Whatever the upstream bills: the customer hears 502 and pays nothing."""

REFUSALS: dict[str, tuple[bytes, str]] = {
    "400": (error(400), "400 invalid_request"),
    "400 in context words": (error(400, "maximum context length is 9 tokens"), "400 context_length_exceeded"),
    "401": (error(401), "503 upstream_unavailable"),
    "402": (error(402), "503 upstream_unavailable"),
    "403": (error(403), "503 upstream_unavailable"),
    "403 content": (error(403, metadata={"reasons": ["violence"], "flagged_input": "x"}), "403 content_policy"),
    "403 region": (error(403, metadata={"error_type": "region_restricted"}), "403 content_policy"),
    "404": (error(404), "404 model_not_found"),
    "408": (error(408), "504 upstream_timeout"),
    "413": (error(413), "413 request_too_large"),
    "422": (error(422), "422 unprocessable"),
    "429": (error(429), "503 upstream_busy"),
    "429 as text": (error("429"), "503 upstream_busy"),
    "500": (error(500), DOWN),
    "502": (error(502), DOWN),
    "503": (error(503), "503 upstream_busy"),
    "504": (error(504), "504 upstream_timeout"),
    "529": (error(529), "503 upstream_busy"),
    "http_status": (orjson.dumps({"error": {"error_type": "provider_overloaded", "http_status": 503}}), "503 upstream_busy"),
    "words as code": (error("server_error"), DOWN),
    "odd code": (error(True), DOWN),
    "code 200": (error(200), DOWN),
    "an error of text": (b'{"error":"it broke"}', DOWN),
    "an error of true": (b'{"error":true}', DOWN),
    "an error list": (b'{"error":[1]}', DOWN),
    "an empty choice list too": (error(502)[:-1] + b',"choices":[],"usage":%b}' % USAGE, DOWN),
    "silent choices too": (chat(content="", more="," + error(502).decode()[1:-1]), DOWN),
}
"""An error inside a 200 and no output: our word for it, and nothing to pay, also where a usage stands beside it."""


def test_what_can_be_read_is_delivered_and_charged(rough: Shop) -> None:
    """R9: complete with usage → usage."""
    check(rough, [Case(f"readable {name}", wire, ANSWER, PAID, text=TEXT) for name, wire in READABLE.items()])


def test_a_text_arrives_as_it_was_written(rough: Shop) -> None:
    texts = {
        "separators": "a\u2028b\u2029c\x85d",
        "all planes": "žluť 🐎 日本 \U0010ffff",
        "controls": "\x00\x01\r\n\t\x1b",
        "quotes": '"\\"],"x":[',
    }
    cases = [Case(f"text of {name}", sized(chat(content=text)), ANSWER, PAID, text=text) for name, text in texts.items()]

    check(rough, cases)


def test_what_cannot_be_read_costs_nothing(rough: Shop) -> None:
    """R9: a 200 whose body is no valid JSON, or nothing that was asked for; R29: not more than 32 MB."""
    check(rough, [Case(f"unreadable {name}", wire, DOWN, NOTHING, is_trouble="33 MB" in name) for name, wire in UNREADABLE.items()])


def test_a_stream_that_is_answered_whole_is_judged_alike(rough: Shop) -> None:
    chosen = ("plain", "in chunks", "no content type", "an error beside the output")
    cases = [Case(f"instead of a stream {name}", READABLE[name], ANSWER, PAID, is_stream=True, text=TEXT) for name in chosen]
    nothing = ("empty", "204", "a page", "cut JSON", "no choices", "choices null", "gzip", "33 MB")
    cases += [
        Case(f"instead of a stream {name}", UNREADABLE[name], DOWN, NOTHING, is_stream=True, is_trouble="33 MB" in name) for name in nothing
    ]

    check(rough, cases)


def test_an_error_inside_a_200_without_output_costs_nothing(rough: Shop) -> None:
    """R9; with the status that it tells, and R28: 401, 402 and 403 are our trouble, not the customer's."""
    cases = []
    for name, (body, told) in REFUSALS.items():
        cases += [Case(f"inside {name}", sized(body), told, NOTHING, is_stream=is_stream) for is_stream in (False, True)]

    check(rough, cases)
    alarms = ("upstream_key_refused", "upstream_out_of_credit", "upstream_forbade", "upstream_rate_limited")
    assert [alarm for alarm in alarms if f'"alarm":"{alarm}"' not in rough.web.log] == []


def test_an_answer_that_the_model_broke_off_is_partial_and_costs_what_came(rough: Shop) -> None:
    """R9: error mid-stream → usage, else the record; upstream.md 7: partial content under a finish reason of "error"."""
    broken = ',"error":{"code":502,"message":"Provider disconnected"}'
    cases = [
        Case("broken off", sized(chat(finish="error", in_choice=broken)), ANSWER, ("partial", *PAID[1:]), text=TEXT),
        Case("broken off without usage", sized(chat(None, finish="error", in_choice=broken)), ANSWER, recorded(None, "partial"), text=TEXT),
        Case("broken off by length", sized(chat(finish="length")), ANSWER, PAID, text=TEXT),
    ]

    check(rough, cases)


def test_an_error_in_the_choice_without_output_costs_nothing(rough: Shop) -> None:
    """R9: a 200 with an error and no output, wherever in the body the error stands (upstream.md 7)."""
    broken = ',"error":{"code":502,"message":"Provider disconnected"}'
    cases = [
        Case("silent", sized(chat(content="", finish="error", in_choice=broken)), DOWN, NOTHING),
        Case("silent without usage", sized(chat(None, content="", finish="error", in_choice=broken)), DOWN, NOTHING),
        Case("silent without a word", sized(chat(content="", finish="error")), DOWN, NOTHING),
    ]

    check(rough, cases)


def test_an_answer_that_is_too_deep_to_be_written_costs_nothing(rough: Shop) -> None:
    """R9: what cannot be sent on is unreadable, like any other body; the customer hears 502 and not that we are down."""
    check(rough, [Case("300 levels", sized(chat(in_choice=f',"logprobs":{deep(300)}')), DOWN, NOTHING)])


def test_a_number_beyond_64_bits_is_no_reason_to_lose_the_answer(rough: Shop) -> None:
    """Beside a NaN the exact parser is at work, whose integers have no end."""
    odd = f',"created":NaN,"service_tier":{"9" * 30}'

    check(rough, [Case("endless integer", sized(chat(more=odd)), ANSWER, PAID, text=TEXT)])


def test_the_older_endpoint_is_judged_alike(rough: Shop) -> None:
    """/completions, whole and streamed: usage, error without output, error after some."""
    body = b'{"id":"gen-7","object":"text_completion","choices":[{"index":0,"text":"%b","finish_reason":"%b"}],"usage":%b}'
    words = [event([{"index": 0, "text": word, "finish_reason": None}]) for word in ("Hello ", "world")]
    end = event([{"index": 0, "text": "", "finish_reason": "stop"}])

    def older(name: str, wire: bytes, told: str, row: Row, **more: Any) -> Case:
        asked = {"messages": None, "prompt": f"older: {name} {'streamed' if more.get('is_stream') else 'whole'}"}
        return Case(f"older: {name}", wire, told, row, path="/v1/completions", asks=asked, **more)

    cases = [
        older("sound", sized(body % (TEXT.encode(), b"stop", USAGE)), ANSWER, PAID, text=TEXT),
        older("sound", chunked(*words, end, TOLD, DONE), "200 done", PAID, is_stream=True, text=TEXT),
        older("silent error", sized(body % (b"", b"error", USAGE)), DOWN, NOTHING),
        older("silent error", chunked(ERROR), "200 upstream_unavailable", NOTHING, is_stream=True),
        older("error", chunked(*words, ERROR), "200 upstream_unavailable", recorded(None, "partial"), is_stream=True, text=TEXT),
        older("empty", sized(b'{"choices":[],"usage":%b}' % USAGE), DOWN, NOTHING),
    ]

    check(rough, cases)


def test_vectors_that_did_not_come_cost_nothing(rough: Shop) -> None:
    """/embeddings: R9 as for any other whole answer."""
    bodies = {
        "no data": b'{"object":"list","usage":%b}' % USAGE,
        "data null": b'{"data":null,"usage":%b}' % USAGE,
        "data empty": b'{"data":[],"usage":%b}' % USAGE,
        "a chat": chat(),
        "an error": error(502),
        "an error beside no data": error(502)[:-1] + b',"data":[],"usage":%b}' % USAGE,
        "cut": b'{"data":[{"embedding":[0.1,',
    }
    cases = []
    for name, body in bodies.items():
        asked = {"model": "openai/text-embedding-3-small", "input": f"no vector: {name} whole", "messages": None}
        cases.append(Case(f"no vector: {name}", sized(body), DOWN, NOTHING, path="/v1/embeddings", asks=asked))

    check(rough, cases)


def test_no_text_of_a_stranger_keeps_a_call_open(rough: Shop) -> None:
    """R11, R12: half characters and zeros in any text that we keep: the model, the reason, the id, those of the record."""
    cases = []
    for name, odd in (("half", "\\ud83d"), ("zero", "\\u0000")):
        record = {"body": f'{{"data":{{"total_cost":{BILL},"model":"x{odd}","finish_reason":"{odd}"}}}}'}
        for usage, row, records in ((USAGE, PAID, ()), (None, recorded(), ()), (None, recorded(), (record,))):
            told = f"{name} {usage is not None} {len(records)}"
            body, frames = chat(usage), b"".join((HELLO, WORLD, FINISH, *([TOLD] if usage else []), DONE))
            for what, sound in (("model", b"fake/default"), ("reason", b"stop")):
                spoilt = sized(body.replace(b'"%b"' % sound, f'"x{odd}"'.encode()))
                cases.append(Case(f"{what} {told}", spoilt, ANSWER, row, text=TEXT, records=records))
                spoilt = chunked(frames.replace(b'"%b"' % sound, f'"x{odd}"'.encode()))
                cases.append(Case(f"{what} {told}", spoilt, "200 done", row, is_stream=True, text=TEXT, records=records))
    ids = [
        Case(f"id {odd}", sized(chat(USAGE, more=f',"id":"gen-{odd}"'), has_id=False), ANSWER, PAID, text=TEXT)
        for odd in ("\\ud83d", "\\u0000")
    ]

    check(rough, cases + ids)


def test_an_id_that_nobody_could_ask_for_is_none(rough: Shop) -> None:
    """R9, R11: the body's id serves where the header has none, if it is one; the call ends either way."""
    cases = []
    for odd in ("\\ud83d", "\\u0000", " /../", "x" * 5_000):
        body = chat(None, has_id=False, more=f',"id":"gen-{odd}"')
        cases.append(Case(f"odd id {odd[:9]}", sized(body, has_id=False), ANSWER, None, text=TEXT, gives_up=1))

    check(rough, cases)
