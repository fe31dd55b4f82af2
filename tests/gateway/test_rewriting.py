"""What a customer sees of a stream: the quick way gives what the slow way gives, and nothing of the supplier (R28)."""

import json
from typing import Any

import orjson
import pytest

from reseller.clients.sse import data_of, frames_in
from reseller.gateway.exact_json import NotJson, dump, parse
from reseller.gateway.rewriting import StreamRewriter
from reseller.metering import Usage


def frame(delta: dict[str, Any], **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None, "native_finish_reason": None, "logprobs": None}
    outer = {"id": "gen-secret", "provider": "Secret", "model": "a/b", "object": "chat.completion.chunk", "created": 1}
    return b"data: " + orjson.dumps({**outer, "choices": [choice], **more}) + b"\n\n"


def rewriter() -> StreamRewriter:
    return StreamRewriter(our_id="chatcmpl-1", model=None, read_usage=lambda usage: Usage(1, 1) if usage else None)


WORDS = [frame({"content": word}) for word in ("one", ' "two"', ' ],\\"x\\":[', " vier é 日本", "\n\n", " provider")]


def test_the_quick_way_gives_what_the_slow_way_gives() -> None:
    stream = [frame({"role": "assistant", "content": "", "refusal": None, "reasoning": None}), *WORDS * 3]
    in_blocks, one_by_one = rewriter(), rewriter()

    blocks = in_blocks.pass_on(stream[0] + stream[1]) + in_blocks.pass_on(b"".join(stream[2:]))
    singles = b""
    for each in stream:
        one_by_one._template = None  # always the slow way
        singles += one_by_one.pass_on(each)

    read = [[orjson.loads(data_of(f) or b"") for f in frames_in(out)] for out in (blocks, singles)]
    assert read[0] == read[1]
    assert b"Secret" not in blocks
    assert b"gen-secret" not in blocks


def test_a_burst_gives_what_its_frames_give_one_by_one() -> None:
    """Beginning, words, finish, usage and end may come in one piece."""
    finish = frame({}).replace(b'"finish_reason":null', b'"finish_reason":"stop"')
    usage = b'data: {"id":"gen-secret","model":"a/b","choices":[],"usage":{"prompt_tokens":1}}\n\n'
    stream = [b": OPENROUTER PROCESSING\n\n", frame({"role": "assistant", "content": ""}), *WORDS * 3, finish, usage, b"data: [DONE]\n\n"]
    at_once, one_by_one = rewriter(), rewriter()

    burst = at_once.pass_on(b"".join(stream))
    singles = b""
    for each in stream:
        one_by_one._template = None  # always the slow way
        singles += one_by_one.pass_on(each)

    read = [[orjson.loads(data_of(f) or b"null") for f in frames_in(out)] for out in (burst, singles)]
    assert read[0] == read[1]
    assert at_once._template is not None
    assert (at_once.usage, at_once.finish_reason, at_once.is_done) == (Usage(1, 1), "stop", True)
    assert at_once.output_bytes == one_by_one.output_bytes > 0
    assert b"Secret" not in burst


def shown(stream: StreamRewriter, *frames: bytes) -> list[Any]:
    """What the customer gets of them, one by one."""
    return [orjson.loads(data_of(out) or b"null") for frame in frames if (out := stream.pass_on(frame))]


def test_a_stream_that_turns_from_reasoning_to_text_is_learnt_again() -> None:
    thoughts = [frame({"role": "assistant", "content": "", "reasoning": word}) for word in ("so", " then", " well")]
    stream = rewriter()

    got = shown(stream, *thoughts, *WORDS)

    deltas = [each["choices"][0]["delta"] for each in got]
    assert [delta.get("reasoning") for delta in deltas[:3]] == ["so", " then", " well"]
    assert [delta["content"] for delta in deltas[3:]] == ["one", ' "two"', ' ],\\"x\\":[', " vier é 日本", "\n\n", " provider"]
    assert stream._lessons == 2


CHANGED = {
    "another supplier": frame({"content": "word"}).replace(b"Secret", b"Hidden"),
    "another choice": frame({"content": "word"}).replace(b'"index":0', b'"index":1'),
    "its supplier in the choice": frame({"content": "word"}).replace(b'"index":0', b'"index":0,"provider":"Secret"'),
    "a spelling of its own": frame({"content": "word"}).replace(b'"finish_reason":null', b'"finish_reason" : null'),
    "a second text": frame({"content": "word", "reasoning": "Secret"}).replace(b"Secret", b"hm"),
    "the text in another place": frame({"role": "assistant", "content": "word"}),
    "usage beside the text": frame({"content": "word"}, usage={"prompt_tokens": 1}),
}


@pytest.mark.parametrize("odd", CHANGED.values(), ids=CHANGED.keys())
def test_whatever_differs_is_read(odd: bytes) -> None:
    """R28: alone and inside a block, a frame that is not like the others is shown as if it had come first."""
    alone, after, inside = rewriter(), rewriter(), rewriter()
    after.pass_on(WORDS[0])
    inside.pass_on(WORDS[0])

    expected = shown(alone, odd)

    assert shown(after, odd) == expected
    block = inside.pass_on(WORDS[1] + odd + WORDS[2])
    assert orjson.loads(data_of(list(frames_in(block))[1]) or b"") == expected[0]
    assert b"Secret" not in block
    assert b"Hidden" not in block
    assert inside.usage == alone.usage


UNSOUND = {
    "a quote that ends it": b'{"content":"a"b"}',
    "a backslash before its end": b'{"content":"ab\\"}',
    "half an escape": b'{"content":"a\\u12"}',
    "a line of its own": b'{"content":"a\nevent: x"}',
    "a control character": b'{"content":"a\x01b"}',
    "no UTF-8": b'{"content":"a\xffb"}',
}


@pytest.mark.parametrize("delta", UNSOUND.values(), ids=UNSOUND.keys())
def test_a_text_that_is_none_breaks_the_stream_off_by_either_way(delta: bytes) -> None:
    """What nobody could parse is not passed on because the frame before it was like it."""
    broken = frame({"content": "a"}).replace(b'{"content":"a"}', delta)
    first, later = rewriter(), rewriter()
    later.pass_on(WORDS[0])

    outs = [first.pass_on(broken), later.pass_on(broken)]

    assert [stream.broken is not None for stream in (first, later)] == [True, True]
    assert outs == [b"", b""]


def test_the_usage_frame_can_always_be_written() -> None:
    """R9: the call is charged before it leaves, so nothing of a late frame may stand in its way."""
    stream = rewriter()
    deep = b"[" * 400 + b"]" * 400
    stream.pass_on(WORDS[0] + b'data: {"system_fingerprint":' + deep + b',"choices":[],"usage":{"prompt_tokens":1}}\n\n')

    told = orjson.loads(data_of(stream.usage_frame(125)) or b"")

    assert (told["usage"]["prompt_tokens"], told["id"]) == (1, "chatcmpl-1")
    assert "system_fingerprint" not in told


def test_our_own_mark_in_a_text_is_a_text() -> None:
    stream = rewriter()

    got = shown(stream, frame({"content": "-the-text-stands-here-"}), WORDS[0], frame({"content": "-the-text-stands-here-"}))

    assert [each["choices"][0]["delta"]["content"] for each in got] == ["-the-text-stands-here-", "one", "-the-text-stands-here-"]


def test_delivered_text_is_counted_although_the_first_frame_is_larger_than_the_next() -> None:
    """R9: an estimate rests on it; a stream of a hundred words must not count as nothing."""
    stream = rewriter()
    stream.pass_on(frame({"role": "assistant", "content": "", "refusal": None, "reasoning": None}))

    for number in range(100):
        stream.pass_on(frame({"content": f" word{number:02}"}))

    assert stream.output_bytes == 100 * len(" word00")
    assert stream.generation_id == "gen-secret"


@pytest.mark.parametrize("line", [b": provider=Secret\n", b"event: Secret\n", b"id: gen-secret\n"])
def test_a_line_inside_an_event_does_not_slip_through(line: bytes) -> None:
    """R28: only data reaches the customer, however the upstream mixes it."""
    stream = rewriter()
    first, second = WORDS[:2]
    stream.pass_on(first)

    passed = stream.pass_on(first[:-1] + line + second)  # two data lines in one event: the stream is broken off

    assert passed == b""
    assert isinstance(stream.broken, NotJson)


def test_nothing_after_the_end_is_passed_on() -> None:
    stream = rewriter()
    stream.pass_on(WORDS[0] + b"data: [DONE]\n\n")

    assert stream.is_done
    assert stream.pass_on(WORDS[1]) == b""


@pytest.mark.parametrize("raw", [b'{"a": "\\ud83d", "b": 0.10}', b'{"a": NaN, "b": 0.10}', b'{"a": 1e999, "b": 0.10}'])
def test_odd_json_can_always_be_sent_on(raw: bytes) -> None:
    """R8: what was read and charged must not fail on its way out."""
    sent = dump(parse(raw))

    assert json.loads(sent, parse_float=float)["b"] == 0.1
