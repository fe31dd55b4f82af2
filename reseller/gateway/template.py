"""The quick way through a stream: frames exchanged as bytes, without being parsed. Pure.

What stands before and after `choices` is learnt from the first frame with text, as exact bytes, and exchanged in
every frame that begins and ends the same way. Quotes inside JSON strings are always escaped, so the learnt bytes
cannot occur in a text. Whatever looks different in any way is refused: `rewriting` reads it then.
"""

from typing import Any

from reseller.gateway.exact_json import dump

SHOWN_IN_CHOICE = ("index", "message", "delta", "text", "finish_reason", "logprobs")
"""Members of a choice that customers see."""


class Template:
    """What every ordinary frame of this stream begins and ends with, as exact bytes, and what takes its place."""

    __slots__ = ("_after", "_before", "_inner_ends", "_new_after", "_new_before", "_overhead")

    def __init__(self, before: bytes, after: bytes, new_before: bytes, overhead: int) -> None:
        self._before = before
        self._after = after
        self._new_before = new_before
        self._new_after = b"]}\n\n"
        self._inner_ends = after.count(b'],"')
        self._overhead = overhead

    @classmethod
    def learn(cls, frame: bytes, parsed: dict[str, Any], outer: dict[str, Any], text_bytes: int) -> "Template | None":
        """From a frame whose other fields all stand before `choices`, or behind it with the value null."""
        start = frame.find(b'"choices":[{')
        keys = list(parsed)
        behind = keys[keys.index("choices") + 1 :]
        if start < 0 or not frame.startswith(b"data: {") or any(parsed[name] is not None for name in behind) or _has_secrets(parsed):
            return None
        if not frame.endswith(b"}\n\n") or b"\r" in frame or _has_odd_spaces(frame):
            return None
        after = b"]" + b"".join(b',"' + name.encode() + b'":null' for name in behind) + b"}\n\n"
        if not frame.endswith(after):
            return None
        front = {name: value for name, value in outer.items() if name not in behind}
        before = frame[: start + len(b'"choices":[{')]
        new_before = b"data: " + dump(front)[:-1] + b',"choices":[{'
        return cls(before, after, new_before, len(frame) - text_bytes)

    def rewrite(self, block: bytes) -> tuple[bytes, int] | None:
        """The block with its frames' beginnings and ends exchanged, and the bytes of text in it; None if any frame differs."""
        count = block.count(b"\n\n")
        if (
            block.count(self._before) != count
            or block.count(b"\n") != 2 * count
            or not block.startswith(self._before)
            or block.count(self._after) != count
            or block.count(b'],"') != count * self._inner_ends
            or b'"finish_reason":"' in block
            or b'"error"' in block
            or b"\r" in block
            or _has_odd_spaces(block)
        ):
            return None
        out = block.replace(self._before, self._new_before).replace(b',"native_finish_reason":null', b"")
        if b'"native_finish_reason"' in out or b'"provider' in out:
            return None
        if self._after != self._new_after:
            out = out.replace(self._after, self._new_after)
        return out, max(len(block) - count * self._overhead, count)


def _has_secrets(parsed: dict[str, Any]) -> bool:
    """Whether a choice has members that are not shown, but for the one that the quick way takes out."""
    known = {*SHOWN_IN_CHOICE, "native_finish_reason"}
    return any(not isinstance(choice, dict) or not known.issuperset(choice) for choice in parsed["choices"])


def end_of_frame_before(block: bytes, position: int) -> int:
    """Where the last whole frame before that position ends; 0 if it stands in the first one."""
    blank = block.rfind(b"\n\n", 0, position)
    return blank + 2 if blank >= 0 else 0


def _has_odd_spaces(block: bytes) -> bool:
    """Whether a key could follow a bracket in another spelling than `],"`. A text with "] " in it takes the slow way too."""
    return b"] " in block or b', "' in block or b"\t" in block
