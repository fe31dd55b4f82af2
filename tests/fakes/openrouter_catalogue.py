"""The fake OpenRouter's two lists of models: sound entries, and every odd one that was seen in the wild."""

from decimal import Decimal
from typing import Any

NO_PRICE = Decimal("0.000001")


def entry(slug: str, pricing: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """One entry shaped as OpenRouter's (OpenAPI file, 2026-08)."""
    inputs, output = more.pop("input", ["text"]), more.pop("output", "text")
    limits = {"context_length": more.pop("context_length", 128_000), "max_completion_tokens": more.pop("max_completion_tokens", 16_384)}
    made = {
        "id": slug,
        "canonical_slug": slug,
        "hugging_face_id": None,
        "name": slug.replace("/", ": ").title(),
        "created": 1_756_684_800,
        "description": f"A fake model named {slug}.",
        "context_length": limits["context_length"],
        "architecture": {
            "modality": f"{'+'.join(inputs)}->{output}",
            "input_modalities": inputs,
            "output_modalities": [output],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": pricing,
        "top_provider": {**limits, "is_moderated": False},
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "temperature", "tools", "tool_choice", "stop", "seed"],
        "default_parameters": {},
        **more,
    }
    if pricing is None:
        del made["pricing"]
    return made


CHEAP = {"prompt": "0.00000015", "completion": "0.0000006", "request": "0", "image": "0", "web_search": "0", "internal_reasoning": "0"}
CACHED = {"prompt": "0.000003", "completion": "0.000015", "input_cache_read": "0.0000003", "input_cache_write": "0.00000375"}
LONG = {"min_prompt_tokens": 200_000, "prompt": "0.000006", "completion": "0.0000225"}
NIGHT = {"utc_start": "1630", "utc_end": "0030", "prompt": "0.000000135", "completion": "0.00000055"}

MODELS: list[dict[str, Any]] = [
    entry("openai/gpt-4o-mini", CHEAP, input=["text", "image"]),
    entry("openai/gpt-4o", {"prompt": "0.0000025", "completion": "0.00001", "request": "0", "image": "0.003613"}),
    entry("anthropic/claude-sonnet", {**CACHED, "overrides": [LONG]}, context_length=1_000_000, max_completion_tokens=64_000),
    entry("deepseek/deepseek-chat", {"prompt": "0.00000027", "completion": "0.0000011", "overrides": [NIGHT]}),
    entry("meta-llama/llama-3.1-8b-instruct", {"prompt": "1.5e-8", "completion": "0.00000002"}),
    entry("meta-llama/llama-3.1-8b-instruct:free", {"prompt": "0", "completion": "0", "request": "0"}),
    entry("perplexity/sonar", {"prompt": "0.000001", "completion": "0.000001", "request": "0.005", "web_search": "0.005"}),
    entry("google/gemini-image", {"prompt": "0.0000003", "completion": "0.0000025", "image_output": "0.00003", "discount": 0.25}),
    entry("fake/default", {"prompt": "0.000001", "completion": "0.000002"}),
    entry("openrouter/auto", {"prompt": "-1", "completion": "-1"}),
    entry("~openai/gpt-latest", {"prompt": "-1", "completion": "-1"}, alias_target="openai/gpt-4o"),
    entry("fake/no-prices", None),
    entry("fake/half-priced", {"prompt": "0.000001"}),
    entry("fake/no-number", {"prompt": "NaN", "completion": "Infinity"}),
    entry("fake/expiring", {"prompt": "0.000001", "completion": "0.000002"}, expiration_date="2030-01-31"),
]

EMBEDDING_MODELS: list[dict[str, Any]] = [
    entry("openai/text-embedding-3-small", {"prompt": "0.00000002", "completion": "0"}, output="embeddings", context_length=8_192),
    entry("qwen/qwen3-embedding-8b", {"prompt": "0.00000001", "completion": "0"}, output="embeddings", context_length=32_000),
]


def prices_of(slug: str) -> tuple[Decimal, Decimal]:
    """Dollars per prompt and completion token; models without a sound price cost a millionth."""
    pricing = next((m.get("pricing") for m in MODELS + EMBEDDING_MODELS if m["id"] == slug), None) or {}
    return _price(pricing.get("prompt")), _price(pricing.get("completion"))


def _price(text: str | None) -> Decimal:
    price = Decimal(text or "NaN")
    return price if price.is_finite() and price >= 0 else NO_PRICE
