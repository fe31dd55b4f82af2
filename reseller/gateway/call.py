"""A paid call as the client asked for it: read, checked, and rebuilt field by field for the upstream (R27).

Client bytes are never sent on. A field is passed, rewritten by us, refused because it changes
the bill and has no price here, or dropped.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from reseller.errors import InvalidRequest
from reseller.gateway.rebuilding import CHAT, COMPLETIONS, EMBEDDINGS, PART_FIELDS, PASSED, rebuilt
from reseller.metering import PromptSize, prompt_token_bound

MAX_MESSAGES = 2000
MAX_INPUTS = 20_000
MAX_MODEL_CHARACTERS = 200
MAX_CHOICES = 16
MAX_OUTPUT_TOKENS = 10_000_000

REFUSED = {
    "models": "fallback models are not offered",
    "plugins": "plugins are not offered",
    "web_search_options": "web search is not offered",
    "provider": "provider routing is not offered",
    "preset": "presets are not offered",
    "audio": "audio output is not offered",
    "prediction": "predicted output is billed beyond the output cap and is not offered",
    "best_of": "best_of is not offered; use n",
    "image_config": "image output is not offered",
    "background": "background answers are not offered",
}
"""Fields that change the bill or the supplier and have no price here."""

FREE_TIERS = (None, "auto", "default", "standard")
IMAGE_SOURCES = ("https://", "http://", "data:image/")
_SHOWN_PARAMETERS = (
    "temperature", "top_p", "top_k", "seed", "n", "max_tokens", "max_completion_tokens", "reasoning_effort", "parallel_tool_calls",
    "frequency_penalty", "presence_penalty", "dimensions", "encoding_format", "logprobs", "top_logprobs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One request that may cost money. `body` holds only fields that may go upstream."""

    path: str
    model: str
    body: dict[str, Any]
    is_stream: bool
    wants_usage: bool
    n: int
    output_cap: int | None  # the client's own, in tokens
    cap_field: str
    user: str
    size: PromptSize
    inputs: int  # texts to embed; 1 for everything else
    are_token_ids: bool

    @classmethod
    def read(cls, asked: dict[str, Any], path: str) -> "Call":
        """The call in a parsed body. Raises InvalidRequest that names the field."""
        _refuse_unpriced(asked)
        model = _model(asked)
        _CHECKS[path](asked)
        cap, cap_field = _output_cap(asked)
        is_stream = _flag(asked, "stream") if path != EMBEDDINGS else False
        options = asked.get("stream_options")
        if options is not None and not isinstance(options, dict):
            raise InvalidRequest("stream_options must be an object.", param="stream_options")
        user = asked.get("user")
        return cls(
            path=path,
            model=model,
            body=rebuilt(asked, PASSED[path]),
            is_stream=is_stream,
            wants_usage=bool(options and options.get("include_usage")),
            n=_integer(asked, "n", 1, MAX_CHOICES) or 1,
            output_cap=cap,
            cap_field=cap_field,
            user=user[:512] if isinstance(user, str) else "",
            size=prompt_token_bound(asked),
            inputs=_inputs(asked) if path == EMBEDDINGS else 1,
            are_token_ids=path == EMBEDDINGS and _has_token_ids(asked["input"]),
        )

    @property
    def estimated_prompt_bytes(self) -> int:
        """Bytes for an estimate of three to a token; a token id is a token."""
        return self.size.tokens * 3 if self.are_token_ids else self.size.tokens

    def upstream_body(self, *, model: str, output_cap: int, user: str, price_cap: dict[str, Any] | None) -> bytes:
        """The body we send: our model name, our cap, our user, the price cap where the upstream knows one."""
        body = dict(self.body)
        body["model"] = model
        body["user"] = user
        if self.path != EMBEDDINGS:
            body[self.cap_field] = output_cap
        if self.is_stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        if price_cap is not None:
            body["usage"] = {"include": True}
            body["provider"] = {"max_price": price_cap}
        return orjson.dumps(body)

    def request_metadata(self) -> dict[str, Any]:
        """Parameters without any text of the customer's."""
        shown = {k: v for k, v in self.body.items() if k in _SHOWN_PARAMETERS and isinstance(v, (int, float, bool))}
        shown["stream"] = self.is_stream
        if self.output_cap is not None:
            shown[self.cap_field] = self.output_cap
        for name in ("messages", "tools"):
            if isinstance(self.body.get(name), list):
                shown[name] = len(self.body[name])
        if self.size.images:
            shown["images"] = self.size.images
        return shown


def upstream_user(secret: bytes, account_id: UUID, user: str) -> str:
    """A keyed hash of account and end user: lets the upstream tell abusers apart without telling it who they are."""
    return hmac.new(secret, f"{account_id}\x1f{user}".encode(), hashlib.sha256).hexdigest()[:32]


def _refuse_unpriced(asked: dict[str, Any]) -> None:
    for name, why in REFUSED.items():
        if name in asked and asked[name] not in (None, [], {}):
            raise InvalidRequest(f"Unsupported parameter: '{name}': {why}.", param=name)
    if asked.get("service_tier") not in FREE_TIERS:
        raise InvalidRequest("Unsupported value: only the standard service tier is offered.", param="service_tier")


def _model(asked: dict[str, Any]) -> str:
    model = asked.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequest("You must provide a model parameter.", param="model")
    if len(model) > MAX_MODEL_CHARACTERS or not model.isprintable():
        raise InvalidRequest("The model name is too long or has characters that no model has.", param="model")
    return model


def _check_chat(asked: dict[str, Any]) -> None:
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("'messages' must be a non-empty list.", param="messages")
    if len(messages) > MAX_MESSAGES:
        raise InvalidRequest(f"'messages' may have at most {MAX_MESSAGES} entries.", param="messages")
    for index, message in enumerate(messages):
        _check_message(message, f"messages[{index}]")
    _check_tools(asked)
    modalities = asked.get("modalities")
    if modalities is not None and modalities != ["text"]:
        raise InvalidRequest("Only text output is offered.", param="modalities")


def _check_message(message: Any, where: str) -> None:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise InvalidRequest(f"{where} must be an object with a role.", param=where)
    content = message.get("content")
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise InvalidRequest(f"{where}.content must be a string or a list of parts.", param=f"{where}.content")
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "image_url":
            _check_image(part, f"{where}.content")
        if kind not in PART_FIELDS:
            shown = kind if isinstance(kind, str) and len(kind) < 40 else "of this type"
            raise InvalidRequest(f"{where}: content parts '{shown}' are not offered.", param=f"{where}.content")


def _check_image(part: dict[str, Any], where: str) -> None:
    """One image, by address or inline; anything else that hides in an image's place has no price here."""
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str) or not url.startswith(IMAGE_SOURCES):
        raise InvalidRequest(f"{where}: an image must be an https:// address or data:image/…", param=where)


def _check_tools(asked: dict[str, Any]) -> None:
    tools = asked.get("tools")
    if tools is None:
        return
    if not isinstance(tools, list):
        raise InvalidRequest("'tools' must be a list.", param="tools")
    for tool in tools:
        if not isinstance(tool, dict) or tool.get("type") != "function":
            raise InvalidRequest("Only tools of type 'function' are offered.", param="tools")


def _check_completion(asked: dict[str, Any]) -> None:
    prompt = asked.get("prompt")
    if isinstance(prompt, str):
        return
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        return
    raise InvalidRequest("'prompt' must be one string.", param="prompt")


def _check_embedding(asked: dict[str, Any]) -> None:
    texts = asked.get("input")
    if isinstance(texts, str) and texts:
        return
    if isinstance(texts, list) and texts and len(texts) <= MAX_INPUTS and _embeddable(texts):
        return
    raise InvalidRequest("'input' must be a string, a list of strings, or token ids.", param="input")


def _embeddable(texts: list[Any]) -> bool:
    if all(isinstance(text, str) for text in texts) or _token_ids(texts):
        return True
    return all(isinstance(text, list) and text and _token_ids(text) for text in texts)


def _inputs(asked: dict[str, Any]) -> int:
    texts = asked["input"]
    return len(texts) if isinstance(texts, list) and not _token_ids(texts) else 1


def _has_token_ids(texts: Any) -> bool:
    return isinstance(texts, list) and not isinstance(texts[0], str)


def _token_ids(values: list[Any]) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) and value >= 0 for value in values)


_CHECKS = {CHAT: _check_chat, COMPLETIONS: _check_completion, EMBEDDINGS: _check_embedding}


def _output_cap(asked: dict[str, Any]) -> tuple[int | None, str]:
    """The client's cap and the field it came in. `max_completion_tokens` is the newer name and wins."""
    newer = _integer(asked, "max_completion_tokens", 1, MAX_OUTPUT_TOKENS)
    older = _integer(asked, "max_tokens", 1, MAX_OUTPUT_TOKENS)
    if newer is not None:
        return newer, "max_completion_tokens"
    return older, "max_tokens"


def _integer(asked: dict[str, Any], name: str, least: int, most: int) -> int | None:
    value = asked.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidRequest(f"'{name}' must be a whole number from {least} to {most}.", param=name)
    return value


def _flag(asked: dict[str, Any], name: str) -> bool:
    value = asked.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise InvalidRequest(f"'{name}' must be true or false.", param=name)
    return value
