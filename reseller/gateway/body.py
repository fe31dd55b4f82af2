"""A request's bytes and their JSON, within bounds (promise R29). Not here: what the fields mean.

An ordinary body has usually arrived with its head: it is read and parsed at once, and costs as little as it can.
A large one, or one that does not tell its length, first gets room and is then worked on in turns (`large_bodies`).
"""

import re
from array import array
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, Protocol, TypeVar

import orjson
from flask import Request, Response, after_this_request, g
from gevent import sleep
from werkzeug.exceptions import ClientDisconnected, RequestTimeout

from reseller.clock import monotonic
from reseller.errors import BodyTooLarge, InvalidRequest, UnsupportedMedia
from reseller.gateway.access import identify
from reseller.gateway.large_bodies import LARGE_BYTES, REST, LargeBodies, LargeBody
from reseller.slow_senders import SentTooSlowly, SlowSenders
from reseller.wiring import wiring

Result = TypeVar("Result")

MAX_DEPTH = 64
MAX_CONTAINERS = 25_000
MAX_ENTRIES = 400_000  # commas, colons and brackets: OpenAI's 300,000 token ids of one request to embed fit in

PATIENCE_SECONDS = 20.0
LEAST_BYTES_PER_SECOND = 65_536
_PIECE = 1024 * 1024
_FIRST_PIECE = 4096
_LEAST_PIECE = 1024  # what gunicorn reads at once at least: 6 ms for a sender who wraps each byte into a chunk of its own
_PIECE_SECONDS = 0.002
_LONGEST_BREATH_SECONDS = 0.01
_HEAVY_BREATH_SECONDS = 0.05
_SCAN_BYTES = 131_072

# Possessive, and an unterminated string ends with the body: no backtracking, so time and memory grow with the length alone.
_STRING = re.compile(rb'"[^"]*+(?:"|\Z)')
_TEXT = bytes(set(range(256)) - set(b'"[]{},:'))
_STEPS = bytes.maketrans(b"[]{}", b"\x01\xff\x01\xff")  # as signed characters: +1 and -1


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


_slow_senders = SlowSenders()
_large_bodies = LargeBodies()


def read_body(request: Request, max_bytes: int) -> bytes | bytearray:
    """The whole body.

    Raises BodyTooLarge before reading more than `max_bytes`, UnsupportedMedia if it is encoded, TooManyAtOnce
    if there is no room for it. A sender that is gone or much too slow ends with an HTTP error that leaves no row.
    """
    environ = request.environ
    encoding = environ.get("HTTP_CONTENT_ENCODING", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMedia(f"Content-Encoding {encoding[:40]} is not supported; send the body as it is.")
    length = environ.get("CONTENT_LENGTH")
    size = int(length) if length else None
    if size is not None and size > max_bytes:
        raise BodyTooLarge(f"The request body may have at most {max_bytes} bytes.")
    if size is None and "HTTP_TRANSFER_ENCODING" not in environ:
        return b""
    try:
        if size is not None and size < LARGE_BYTES:
            raw: bytes | bytearray = _slow_senders.read(monotonic() + PATIENCE_SECONDS, environ["wsgi.input"].read, size)
        else:
            raw = _read_large(request, size, max_bytes)
    except SentTooSlowly:
        raise RequestTimeout("The request body came too slowly.") from None
    if size is not None and len(raw) < size:
        raise ClientDisconnected
    return raw


def _read_large(request: Request, size: int | None, max_bytes: int) -> bytearray:
    """The body, piece by piece, in room that it has until its request has been answered or sent on."""
    account_id = identify(request, wiring()).account_id
    large = _large_bodies.enter(account_id, max_bytes if size is None else size, request.environ)
    try:
        raw = _read_pieces(request.environ["wsgi.input"], size, max_bytes)
    except BaseException:
        large.leave()
        raise
    if len(raw) < LARGE_BYTES:
        large.leave()
        return raw
    large.resize(len(raw))
    g.large_body = large

    @after_this_request
    def leave(response: Response) -> Response:
        large.leave()
        return response

    return raw


def _read_pieces(source: Source, size: int | None, max_bytes: int) -> bytearray:
    """Pieces grow while they come quickly and cost little, and everybody else has a turn between them."""
    raw = bytearray()
    started, piece_bytes = monotonic(), _FIRST_PIECE
    end = max_bytes + 1 if size is None else size
    while len(raw) < end:
        before = monotonic()
        due = started + PATIENCE_SECONDS + len(raw) / LEAST_BYTES_PER_SECOND
        piece = _read_piece(source, min(piece_bytes, end - len(raw)), due)
        if not piece:
            break
        raw += piece
        if len(raw) > max_bytes:
            raw.clear()  # the error's trace would keep it for a while
            raise BodyTooLarge(f"The request body may have at most {max_bytes} bytes.")
        seconds = monotonic() - before
        piece_bytes = min(piece_bytes * 2, _PIECE) if seconds < _PIECE_SECONDS else max(piece_bytes // 2, _LEAST_PIECE)
        sleep(_HEAVY_BREATH_SECONDS if piece_bytes == _LEAST_PIECE else min(REST * seconds, _LONGEST_BREATH_SECONDS))
    return raw


def _read_piece(source: Source, size: int, due: float) -> bytes:
    try:
        return _slow_senders.read(due, source.read, size)
    except SentTooSlowly:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the server's reader finds wrong with chunks or socket
        raise ClientDisconnected("The request body could not be read to its end.") from error


def parse_object(raw: bytes | bytearray) -> dict[str, Any]:
    """The JSON object in `raw`. Of duplicate keys the last one counts, and only that one is ever sent on.

    Raises InvalidRequest for anything else, before parsing if it nests too deeply or has too many parts.
    """
    large: LargeBody | None = g.get("large_body") if len(raw) >= LARGE_BYTES else None
    if large is not None:
        body = _parse_in_turns(raw, large)
    else:
        if too_deep(raw):
            raise _deeper()
        body = _parse(raw)
    if not isinstance(body, dict):
        raise InvalidRequest("The JSON body of your request must be an object.")
    return body


def in_turn(work: Callable[[], Result]) -> Result:
    """`work()`, one more step on the body of this request: in its turn if the body is a large one."""
    large: LargeBody | None = g.get("large_body")
    if large is None:
        return work()
    with large.in_turn():
        return work()


def _parse(raw: bytes | bytearray) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"We could not parse the JSON body of your request: {error}") from None


def _parse_in_turns(raw: bytes | bytearray, large: LargeBody) -> Any:
    """Raises InvalidRequest also for more parts than the parser can take in one turn that nobody notices."""
    outline = Outline()
    for piece in _pieces_of(raw):
        with large.in_turn():
            outline.take(piece)
        if outline.deepest > MAX_DEPTH:
            raise _deeper()
        if outline.containers > MAX_CONTAINERS:
            raise InvalidRequest(f"The JSON body has more than {MAX_CONTAINERS} objects and lists.")
        if outline.entries > MAX_ENTRIES:
            raise InvalidRequest(f"The JSON body has more than {MAX_ENTRIES} entries.")
    with large.in_turn():
        return _parse(raw)


def too_deep(raw: bytes | bytearray) -> bool:
    """Whether brackets outside strings nest deeper than MAX_DEPTH. Linear, without a parser."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return False
    outline = Outline()
    for piece in _pieces_of(raw):
        outline.take(piece)
        if outline.deepest > MAX_DEPTH:
            return True
    return False


def _deeper() -> InvalidRequest:
    return InvalidRequest(f"The JSON body is nested deeper than {MAX_DEPTH} levels.")


def _pieces_of(raw: bytes | bytearray) -> Iterator[bytes]:
    view = memoryview(raw)
    for start in range(0, len(raw), _SCAN_BYTES):
        yield bytes(view[start : start + _SCAN_BYTES])


class Outline:
    """What stands outside the strings of a JSON text that is taken in piece by piece."""

    def __init__(self) -> None:
        self.deepest = 0
        self.containers = 0
        self.entries = 0
        self._depth = 0
        self._is_in_string = False
        self._escape = b""  # a backslash whose other half is in the next piece

    def take(self, piece: bytes) -> None:
        piece = self._escape + piece
        self._escape = b""
        if b"\\" in piece:
            piece = piece.replace(b"\\\\", b"")
            if piece.endswith(b"\\"):
                piece, self._escape = piece[:-1], b"\\"
            piece = piece.replace(b'\\"', b"")
        marks = piece.translate(None, _TEXT)
        if self._is_in_string:
            marks = b'"' + marks
        self._is_in_string = marks.count(b'"') % 2 == 1
        marks = marks.replace(b'""', b"")  # two marks in a row take no bracket in or out of a string
        if b'"' in marks:
            marks = _STRING.sub(b"", marks)
        self._count(marks)

    def _count(self, marks: bytes) -> None:
        self.entries += len(marks)
        brackets = marks.translate(_STEPS, b",:")
        if brackets:
            self.containers += brackets.count(b"\x01")
            steps = array("b", brackets)
            self.deepest = max(self.deepest, max(accumulate(steps, initial=self._depth)))
            self._depth += sum(steps)
