"""What may go upstream, field by field, down to messages, parts and tools (R27). Everything else is dropped."""

from typing import Any

CHAT, COMPLETIONS, EMBEDDINGS = "/chat/completions", "/completions", "/embeddings"

_SAMPLING = (
    "temperature", "top_p", "top_k", "top_a", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty",
    "seed", "stop", "logit_bias", "logprobs", "n",
)  # fmt: skip
PASSED = {
    CHAT: frozenset(_SAMPLING) | {
        "messages", "top_logprobs", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "response_format",
        "structured_outputs", "reasoning", "reasoning_effort", "include_reasoning", "verbosity", "modalities", "cache_control",
    },
    COMPLETIONS: frozenset(_SAMPLING) | {"prompt", "suffix", "echo"},
    EMBEDDINGS: frozenset({"input", "dimensions", "encoding_format", "input_type"}),
}  # fmt: skip

MESSAGE_FIELDS = frozenset({
    "role", "content", "name", "tool_calls", "tool_call_id", "refusal", "function_call", "reasoning", "reasoning_content",
    "reasoning_details", "cache_control",
})  # fmt: skip
PART_FIELDS = {
    "text": frozenset({"type", "text", "cache_control"}),
    "input_text": frozenset({"type", "text", "cache_control"}),
    "refusal": frozenset({"type", "refusal"}),
    "image_url": frozenset({"type", "image_url", "cache_control"}),
}
TOOL_FIELDS = frozenset({"type", "function", "cache_control"})


def rebuilt(asked: dict[str, Any], passed: frozenset[str]) -> dict[str, Any]:
    """The fields that may go upstream; messages, parts and tools are built again from their own lists."""
    body = {name: value for name, value in asked.items() if name in passed and value is not None}
    if "messages" in body:
        body["messages"] = [_rebuilt_message(message) for message in body["messages"]]
    if "tools" in body:
        body["tools"] = [_only(tool, TOOL_FIELDS) for tool in body["tools"]]
    return body


def _rebuilt_message(message: dict[str, Any]) -> dict[str, Any]:
    built = _only(message, MESSAGE_FIELDS)
    if isinstance(built.get("content"), list):
        built["content"] = [_only(part, PART_FIELDS[part["type"]]) for part in built["content"]]
    return built


def _only(fields: dict[str, Any], passed: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in passed}
