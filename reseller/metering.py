"""Counting what a call uses: tokens by kind, the upstream's own cost, and bounds before it is sent.

Pure: no clock, no database, no prices. What the upstream reports is a claim by a stranger and
is believed only inside bounds (promise R8); what a customer sends is measured in bytes, because
a byte-level tokenizer never makes more tokens than bytes (promise R6).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

TOKENS_PER_MESSAGE = 8
"""Role, separators and the opening of the answer, for each message or input (promise R6)."""

IMAGE_TOKENS = 48_169
"""No model we know of makes more of one image: gpt-4o-mini counts 2,833 + 5,667 for each of at
most 8 tiles (OpenAI docs, guides/images-vision, 2026-08). Anthropic makes at most 4,784, Gemini 2,240."""

FILE_TOKENS = 1_048_576
"""A file or video may fill the context of the largest models; a caller caps it at the model's own
context. Its bytes say little: a PDF is compressed and each of its pages becomes an image too."""

AUDIO_CHARACTERS_PER_TOKEN = 8
"""Base64 characters of sound for one token. Gemini makes 32 tokens a second, OpenAI 10 (their docs,
audio guides, 2026-08), so this is a bound down to a bit rate of 1.5 kbit/s."""

MAX_COST_USD = Decimal(1_000_000)
MAX_COST_PLACES = 60

_IMAGES = {"image_url": "image_url", "input_image": "image_url", "image": "source"}
_FILES = {"file": "file", "input_file": "file_data", "document": "source", "video_url": "video_url", "input_video": "video_url"}
_AUDIO = {"input_audio": "input_audio", "audio": "audio"}
_OPAQUE_SOURCES = ("base64", "url", "file")
_INPUTS = ("messages", "input", "prompt")
_TEXTS = ("system", "instructions", "suffix")
_NAMES = ("model", "user")
_RARER_KINDS = ("prompt_audio_tokens", "completion_audio_tokens", "image_tokens", "web_searches")
_ROLES = ("system", "developer", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as counted by the upstream, or by us when `is_estimate`.

    cached, cache_write and prompt_audio tokens are inside prompt_tokens; reasoning, audio and
    image tokens are inside completion_tokens. `cost_usd` None means that nobody told.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    prompt_audio_tokens: int = 0
    completion_audio_tokens: int = 0
    image_tokens: int = 0
    web_searches: int = 0
    cost_usd: Decimal | None = None
    is_byok: bool = False
    is_estimate: bool = False

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def rarer_kinds(self) -> dict[str, int] | None:
        """Counts that few calls have, by the names of this class; None if there are none."""
        counts = {name: getattr(self, name) for name in _RARER_KINDS}
        return {name: count for name, count in counts.items() if count} or None


@dataclass(frozen=True, slots=True)
class PromptSize:
    """A bound on what a request makes a model read: tokens of text and sound, and counted attachments."""

    tokens: int
    images: int = 0
    files: int = 0
    audio: int = 0


class _Unbelievable(Exception):
    """A number of the usage object is out of bounds: the object counts as missing, whole."""


def read_usage(usage: object, *, context_length: int, n: int = 1, completion_absent_is_zero: bool = False) -> Usage | None:
    """The upstream's usage object as `Usage`, or None when it is missing or cannot be believed (promise R8).

    Reads the names of chat completions, Responses and Messages (OpenRouter's OpenAPI file,
    `ChatUsage` and `Usage`, 2026-08). The JSON must have been parsed with parse_float=Decimal:
    a float is not a cost. Tokens are ints of 0 to 2 × context_length × n.
    """
    if not isinstance(usage, dict):
        return None
    reader = _Reader(usage, max_tokens=2 * context_length * max(n, 1))
    try:
        return reader.usage(completion_absent_is_zero=completion_absent_is_zero)
    except _Unbelievable:
        return None


@dataclass(frozen=True, slots=True)
class _Reader:
    fields: Mapping[str, Any]
    max_tokens: int

    def usage(self, *, completion_absent_is_zero: bool) -> Usage:
        cached, written = self._cache_tokens()
        prompt_details = self._part("prompt_tokens_details", "input_tokens_details")
        completion_details = self._part("completion_tokens_details", "output_tokens_details")
        return Usage(
            prompt_tokens=self._prompt_tokens(),
            completion_tokens=self._completion_tokens(completion_absent_is_zero),
            cached_tokens=cached or self._count(prompt_details.get("cached_tokens")),
            cache_write_tokens=written or self._count(prompt_details.get("cache_write_tokens")),
            reasoning_tokens=self._count(completion_details.get("reasoning_tokens")),
            prompt_audio_tokens=self._count(prompt_details.get("audio_tokens")),
            completion_audio_tokens=self._count(completion_details.get("audio_tokens")),
            image_tokens=self._count(completion_details.get("image_tokens")),
            web_searches=self._count(self._part("server_tool_use_details", "server_tool_use").get("web_search_requests")),
            cost_usd=_cost(self.fields.get("cost")),
            is_byok=self.fields.get("is_byok") is True,
        )

    def _prompt_tokens(self) -> int:
        value = self.fields.get("prompt_tokens")
        if value is None:
            value = self.fields.get("input_tokens")
        if value is None:
            raise _Unbelievable
        # Messages counts cached tokens beside input_tokens (Anthropic docs, prompt-caching, 2026-08); we count them inside.
        return self._bounded(self._count(value) + sum(self._cache_tokens()))

    def _completion_tokens(self, absent_is_zero: bool) -> int:
        value = self.fields.get("completion_tokens")
        if value is None:
            value = self.fields.get("output_tokens")
        if value is None and not absent_is_zero:
            raise _Unbelievable
        return self._count(value)

    def _cache_tokens(self) -> tuple[int, int]:
        return self._count(self.fields.get("cache_read_input_tokens")), self._count(self.fields.get("cache_creation_input_tokens"))

    def _part(self, *names: str) -> Mapping[str, Any]:
        for name in names:
            part = self.fields.get(name)
            if part is not None and not isinstance(part, dict):
                raise _Unbelievable
            if part:
                return part
        return {}

    def _count(self, value: object) -> int:
        if value is None:
            return 0
        if type(value) is not int:
            raise _Unbelievable
        return self._bounded(value)

    def _bounded(self, tokens: int) -> int:
        if not 0 <= tokens <= self.max_tokens:
            raise _Unbelievable
        return tokens


def _cost(value: object) -> Decimal | None:
    if value is None:
        return None
    if type(value) is int and 0 <= value <= MAX_COST_USD:
        return Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 <= value <= MAX_COST_USD:
        raise _Unbelievable
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > MAX_COST_PLACES:
        raise _Unbelievable
    return value.copy_abs()  # a minus zero is a zero


def estimate_usage(*, prompt_bytes: int, delivered_bytes: int) -> Usage:
    """A guess for a call whose usage nobody knows: three bytes a token, rounded up, marked as estimate (promise R9)."""
    return Usage(prompt_tokens=-(-prompt_bytes // 3), completion_tokens=-(-delivered_bytes // 3), is_estimate=True)


def prompt_token_bound(body: Mapping[str, Any]) -> PromptSize:
    """At least as many tokens as any model can make of this request's input (promise R6).

    Counts UTF-8 bytes of every text, whole JSON for tools, schemas and whatever is not known,
    and a constant for each message. Images and files are counted, not measured; sound is
    measured by its length. Only numbers, booleans and the names of model and user are left out.
    """
    count = _Count()
    for name, value in body.items():
        if name in _INPUTS:
            count.add_input(value)
        elif name in _TEXTS:
            count.add_content(value)
        elif isinstance(value, dict | list):
            count.tokens += _json_bytes(value)
        elif isinstance(value, str) and name not in _NAMES:
            count.tokens += _text_bytes(value)
    return PromptSize(tokens=count.tokens, images=count.images, files=count.files, audio=count.audio)


@dataclass(slots=True)
class _Count:
    tokens: int = 0
    images: int = 0
    files: int = 0
    audio: int = 0

    def add_input(self, value: object) -> None:
        """messages, or the input of completions, Responses and embeddings: text, token ids, or lists of either or of messages."""
        items = value if isinstance(value, list) else [value]
        for item in items:
            if type(item) is int:
                self.tokens += 1
                continue
            self.tokens += TOKENS_PER_MESSAGE
            if isinstance(item, str):
                self.tokens += _text_bytes(item)
            elif isinstance(item, list):
                self.add_input(item)
            else:
                self.add_message(item)
        if items and type(items[0]) is int:
            self.tokens += TOKENS_PER_MESSAGE

    def add_message(self, message: object) -> None:
        if not isinstance(message, dict) or ("type" in message and not {"content", "output"} & message.keys()):
            self.add_part(message)
            return
        for name, value in message.items():
            if name in ("content", "output"):
                self.add_content(value)
            elif name != "role" and value is not None:
                self.tokens += _text_bytes(value) if isinstance(value, str) else _json_bytes(value)
        if message.get("role") not in _ROLES:
            self.tokens += _json_bytes(message.get("role"))

    def add_content(self, content: object) -> None:
        """A string, or a list of strings and parts."""
        for part in content if isinstance(content, list) else [content]:
            if isinstance(part, str):
                self.tokens += _text_bytes(part)
            elif part is not None:
                self.add_part(part)

    def add_part(self, part: object) -> None:
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(part, dict) or not isinstance(kind, str):
            self.tokens += _json_bytes(part)
            return
        media = self._media_key(kind, part)
        for name, value in part.items():
            if name == media or name == "type":
                continue
            if name in ("content", "output"):
                self.add_content(value)
            else:
                self.tokens += _text_bytes(value) if isinstance(value, str) else _json_bytes(value)
        if media is None:
            self.tokens += _text_bytes(kind)

    def _media_key(self, kind: str, part: Mapping[str, Any]) -> str | None:
        """The key that holds an attachment, which is counted here; None if the part is all text."""
        if kind in _IMAGES:
            self.images += 1
            return _IMAGES[kind] if _is_opaque(part.get(_IMAGES[kind])) else None
        if kind in _FILES:
            self.files += 1
            return _FILES[kind] if _is_opaque(part.get(_FILES[kind])) else None
        if kind in _AUDIO:
            self.audio += 1
            self.tokens += _json_bytes(part.get(_AUDIO[kind])) // AUDIO_CHARACTERS_PER_TOKEN + 1
            return _AUDIO[kind]
        return None


def _is_opaque(source: object) -> bool:
    """Whether an attachment is data that the constant stands for; Messages also lets a document's text be its source."""
    return not isinstance(source, dict) or "type" not in source or source["type"] in _OPAQUE_SOURCES


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _json_bytes(value: object) -> int:
    """Bytes of the value as JSON: never fewer than the UTF-8 bytes of the strings in it, since escapes only add."""
    try:
        return len(orjson.dumps(value, default=str))
    except TypeError:  # integers beyond 64 bits, lone surrogates
        return len(json.dumps(value, default=str))
