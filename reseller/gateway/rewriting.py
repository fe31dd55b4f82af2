"""Upstream answers as customers see them: our id, our price, nothing of the supplier. Pure.

Whole answers are parsed and built again from an explicit list of fields. Streams are relayed
as bytes where they can be (`template`); a frame that differs in any way from its stream's template
is parsed and built again like a whole answer. Both ways give the same JSON (tested).
"""

import re
from collections.abc import Callable
from typing import Any

import orjson

from reseller.clients.sse import data_of, frames_in
from reseller.domain.calls.settlement import storable
from reseller.gateway.exact_json import NotJson, dump, exact_usage, parse
from reseller.gateway.template import TEXTS, Template, end_of_frame_before
from reseller.metering import Usage
from reseller.money import format_nano

SHOWN = ("id", "object", "created", "model", "choices", "data", "service_tier", "system_fingerprint")
SHOWN_USAGE = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details")
SHOWN_IN_CHOICE = ("index", "message", "delta", "text", "finish_reason", "logprobs")
GENERATION_ID = re.compile(r"gen-[A-Za-z0-9_.:-]{1,124}")
KEEP_ALIVE = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"

MAX_LESSONS = 8
"""How often a stream may change its ways (from reasoning to text, say) before its frames are read one by one."""

ReadUsage = Callable[[object], Usage | None]


def shown_usage(usage: dict[str, Any], charge_nano: int | None) -> dict[str, Any]:
    """Token counts as the upstream sent them, and what the customer was charged as a JSON number with exact digits."""
    shown = {name: count for name in SHOWN_USAGE if (count := _counts(usage.get(name))) is not None}
    if charge_nano is not None:
        shown["cost"] = orjson.Fragment(format_nano(charge_nano))
    return shown


def _counts(value: Any) -> Any:
    """A token count, or the counts in an object of them; None for anything else."""
    if isinstance(value, dict):
        return {name: count for name, count in value.items() if _counts(count) is not None and not isinstance(count, dict)}
    return value if type(value) is int and abs(value) < 2**53 else None


def shown_choices(choices: list[Any]) -> list[Any]:
    """Choices without the supplier's own words."""
    return [
        {name: choice[name] for name in SHOWN_IN_CHOICE if name in choice} if isinstance(choice, dict) else choice for choice in choices
    ]


def with_usage(answer: bytes, usage: dict[str, Any], charge_nano: int | None) -> bytes:
    """The whole answer with its usage as the last field."""
    return answer[:-1] + b',"usage":' + dump(shown_usage(usage, charge_nano)) + b"}"


def generation_id_of(parsed: dict[str, Any]) -> str | None:
    """The upstream's own id of a call, where the body tells it (OpenRouter: `gen-…`)."""
    value = parsed.get("id")
    return value if isinstance(value, str) and GENERATION_ID.fullmatch(value) else None


def whole_answer(parsed: dict[str, Any], *, our_id: str, model: str | None) -> bytes:
    """The bytes of a whole answer for the customer, still without usage. It always has an object field or more."""
    shown = {name: parsed[name] for name in SHOWN if name in parsed}
    if "id" in shown or "choices" in shown:
        shown["id"] = our_id
    if model is not None:
        shown["model"] = model
    if isinstance(shown.get("choices"), list):
        shown["choices"] = shown_choices(shown["choices"])
        shown.setdefault("system_fingerprint", None)  # openrouter SDK 1.3.84 refuses a chat without it
    return dump(shown)


class StreamRewriter:
    """One stream's frames, in order, for the customer. Keeps no text; what it learnt is in its attributes."""

    def __init__(self, *, our_id: str, model: str | None, read_usage: ReadUsage, choices: int = 1) -> None:
        self.our_id = our_id
        self.model = model  # None: show the one that served
        self._read_usage = read_usage
        self.usage: Usage | None = None  # the last valid one, whole (R8)
        self.usage_shown: dict[str, Any] = {}
        self.saw_invalid_usage = False
        self.error: dict[str, Any] | None = None  # the frame that ended the stream early
        self.broken: NotJson | None = None  # a frame that nobody can read ended it
        self.is_done = False
        self._choices = choices  # as many as were asked for
        self._finished: set[int] = set()  # indexes of those that have a finish reason
        self.finish_reason: str | None = None
        self.served_model: str | None = None
        self.generation_id: str | None = None  # the upstream's, if its frames carry one
        self.output_bytes = 0  # text passed on, for an estimate if nobody tells the usage
        self._head: dict[str, Any] = {}
        self._template: Template | None = None
        self._lessons = 0

    def pass_on(self, block: bytes) -> bytes:
        """What the customer gets of these whole frames. The usage frame and [DONE] are held back; so is all after an error."""
        if self._has_ended():
            return b""
        quick, rest = self._quickly(block)
        out, read = [quick], 0
        for frame in frames_in(rest):
            known = self._template
            read += len(frame)
            try:
                out.append(self._frame(frame))
            except NotJson as error:  # what came before it is passed on all the same
                self.broken = error
            if self._has_ended():
                break
            if self._template is not known:  # learnt from this frame
                out.append(self.pass_on(rest[read:]))
                break
        return b"".join(out)

    def _quickly(self, block: bytes) -> tuple[bytes, bytes]:
        """The frames before the one that finishes, by the template alone, and the frames that must be read."""
        if self._template is None or not block:
            return b"", block
        finish = block.find(b'"finish_reason":"')
        ordinary = len(block) if finish < 0 else end_of_frame_before(block, finish)
        quick = self._template.rewrite(block[:ordinary]) if ordinary else None
        if quick is None:
            return b"", block
        out, text_bytes = quick
        self.output_bytes += text_bytes
        return out, block[ordinary:]

    def _has_ended(self) -> bool:
        """Nothing that comes now belongs to the answer."""
        return self.is_done or self.error is not None or self.broken is not None

    @property
    def is_finished(self) -> bool:
        """Every choice has its end, though the stream's own mark may be missing."""
        return len(self._finished) >= self._choices

    @property
    def is_empty(self) -> bool:
        """Nothing of an answer has come: no text, no end of a choice, no usage."""
        return self.output_bytes == 0 and not self._finished and self.usage is None and not self.saw_invalid_usage

    def usage_frame(self, charge_nano: int | None) -> bytes:
        """The frame for those who asked with stream_options.include_usage."""
        frame = {**self._head, "id": self.our_id, "choices": [], "usage": shown_usage(self.usage_shown, charge_nano)}
        return b"data: " + dump(frame) + b"\n\n"

    def _frame(self, frame: bytes) -> bytes:
        data = data_of(frame)
        mark = None if data is None else data.strip()
        if data is None or not mark:
            return KEEP_ALIVE
        if mark == b"[DONE]":
            self.is_done = True
            return b""
        parsed = parse(data)
        self._take_usage(data, parsed.get("usage"))
        if parsed.get("error"):
            self.error = parsed
            return b""
        choices = parsed.get("choices")
        if not isinstance(choices, list) or not choices:
            self._learn_head(parsed)
            return b""
        self._note_choices(choices)
        self.output_bytes += _text_bytes(choices)
        self._learn_head(parsed)
        shown = {**self._head, "choices": shown_choices(choices)}
        if self._lessons < MAX_LESSONS and parsed.get("usage") is None:
            self._learn(frame, shown)
        return b"data: " + dump(shown) + b"\n\n"

    def _learn(self, frame: bytes, shown: dict[str, Any]) -> None:
        """The frames that follow are probably like this one, if it holds a text."""
        template = Template.learn(frame, shown["choices"], shown)
        if template is not None:
            self._template = template
            self._lessons += 1

    def _outer(self, parsed: dict[str, Any]) -> dict[str, Any]:
        """Everything of a frame but its choices, as the customer sees it: single values, which can always be written."""
        outer = {name: parsed[name] for name in SHOWN if name in parsed and not isinstance(parsed[name], (dict, list))}
        outer["id"] = self.our_id
        if self.model is not None:
            outer["model"] = self.model
        return outer

    def _learn_head(self, parsed: dict[str, Any]) -> None:
        model = parsed.get("model")
        if isinstance(model, str):
            self.served_model = model
        self.generation_id = self.generation_id or generation_id_of(parsed)
        self._head = self._outer(parsed)

    def _take_usage(self, data: bytes, usage: Any) -> None:
        if usage is None:
            return
        found = exact_usage(data, usage)
        read = self._read_usage(found)
        if read is None:
            self.saw_invalid_usage = True
            return
        self.usage = read
        self.usage_shown = usage

    def _note_choices(self, choices: list[Any]) -> None:
        for choice in choices:
            if not isinstance(choice, dict):
                continue
            reason, index = choice.get("finish_reason"), choice.get("index")
            if isinstance(reason, str):
                self.finish_reason = storable(reason)
                self._finished.add(index if isinstance(index, int) else 0)


def _text_bytes(choices: list[Any]) -> int:
    """Bytes of what the model wrote in these choices: text, reasoning, arguments of tools."""
    total = 0
    for choice in choices:
        if not isinstance(choice, dict):
            continue
        delta = choice.get("delta") or choice.get("message") or choice
        if isinstance(delta, dict):
            for name in TEXTS:
                text = delta.get(name)
                if isinstance(text, str):
                    total += len(text.encode("utf-8", "surrogatepass"))
            if delta.get("tool_calls"):
                total += len(dump(delta["tool_calls"]))
    return total


def delivered_bytes(parsed: dict[str, Any]) -> int:
    """Bytes of what the model wrote in a whole answer."""
    choices = parsed.get("choices")
    return _text_bytes(choices) if isinstance(choices, list) else 0
