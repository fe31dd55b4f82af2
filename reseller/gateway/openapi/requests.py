"""The bodies of paid calls: which fields pass, which are read by us, which are refused, from the tables that check them."""

from typing import Any

from reseller.gateway import call
from reseller.gateway.rebuilding import CHAT, COMPLETIONS, EMBEDDINGS, MESSAGE_FIELDS, PART_FIELDS, PASSED, TOOL_FIELDS

NUMBER, TEXT, FLAG, OBJECT = {"type": "number"}, {"type": "string"}, {"type": "boolean"}, {"type": "object"}
_COUNT = {"type": "integer", "minimum": 1, "maximum": call.MAX_OUTPUT_TOKENS}
NOTHING: list[Any] = [None, [], {}]
"""What a refused field may hold all the same: many clients send it empty."""


def _field(words: str, **schema: Any) -> dict[str, Any]:
    return {"description": words, **schema}


READ: dict[str, dict[str, Any]] = {
    "model": _field("The model's name, as the list of models has it.", **TEXT, minLength=1, maxLength=call.MAX_MODEL_CHARACTERS),
    "stream": _field("Whether the answer comes as server-sent events, as it is written.", type=["boolean", "null"]),
    "stream_options": _field(
        "`include_usage: true` adds one last event with token counts and the charge.",
        type=["object", "null"],
        properties={"include_usage": FLAG},
    ),
    "n": _field("How many answers. Each is paid for.", type=["integer", "null"], minimum=1, maximum=call.MAX_CHOICES),
    "max_tokens": _field("Tokens that the answer may have; the hold is made for them.", **{**_COUNT, "type": ["integer", "null"]}),
    "max_completion_tokens": _field("The newer name of `max_tokens`; it wins.", **{**_COUNT, "type": ["integer", "null"]}),
    "user": _field("Your own name for an end user. The model sees a keyed hash of it."),
    "service_tier": _field("Only the standard tier is offered.", enum=list(call.FREE_TIERS)),
    "modalities": _field("Only text output is offered.", enum=[None, ["text"]]),
    "messages": _field(
        "The conversation.",
        type="array",
        minItems=1,
        maxItems=call.MAX_MESSAGES,
        items={"$ref": "#/components/schemas/Message"},
    ),
    "tools": _field("Functions that the model may ask you to call.", type=["array", "null"], items={"$ref": "#/components/schemas/Tool"}),
    "prompt": _field("One text to go on with.", anyOf=[TEXT, {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 1}]),
    "input": _field(
        "One text, several, or token ids.",
        anyOf=[
            {"type": "string", "minLength": 1},
            {"type": "array", "items": TEXT, "minItems": 1, "maxItems": call.MAX_INPUTS},
            {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": call.MAX_INPUTS},
            {
                "type": "array",
                "items": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
                "minItems": 1,
                "maxItems": call.MAX_INPUTS,
            },
        ],
    ),
}
"""Fields that we look into ourselves, with the bounds that we hold them to."""

FORWARDED: dict[str, str] = {
    "temperature": "How freely tokens are drawn.",
    "top_p": "Draw only from the likeliest tokens that have this probability together.",
    "top_k": "Draw only from this many likeliest tokens.",
    "top_a": "Draw only from tokens near the likeliest one.",
    "min_p": "Draw only from tokens at least this likely, relative to the likeliest.",
    "frequency_penalty": "Against tokens that came often.",
    "presence_penalty": "Against tokens that came at all.",
    "repetition_penalty": "Against repetition of prompt and answer.",
    "seed": "Draw alike for alike requests, as far as the model can.",
    "stop": "Texts at which the answer ends.",
    "logit_bias": "Make single tokens likelier or less likely.",
    "logprobs": "How likely each token was.",
    "top_logprobs": "And how likely the others were.",
    "tool_choice": "Whether and which tool must be called.",
    "parallel_tool_calls": "Whether several tools may be called at once.",
    "functions": "The older form of `tools`.",
    "function_call": "The older form of `tool_choice`.",
    "response_format": "JSON, or JSON of a schema.",
    "structured_outputs": "Whether the answer must follow the schema.",
    "reasoning": "How much the model thinks first. Thinking is output and paid as such.",
    "reasoning_effort": "The same as one word.",
    "include_reasoning": "Whether the thoughts are in the answer.",
    "verbosity": "How long answers are.",
    "cache_control": "What of the prompt may be kept in the model's cache.",
    "suffix": "The text that comes after the completion.",
    "echo": "Whether the prompt is repeated.",
    "dimensions": "How long vectors are.",
    "encoding_format": "`float` or `base64`.",
    "input_type": "What the vectors are for.",
}
"""Fields that are passed on as they are; the model checks them, and what it does not know it refuses or ignores."""

ALWAYS = ("model", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens", "user", "service_tier")
NEEDED = {CHAT: "messages", COMPLETIONS: "prompt", EMBEDDINGS: "input"}
NAMES = {CHAT: "ChatRequest", COMPLETIONS: "CompletionRequest", EMBEDDINGS: "EmbeddingRequest"}
EXAMPLES: dict[str, dict[str, Any]] = {
    CHAT: {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 100},
    COMPLETIONS: {"model": "sandbox/lorem", "prompt": "Once upon a time", "max_tokens": 100},
    EMBEDDINGS: {"model": "openai/text-embedding-3-small", "input": ["first text", "second text"]},
}
IGNORED_BY_EMBEDDINGS = ("stream", "stream_options", "n", "max_tokens", "max_completion_tokens")


def known_fields(path: str) -> list[str]:
    """Every field that means something on this route, refused ones left out."""
    always = [name for name in ALWAYS if path != EMBEDDINGS or name not in IGNORED_BY_EMBEDDINGS]
    return list(dict.fromkeys((*always, *sorted(PASSED[path]))))


def request_schemas() -> dict[str, Any]:
    """The schemas of what is sent."""
    bodies = {NAMES[path]: _body(path) for path in NAMES}
    return {**bodies, "AnyRequest": {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in bodies]}, **_parts()}


def _body(path: str) -> dict[str, Any]:
    passed = {name: READ[name] if name in READ else _field(FORWARDED[name], **{"x-checked-by": "model"}) for name in known_fields(path)}
    refused = {name: _field(f"Refused unless empty: {why}.", enum=NOTHING, **{"x-refused": True}) for name, why in call.REFUSED.items()}
    return {
        "type": "object",
        "description": "Fields that are not listed are ignored.",
        "required": ["model", NEEDED[path]],
        "properties": passed | refused,
        "examples": [EXAMPLES[path]],
    }


def _parts() -> dict[str, Any]:
    part = {"$ref": "#/components/schemas/ContentPart"}
    content = {"anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": part}]}
    return {
        "Message": {
            "type": "object",
            "required": ["role"],
            "properties": {name: {} for name in sorted(MESSAGE_FIELDS)} | {"role": TEXT, "content": content},
        },
        "ContentPart": {"oneOf": [_part(kind) for kind in PART_FIELDS]},
        "Tool": {
            "type": "object",
            "required": ["type"],
            "properties": {name: {} for name in sorted(TOOL_FIELDS)} | {"type": {"const": "function"}},
        },
    }


def _part(kind: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": {"const": kind}} | {name: {} for name in sorted(PART_FIELDS[kind] - {"type"})}
    if kind != "image_url":
        return {"title": kind, "type": "object", "required": ["type"], "properties": fields}
    address = {
        "type": "string",
        "pattern": f"^({'|'.join(call.IMAGE_SOURCES)})",
        "description": "An address, or the image itself as data:image/…",
    }
    fields["image_url"] = {"anyOf": [address, {"type": "object", "required": ["url"], "properties": {"url": address}}]}
    return {"title": kind, "type": "object", "required": ["type", "image_url"], "properties": fields}
