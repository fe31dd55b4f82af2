"""An example of each body. A test holds every one to its schema."""

from typing import Any

from reseller.gateway.openapi.requests import EXAMPLES, NAMES

_ID = "chatcmpl-019ab7d2c3a47e5f8b1c2d3e4f5a6b7c"
_COMPLETION_ID = "cmpl-019ab7d2c3a47e5f8b1c2d3e4f5a6b7c"
_REQUEST_ID = "req_019ab7d2c3a47e5f8b1c2d3e4f5a6b7c"
_AT = "2026-11-22T09:30:00.125000+00:00"
_PRICING = {"prompt": "0.00000025", "completion": "0.000001"}
_USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "cost": 0.00000525}
_SUMS = {
    "calls": 40,
    "refused": 1,
    "errors": 0,
    "prompt_tokens": 360,
    "completion_tokens": 120,
    "total_tokens": 480,
    "charge": "0.00021",
}
_WINDOW = {"limit": 300, "remaining": 299}

_CHAT_STREAM = (
    f'data: {{"id":"{_ID}","object":"chat.completion.chunk","created":1795339800,"model":"sandbox/echo",'
    '"choices":[{"index":0,"delta":{"role":"assistant","content":"Hello!"},"finish_reason":null,"logprobs":null}]}\n\n'
    f'data: {{"id":"{_ID}","object":"chat.completion.chunk","created":1795339800,"model":"sandbox/echo",'
    '"choices":[{"index":0,"delta":{},"finish_reason":"stop","logprobs":null}]}\n\n'
    "data: [DONE]\n\n"
)
_COMPLETION_STREAM = (
    f'data: {{"id":"{_COMPLETION_ID}","object":"text_completion","created":1795339800,"model":"sandbox/echo",'
    '"choices":[{"index":0,"text":"Hello!","finish_reason":null,"logprobs":null}]}\n\n'
    f'data: {{"id":"{_COMPLETION_ID}","object":"text_completion","created":1795339800,"model":"sandbox/echo",'
    '"choices":[{"index":0,"text":"","finish_reason":"stop","logprobs":null}]}\n\n'
    "data: [DONE]\n\n"
)
STREAMS = {"ChatEvent": _CHAT_STREAM, "CompletionEvent": _COMPLETION_STREAM}
"""A whole stream, by the schema of its events."""

_MODEL: dict[str, Any] = {
    "id": "sandbox/echo",
    "object": "model",
    "created": 1795339800,
    "owned_by": "sandbox",
    "name": "Sandbox: Echo",
    "canonical_slug": "sandbox/echo",
    "description": "Answers with the prompt.",
    "context_length": 131072,
    "architecture": {
        "modality": "text->text",
        "input_modalities": ["text"],
        "output_modalities": ["text"],
        "tokenizer": "Other",
        "instruct_type": None,
    },
    "pricing": _PRICING,
    "top_provider": {"context_length": 131072, "max_completion_tokens": 16384, "is_moderated": False},
    "per_request_limits": None,
    "supported_parameters": ["max_tokens", "temperature"],
    "default_parameters": None,
    "supported_voices": None,
    "links": {"details": "/v1/models/sandbox/echo"},
}

_SAMPLES: dict[str, Any] = {
    **{NAMES[path]: example for path, example in EXAMPLES.items()},
    "AnyRequest": next(iter(EXAMPLES.values())),
    "ChatAnswer": {
        "id": _ID,
        "object": "chat.completion",
        "created": 1795339800,
        "model": "sandbox/echo",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop", "logprobs": None},
        ],
        "system_fingerprint": None,
        "usage": _USAGE,
    },
    "CompletionAnswer": {
        "id": _COMPLETION_ID,
        "object": "text_completion",
        "created": 1795339800,
        "model": "sandbox/echo",
        "choices": [{"index": 0, "text": "Hello!", "finish_reason": "stop", "logprobs": None}],
        "system_fingerprint": None,
        "usage": _USAGE,
    },
    "EmbeddingAnswer": {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.0123, -0.0456]}],
        "model": "openai/text-embedding-3-small",
        "usage": {"prompt_tokens": 4, "total_tokens": 4, "cost": 0.0000001},
    },
    "Estimate": {
        "object": "estimate",
        "endpoint": "/v1/chat/completions",
        "model": "sandbox/echo",
        "is_test": False,
        "currency": "USD",
        "hold": "0.00010375",
        "likely_charge": "0.00010125",
        "minimum_charge": "0",
        "prompt_tokens": {"likely": 5, "at_most": 15, "images": 0},
        "completion_tokens": {"likely": 100, "at_most": 100, "based_on": "assumption"},
        "pricing": _PRICING,
        "available": "10",
        "admission": {"is_admitted": True, "status": None, "code": None, "message": None},
    },
    "Model": _MODEL,
    "ModelList": {"object": "list", "data": [_MODEL], "total_count": 1, "links": {"next": None}},
    "Key": {
        "data": {
            "label": "my program",
            "prefix": "sk_live_abc1…",
            "is_test": False,
            "limit": "25",
            "limit_remaining": "24.99979",
            "limit_period": "month",
            "usage": "0.00021",
            "models": None,
            "expires_at": None,
            "created_at": _AT,
            "rate_limits": {
                "minute": _WINDOW,
                "hour": {"limit": 10000, "remaining": 9960},
                "day": {"limit": 100000, "remaining": 99960},
                "max_tokens_per_request": None,
                "concurrent_requests": 100,
            },
        }
    },
    "Credits": {"data": {"balance": "9.99979", "held": "0", "available": "9.99979", "currency": "USD"}},
    "UsageSums": {
        "object": "list",
        "from": "2026-11-01",
        "to": "2026-11-30",
        "group_by": "model",
        "data": [{"model": "sandbox/echo", **_SUMS}],
    },
    "Generation": {
        "data": {
            "id": _ID,
            "request_id": _REQUEST_ID,
            "created_at": _AT,
            "status": "completed",
            "error_code": None,
            "model": "sandbox/echo",
            "endpoint": "/v1/chat/completions",
            "streamed": False,
            "is_test": False,
            "tokens_prompt": 9,
            "tokens_completion": 3,
            "tokens_cached": 0,
            "tokens_reasoning": 0,
            "charge": "0.00000525",
            "held": "0.00010375",
            "is_estimate": False,
            "parameters": {"max_tokens": 100, "messages": 1, "stream": False},
            "finish_reason": "stop",
            "latency_ms": 412.5,
            "explanation": {
                "rule_id": "019ab7d0-1111-7222-8333-444455556666",
                "price_version": 7,
                "lines": [
                    {"kind": "prompt", "label": "prompt tokens", "quantity": 9, "price": "0.00000025", "amount": "0.00000225"},
                    {"kind": "completion", "label": "completion tokens", "quantity": 3, "price": "0.000001", "amount": "0.000003"},
                ],
            },
        }
    },
}


def sample_of(schema: str) -> Any:
    """A body of that schema."""
    return _SAMPLES[schema]
