"""A request's bytes and their JSON, within bounds (promise R29). Not here: what the fields mean."""

import re
from array import array
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import orjson
from flask import Request, Response

from reseller.clock import monotonic
from reseller.errors import BodyTooLarge, InvalidRequest, UnsupportedMedia

MAX_DEPTH = 64
DISCARD_SECONDS = 5.0
DISCARD_BYTES = 64 * 1024 * 1024
_PIECE = 65_536

# Possessive, and an unterminated string ends with the body: no backtracking, so time and memory grow with the length alone.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[]{}", b"\x01\xff\x01\xff")  # as signed characters: +1 and -1


def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body. Raises BodyTooLarge before reading more than `max_bytes`, UnsupportedMedia if it is encoded."""
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMedia(f"Content-Encoding {encoding[:40]} is not supported; send the body as it is.")
    length = request.content_length
    if length is not None and length > max_bytes:
        raise BodyTooLarge(f"The request body may have at most {max_bytes} bytes.")
    if length is not None:
        return request.get_data(cache=False)
    pieces, total = [], 0
    while piece := request.stream.read(_PIECE):
        total += len(piece)
        if total > max_bytes:
            raise BodyTooLarge(f"The request body may have at most {max_bytes} bytes.")
        pieces.append(piece)
    return b"".join(pieces)


def parse_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`. Of duplicate keys the last one counts, and only that one is ever sent on.

    Raises InvalidRequest for anything else, before parsing if it nests deeper than MAX_DEPTH.
    """
    if too_deep(raw):
        raise InvalidRequest(f"The JSON body is nested deeper than {MAX_DEPTH} levels.")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"We could not parse the JSON body of your request: {error}") from None
    if not isinstance(body, dict):
        raise InvalidRequest("The JSON body of your request must be an object.")
    return body


def too_deep(raw: bytes) -> bool:
    """Whether brackets outside strings nest deeper than MAX_DEPTH. Linear, without a parser."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return False
    brackets = _STRING.sub(b"", raw).translate(_STEPS, _NOT_BRACKETS)
    return max(accumulate(array("b", brackets)), default=0) > MAX_DEPTH


class DiscardingAnswer:
    """An answer to a body that was not read: sent at once, then the rest of the request is read and thrown
    away for a while, since closing on unread bytes would reset the connection before the answer arrives."""

    def __init__(self, answer: bytes, request: Request) -> None:
        self._answer: Iterator[bytes] = iter((answer,))
        self._stream = request.environ.get("wsgi.input")

    def __iter__(self) -> Iterator[bytes]:
        return self._answer

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is None:
            return
        deadline, left = monotonic() + DISCARD_SECONDS, DISCARD_BYTES
        try:
            while left > 0 and monotonic() < deadline and (piece := stream.read(_PIECE)):
                left -= len(piece)
        except OSError:
            return


def discarding(response: Response, request: Request) -> Response:
    """The same answer, with the unread request body thrown away behind it."""
    body = response.get_data()
    response.response = DiscardingAnswer(body, request)
    response.headers["Content-Length"] = str(len(body))
    response.headers["Connection"] = "close"
    return response
