"""The quick way through a stream: frames exchanged as bytes, without being parsed. Pure.

Most frames of a stream are the same but for one text. What stands before and behind that text is learnt from one frame as
exact bytes, on our side and on the upstream's; from then on the text alone is taken over. What is not exactly those
bytes around one sound JSON text is refused, and `rewriting` reads it.
"""

import json
import re
from typing import Any

from reseller.gateway.exact_json import dump

TEXTS = ("content", "reasoning", "text", "refusal")
"""Members of a delta, or of a choice of the older completions, that hold what the model wrote."""

_MARK = "-the-text-stands-here-"
_CONTROLS = bytes(range(32))
_ESCAPED = re.compile(rb'(?:[^"\\]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')


class Template:
    """What surrounds the text of every ordinary frame, and what takes its place."""

    __slots__ = ("_after", "_before", "_new_after", "_new_before", "_new_between")

    def __init__(self, before: bytes, after: bytes, new_before: bytes, new_after: bytes) -> None:
        self._before, self._after = before, after
        self._new_before, self._new_after, self._new_between = new_before, new_after, new_after + new_before

    @classmethod
    def learn(cls, frame: bytes, choices: list[Any], shown: dict[str, Any]) -> "Template | None":
        """From a frame with one choice that holds one text and no end; `shown` is what the customer gets of it.

        `choices` is the list inside `shown`; it is as before when this returns.
        """
        holder, name = _only_text(choices)
        if holder is None or not frame.startswith(b"data: {") or not frame.endswith(b"}\n\n") or frame.count(b"\n") != 2:
            return None
        text = holder[name]
        written = dump(text)[1:-1]
        holder[name] = _MARK
        try:
            ours = (b"data: " + dump(shown) + b"\n\n").split(_MARK.encode())
        finally:
            holder[name] = text
        theirs = frame.split(b'"%b":"%b"' % (name.encode(), written))
        if len(ours) != 2 or len(theirs) != 2:
            return None
        return cls(theirs[0] + b'"%b":"' % name.encode(), b'"' + theirs[1], ours[0], ours[1])

    def rewrite(self, block: bytes) -> tuple[bytes, int] | None:
        """The block with everything but its texts exchanged, and the bytes of the texts; None if any frame differs."""
        before, after = self._before, self._after
        if not block.endswith(after):
            return None
        frames = block.split(after)
        frames.pop()
        texts = [frame[len(before) :] for frame in frames if frame.startswith(before)]
        if len(texts) != len(frames):
            return None
        written = b"".join(texts)
        if not _is_sound(written, texts):
            return None
        return self._new_before + self._new_between.join(texts) + self._new_after, _bytes_of(written)


def _only_text(choices: list[Any]) -> tuple[dict[str, Any] | None, str]:
    """The delta that holds the only text of these choices, and the text's name there; None if that is not how it is."""
    choice = choices[0] if len(choices) == 1 else None
    if not isinstance(choice, dict) or choice.get("finish_reason") is not None:
        return None, ""
    holder = choice.get("delta", choice)
    if not isinstance(holder, dict) or holder.get("tool_calls"):
        return None, ""
    names = [name for name in TEXTS if isinstance(holder.get(name), str) and holder[name]]
    return (holder, names[0]) if len(names) == 1 else (None, "")


def _is_sound(written: bytes, texts: list[bytes]) -> bool:
    """Whether each is the inside of a JSON string: nothing that ends it, no control character, UTF-8."""
    if len(written.translate(None, _CONTROLS)) != len(written):
        return False
    if b"\\" in written:
        if not all(_ESCAPED.fullmatch(text) for text in texts):
            return False
    elif b'"' in written:
        return False
    return written.isascii() or all(map(_is_utf8, texts))


def _bytes_of(written: bytes) -> int:
    """As many bytes as the text has without its escapes."""
    if b"\\" not in written:
        return len(written)
    text: str = json.loads(b'"' + written + b'"')  # takes half characters too, which orjson does not
    return len(text.encode("utf-8", "surrogatepass"))


def _is_utf8(written: bytes) -> bool:
    try:
        written.decode()
    except UnicodeDecodeError:
        return False
    return True


def end_of_frame_before(block: bytes, position: int) -> int:
    """Where the last whole frame before that position ends; 0 if it stands in the first one."""
    blank = block.rfind(b"\n\n", 0, position)
    return blank + 2 if blank >= 0 else 0
