"""What is answered, field by field. Lists of models, estimates, usage and errors are ours; choices are the model's."""

from typing import Any

from reseller.domain.pricing import LABELS, PRICE_FIELDS
from reseller.domain.usage import CallStatus
from reseller.gateway.openapi.response_headers import MONEY

TEXT, FLAG, COUNT, NULL = {"type": "string"}, {"type": "boolean"}, {"type": "integer"}, {"type": "null"}
MAYBE_TEXT, MAYBE_COUNT = {"type": ["string", "null"]}, {"type": ["integer", "null"]}
MOMENT = {"type": "string", "format": "date-time"}
MAYBE_MOMENT = {"type": ["string", "null"], "format": "date-time"}
PRICE = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "description": "Dollars for one unit."}
MAYBE_MONEY = {**MONEY, "type": ["string", "null"]}
OBJECT = {"type": "object"}


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def strict(properties: dict[str, Any], *, optional: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """An object of exactly these fields."""
    needed = [name for name in properties if name not in optional]
    return {"type": "object", "required": needed, "properties": properties, "additionalProperties": False, **more}


def list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def said(schema: dict[str, Any], words: str) -> dict[str, Any]:
    return {**schema, "description": words}


PRICING = strict(dict.fromkeys(PRICE_FIELDS, PRICE), optional=PRICE_FIELDS, description="What you pay for one token, call or image, exact.")

MODEL = strict(
    {
        "id": said(TEXT, "The name to ask for."),
        "object": {"const": "model"},
        "created": said(COUNT, "When it was first for sale, in seconds since 1970."),
        "owned_by": TEXT,
        "name": TEXT,
        "canonical_slug": TEXT,
        "description": TEXT,
        "context_length": MAYBE_COUNT,
        "architecture": strict(
            {
                "modality": TEXT,
                "input_modalities": list_of(TEXT),
                "output_modalities": list_of(TEXT),
                "tokenizer": TEXT,
                "instruct_type": MAYBE_TEXT,
            }
        ),
        "pricing": PRICING,
        "top_provider": strict({"context_length": MAYBE_COUNT, "max_completion_tokens": MAYBE_COUNT, "is_moderated": FLAG}),
        "per_request_limits": NULL,
        "supported_parameters": list_of(TEXT),
        "default_parameters": NULL,
        "supported_voices": NULL,
        "links": strict({"details": TEXT}),
    }
)

USAGE = {
    "type": "object",
    "description": "Tokens as they were counted, and what the call was charged.",
    "properties": {
        "prompt_tokens": COUNT,
        "completion_tokens": COUNT,
        "total_tokens": COUNT,
        "prompt_tokens_details": OBJECT,
        "completion_tokens_details": OBJECT,
        "cost": {"type": "number", "minimum": 0, "description": "What you were charged, in dollars: a number with exact digits."},
    },
}
_MODELS_OWN = {
    "id": said(TEXT, "The id of this call; `/generation` tells its arithmetic."),
    "object": TEXT,
    "created": COUNT,
    "model": TEXT,
}
CHOICE = {"type": "object", "description": "As the model gave it, in the shape of OpenAI's API."}

SUMS = {
    "calls": said(COUNT, "All but refused ones."),
    "refused": COUNT,
    "errors": said(COUNT, "Among the calls: failed, broken off or voided."),
    "prompt_tokens": COUNT,
    "completion_tokens": COUNT,
    "total_tokens": COUNT,
    "charge": MONEY,
}
_WINDOW = strict({"limit": COUNT, "remaining": COUNT})

LINE = strict(
    {
        "kind": {"type": "string", "enum": sorted(LABELS)},
        "label": TEXT,
        "quantity": COUNT,
        "price": PRICE,
        "amount": {**MONEY, "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
    },
    optional=("quantity", "price"),
)

GENERATION = strict(
    {
        "id": TEXT,
        "request_id": TEXT,
        "created_at": MOMENT,
        "status": {"type": "string", "enum": sorted(CallStatus)},
        "error_code": MAYBE_TEXT,
        "model": TEXT,
        "endpoint": TEXT,
        "streamed": FLAG,
        "is_test": FLAG,
        "tokens_prompt": COUNT,
        "tokens_completion": COUNT,
        "tokens_cached": said(COUNT, "Inside the prompt."),
        "tokens_reasoning": said(COUNT, "Inside the completion."),
        "charge": MONEY,
        "held": MONEY,
        "is_estimate": said(FLAG, "Whether nobody told the usage, so that it was counted from what was sent and delivered."),
        "parameters": OBJECT,
        "finish_reason": MAYBE_TEXT,
        "latency_ms": {"type": ["number", "null"]},
        "explanation": {
            "oneOf": [
                NULL,
                strict(
                    {"rule_id": MAYBE_TEXT, "price_version": COUNT, "lines": list_of(LINE)}, description="Lines that add up to the charge."
                ),
            ]
        },
    }
)

KEY = strict(
    {
        "label": TEXT,
        "prefix": TEXT,
        "is_test": FLAG,
        "limit": said(MAYBE_MONEY, "The key's own spend limit."),
        "limit_remaining": MAYBE_MONEY,
        "limit_period": {"enum": [None, "lifetime", "day", "week", "month"]},
        "usage": said(MONEY, "What the key has spent in its life."),
        "models": {"type": ["array", "null"], "items": TEXT, "description": "Patterns of the models that it may use; null is all."},
        "expires_at": MAYBE_MOMENT,
        "created_at": MOMENT,
        "rate_limits": strict(
            {
                "minute": _WINDOW,
                "hour": _WINDOW,
                "day": _WINDOW,
                "max_tokens_per_request": MAYBE_COUNT,
                "concurrent_requests": MAYBE_COUNT,
            },
            optional=("minute", "hour", "day"),
            description="A window that is not limited is not listed.",
        ),
    }
)

ESTIMATE = strict(
    {
        "object": {"const": "estimate"},
        "endpoint": said(
            TEXT, "The route that this body is for: messages are a chat, a prompt is a completion, an input is to be embedded."
        ),
        "model": TEXT,
        "is_test": FLAG,
        "currency": {"const": "USD"},
        "hold": said(
            MONEY, "What the call would hold for its longest answer: no call is charged more. With less available, answers may be shorter."
        ),
        "likely_charge": said(MONEY, "A guess from the likely tokens."),
        "minimum_charge": MONEY,
        "prompt_tokens": strict({"likely": COUNT, "at_most": COUNT, "images": COUNT}),
        "completion_tokens": strict(
            {
                "likely": COUNT,
                "at_most": COUNT,
                "based_on": said({"enum": ["own_calls", "assumption"]}, "Your average of 30 days with this model, or our assumption."),
            }
        ),
        "pricing": PRICING,
        "available": MONEY,
        "admission": strict(
            {"is_admitted": FLAG, "status": MAYBE_COUNT, "code": MAYBE_TEXT, "message": MAYBE_TEXT},
            description="Whether the call would be let in now, and the error that it would get if not.",
        ),
    }
)

_WHOLE = {
    "type": "object",
    "required": ["id", "choices"],
    "properties": {
        **_MODELS_OWN,
        "choices": {**list_of(CHOICE), "minItems": 1},
        "usage": ref("Usage"),
        "system_fingerprint": MAYBE_TEXT,
    },
}
_EVENT = {
    "type": "object",
    "description": "One event of a stream. After the last comes `[DONE]`; an `error` in place of choices ends a stream that broke off.",
    "required": ["id", "choices"],
    "properties": {**_MODELS_OWN, "choices": list_of(CHOICE), "usage": {"oneOf": [NULL, ref("Usage")]}},
}

ANSWERS: dict[str, Any] = {
    "Error": strict({"error": strict({"message": TEXT, "type": TEXT, "param": MAYBE_TEXT, "code": TEXT})}),
    "Usage": USAGE,
    "Pricing": PRICING,
    "Model": {**MODEL, "properties": {**MODEL["properties"], "pricing": ref("Pricing")}},
    "ModelList": strict(
        {"object": {"const": "list"}, "data": list_of(ref("Model")), "total_count": COUNT, "links": strict({"next": NULL})}
    ),
    "ChatAnswer": _WHOLE,
    "ChatEvent": _EVENT,
    "CompletionAnswer": _WHOLE,
    "CompletionEvent": _EVENT,
    "EmbeddingAnswer": {
        "type": "object",
        "required": ["data"],
        "properties": {"object": TEXT, "data": {**list_of(OBJECT), "minItems": 1}, "model": TEXT, "usage": ref("Usage")},
    },
    "Estimate": {**ESTIMATE, "properties": {**ESTIMATE["properties"], "pricing": ref("Pricing")}},
    "Key": strict({"data": KEY}),
    "Credits": strict({"data": strict({"balance": MONEY, "held": MONEY, "available": MONEY, "currency": {"const": "USD"}})}),
    "UsageSums": strict(
        {
            "object": {"const": "list"},
            "from": {"type": "string", "format": "date"},
            "to": {"type": "string", "format": "date"},
            "group_by": {"enum": ["day", "model", "key"]},
            "data": list_of(strict({"day": TEXT, "model": TEXT, "key": TEXT, **SUMS}, optional=("day", "model", "key"))),
        }
    ),
    "Generation": strict({"data": GENERATION}),
    "Document": said(OBJECT, "An OpenAPI 3.1 document."),
}
