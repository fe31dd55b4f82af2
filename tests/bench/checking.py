"""Whether one HTTP answer came whole and right. Pure; the load generator asks it about every answer."""

from dataclasses import dataclass

CHUNKED_END = b"\r\n0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Expected:
    """What every answer of a run must be: texts it contains and, for a stream, its number of events."""

    marks: tuple[bytes, ...]
    events: int


@dataclass(slots=True)
class Framing:
    """Where the body of an answer begins and how its end is told."""

    body_start: int
    is_chunked: bool
    length: int | None

    def is_over(self, received: bytearray) -> bool:
        """Whether the last byte is here, as far as the framing tells."""
        if self.is_chunked:
            return received.endswith(CHUNKED_END)
        return self.length is not None and len(received) >= self.body_start + self.length


def framing_of(received: bytearray) -> Framing | None:
    """The framing of an answer, once its head is whole."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(received[: end + 2]).lower()
    if b"\r\ntransfer-encoding: chunked\r\n" in head:
        return Framing(end + 4, is_chunked=True, length=None)
    start = head.find(b"\r\ncontent-length:")
    length = int(head[start + 17 : head.index(b"\r\n", start + 2)]) if start >= 0 else None
    return Framing(end + 4, is_chunked=False, length=length)


def problem_with(received: bytearray, framing: Framing, expected: Expected) -> str:
    """What is wrong with an answer that is over; "" if nothing is."""
    if not received.startswith(b"HTTP/1.1 200 "):
        return f"not a 200: {bytes(received[:400])!r}"
    raw = bytes(received[framing.body_start :])
    body = _unchunked(raw) if framing.is_chunked else raw
    if body is None or (framing.length is not None and len(body) != framing.length):
        return f"not framed as it says: {raw[-200:]!r}"
    for mark in expected.marks:
        if mark not in body:
            return f"{mark!r} is missing in …{body[-500:]!r}"
    events = body.count(b"data: ")
    if expected.events and events != expected.events:
        return f"{events} events instead of {expected.events}"
    return ""


def _unchunked(raw: bytes) -> bytes | None:
    """The body in a sequence of chunks; None if a length is wrong or something follows."""
    pieces: list[bytes] = []
    at = 0
    while True:
        line_end = raw.find(b"\r\n", at)
        if line_end < 0:
            return None
        size = int(raw[at:line_end], 16)
        at = line_end + 2 + size + 2
        if raw[at - 2 : at] != b"\r\n":
            return None
        if size == 0:
            return b"".join(pieces) if at == len(raw) else None
        pieces.append(raw[line_end + 2 : at - 2])
