"""Bodies that are too large, just not too large, too deep, or of too many parts; many at once."""

from collections import Counter
from collections.abc import Callable
from functools import cache

import orjson

from tests.bounds.upstream import QUICK
from tests.bounds.wire import Misbehaviour, Target, chat, closed_loop

MIB = 1024 * 1024
MANY, SOME, FEW = 12, 4, 4
DEEP = 200_000


def _with(name: str, value: object) -> bytes:
    """A chat whose field holds that, raw JSON if it is bytes."""
    body: dict[str, object] = {"model": QUICK, "messages": [{"role": "user", "content": "hello"}]}
    body[name] = orjson.Fragment(value) if isinstance(value, bytes) else value
    return orjson.dumps(body)


def too_large() -> list[bytes]:
    return [chat("x" * 11_000_000), b"{" * 11_000_000]


def just_not_too_large() -> list[bytes]:
    """Prose, one 4-byte character that makes the text four times as large in memory, many messages."""
    messages = [{"role": "user", "content": "word " * 1000}] * 1950
    return [chat("hello world\n" * 800_000), chat("🐎" + "x" * 9_500_000), orjson.dumps({"model": QUICK, "messages": messages})]


def not_even_json() -> list[bytes]:
    return [chat("x" * 10_000_000)[:-1], b'"' + b'\\"' * 5_000_000, b'{"a":' + b'"",' * 3_000_000]


def of_a_megabyte() -> list[bytes]:
    return [chat("hello world\n" * 80_000)]


def too_deep() -> list[bytes]:
    """Brackets that are closed and not, of lists and objects, in fields that are passed on and not; and those in a text."""
    lists, objects = b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP
    fields = ("messages", "tools", "metadata")
    closed = [_with(field, brackets) for field in fields for brackets in (lists, objects)]
    unclosed = [b'{"messages":' + b"[" * DEEP, b'{"a":' * DEEP]
    return [*closed, *unclosed, chat("[" * DEEP), chat('{"' * DEEP)]


def of_many_parts() -> list[bytes]:
    image = {"type": "image_url", "image_url": {"url": "https://a/b"}}
    return [
        orjson.dumps({"model": QUICK, **{f"f{number}": 1 for number in range(700_000)}}),
        _with("metadata", {str(number): 1 for number in range(700_000)}),
        orjson.dumps({"model": QUICK, "messages": [{"role": "user", "content": "x"}] * 100_000}),
        _with("logit_bias", b"[" + b"[]," * 3_000_000 + b"[]]"),
        _with("stop", b"[" + b'"",' * 3_000_000 + b'""]'),
        _with("tools", b"[" + b"{}," * 3_000_000 + b"{}]"),
        _with("messages", [{"role": "user", "content": [image] * 150_000}]),
        chat('\\"\n' * 1_600_000),
        _with("k" * 5_000_000, 1),
    ]


def under_every_bound() -> list[bytes]:
    """What still passes, and costs most."""
    image = {"type": "image_url", "image_url": {"url": "https://a/b"}}
    part = {"type": "text", "text": "hello"}
    return [
        orjson.dumps({"model": QUICK, "messages": [{"role": "user", "content": [image] * 12_000}]}),
        orjson.dumps({"model": QUICK, "messages": [{"role": "user", "content": [part] * 24_000}]}),
        _with("metadata", {str(number): 1 for number in range(190_000)}),
        _with("stop", ["x"] * 390_000),
    ]


@cache
def _made(make: Callable[[], list[bytes]]) -> list[bytes]:
    return make()


def loops_of(make: Callable[[], list[bytes]], connections: int) -> Misbehaviour:
    """These bodies with their length told, over and over."""

    async def misbehave(target: Target) -> Counter[str]:
        return await closed_loop(target, connections, [target.request(body) for body in _made(make)])

    return misbehave


def chunked(make: Callable[[], list[bytes]], connections: int, chunk_bytes: int) -> Misbehaviour:
    """These bodies in chunks, over and over."""

    async def misbehave(target: Target) -> Counter[str]:
        requests = [target.head("Transfer-Encoding: chunked") + _in_chunks(body, chunk_bytes) for body in _made(make)]
        return await closed_loop(target, connections, requests)

    return misbehave


@cache
def _in_chunks(body: bytes, size: int) -> bytes:
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def tiny_chunks() -> list[bytes]:
    return [chat("x" * 300_000)]


MISBEHAVIOURS: dict[str, Misbehaviour] = {
    "11 MB": loops_of(too_large, MANY),
    "11 MB in chunks": chunked(too_large, SOME, 65_536),
    "10 MB": loops_of(just_not_too_large, SOME),
    "10 MB in chunks": chunked(just_not_too_large, SOME, 65_536),
    "10 MB of no JSON": loops_of(not_even_json, SOME),
    "1 MB all day": loops_of(of_a_megabyte, FEW),
    "chunks of one byte": chunked(tiny_chunks, MANY, 1),
    "200,000 brackets": loops_of(too_deep, MANY),
    "millions of parts": loops_of(of_many_parts, SOME),
    "parts under every bound": loops_of(under_every_bound, SOME),
}
