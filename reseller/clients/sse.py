"""Server-sent events: bytes in, whole frames out, exactly as they came. Pure.

Not a parser of their JSON, and no decoder: bytes are split at blank lines only, so a character
that is cut in the middle by the network passes unharmed. Comments are kept. A frame ends at a
blank line, written \\n\\n or \\r\\n\\r\\n (WHATWG HTML, section 9.2.6; nobody sends the bare-CR form).
"""

import re
from collections.abc import Iterator

from reseller.clients.failures import BrokenAnswer

MAX_LINE_BYTES = 1_048_576
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_BLANK_LINE = re.compile(rb"\n\r?\n")


class Frames:
    """Splits one stream. Memory is bounded: a frame that grows over the cap raises BrokenAnswer (R29)."""

    __slots__ = ("_cap", "_edge", "_tail", "_tail_bytes")

    def __init__(self, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._cap = max_line_bytes
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._edge = b""

    def take_block(self, piece: bytes) -> bytes:
        """Every whole frame that is complete with this piece, as one block of unchanged bytes; b"" if none.

        Raises BrokenAnswer for a frame over the cap. The work is proportional to the piece,
        even when an upstream sends one byte at a time into a large frame.
        """
        if self._tail:
            if not _BLANK_LINE.search(self._edge + piece):
                return self._wait_for_more(piece)
            piece = b"".join(self._tail) + piece
            self._forget_tail()
        end = _end_of_last_frame(piece)
        if end > self._cap:
            self._check_frames(piece[:end])
        if end < len(piece):
            self._wait_for_more(piece[end:])
            return piece[:end]
        return piece

    def feed(self, piece: bytes) -> list[bytes]:
        """The frames that are complete with this piece, one by one. Raises BrokenAnswer as `take_block`."""
        return list(frames_in(self.take_block(piece)))

    @property
    def rest(self) -> bytes:
        """What came after the last whole frame: at the end of a sound stream, nothing."""
        return b"".join(self._tail)

    def _wait_for_more(self, piece: bytes) -> bytes:
        self._tail.append(piece)
        self._tail_bytes += len(piece)
        self._edge = (self._edge + piece[-2:])[-2:]
        if self._tail_bytes > self._cap:
            raise BrokenAnswer("a line of the stream is too long")
        return b""

    def _forget_tail(self) -> None:
        self._tail = []
        self._tail_bytes = 0
        self._edge = b""

    def _check_frames(self, block: bytes) -> None:
        if any(len(frame) > self._cap for frame in frames_in(block)):
            raise BrokenAnswer("a line of the stream is too long")


def frames_in(block: bytes) -> Iterator[bytes]:
    """The single frames of a block, each with the blank line that ends it."""
    start = 0
    for blank in _BLANK_LINE.finditer(block):
        yield block[start : blank.end()]
        start = blank.end()


def data_of(frame: bytes) -> bytes | None:
    """The data of a frame, several `data:` lines joined by newlines; None if it has none (a comment)."""
    frame = frame.removeprefix(BYTE_ORDER_MARK)
    if frame.startswith(b"data: ") and frame.count(b"\n") == 2:
        return frame[6:].rstrip(b"\r\n")
    lines = [line.removesuffix(b"\r") for line in frame.split(b"\n")]
    values = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
    return b"\n".join(values) if values else None


def _end_of_last_frame(buffer: bytes) -> int:
    """Where the last whole frame ends; 0 if none does.

    Inside a run of three or more newlines the last pair need not be a frame's end, so that rare
    case is counted from the front: the frames must not depend on how the network cut them.
    """
    plain, carriage = buffer.rfind(b"\n\n"), buffer.rfind(b"\n\r\n")
    start, end = (plain, plain + 2) if plain > carriage else (carriage, carriage + 3)
    if start < 0:
        return 0
    if buffer[max(start - 2, 0) : start].removesuffix(b"\r").endswith(b"\n"):
        return max(blank.end() for blank in _BLANK_LINE.finditer(buffer))
    return end
