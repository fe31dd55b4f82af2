"""Every route of the API, in the order in which people read them: what goes in, what comes out, how it can be refused."""

from dataclasses import dataclass, field
from typing import Any

from config import Settings
from reseller import errors
from reseller.clients.sandbox import SCENARIOS
from reseller.gateway.estimate import PER_SECOND
from reseller.gateway.openapi import response_headers as headers
from reseller.gateway.openapi.answers import ref
from reseller.gateway.openapi.failures import KEYED, PAID, PRICED, ROOM, Kind, failure_answers
from reseller.gateway.openapi.samples import STREAMS, sample_of

PAID_TAG, BEFORE, OWN, SELF = "Paid calls", "Before a call", "Your account", "This description"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `answer` names the schema of a 200, `event` that of a stream's events."""

    method: str
    path: str
    id: str
    tag: str
    summary: str
    answer: str
    words: str = ""
    body: str | None = None
    event: str | None = None
    parameters: tuple[dict[str, Any], ...] = ()
    refusals: tuple[Kind, ...] = KEYED
    headers: tuple[str, ...] = headers.EVERYWHERE
    is_anonymous: bool = False
    kinds: tuple[str, ...] = field(default=("application/json",))


def _query(name: str, words: str, schema: dict[str, Any], *, example: Any, is_required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": is_required, "description": words, "schema": schema, "example": example}


SCENARIO = {
    "name": "x-sandbox-scenario",
    "in": "header",
    "required": False,
    "description": "With a test key: what goes wrong. The rest of the call is as it would be.",
    "schema": {"type": "string", "enum": sorted(SCENARIOS)},
}
MODEL_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The model's name as it is, with its slashes and colons.",
    "schema": {"type": "string", "minLength": 1},
    "example": "sandbox/echo",
}
_GROUPING = {"type": "string", "enum": ["day", "model", "key"], "default": "day"}
_CALL_ID = _query(
    "id", "The `id` of the answer, or its `x-request-id`.", {"type": "string"}, example=sample_of("ChatAnswer")["id"], is_required=True
)
_DAY = {"type": "string", "format": "date"}
_PAID_WORDS = (
    "The most that the call may cost is held before it is sent, and what it did cost is charged when it ends. A stream ends with `[DONE]`; "
    "comments keep it alive meanwhile; what breaks off on the way comes as one event with `error`."
)

_ESTIMATE_WORDS = (
    "Send the body of the call itself. Nothing is sent on, held, counted or charged. What the call would be refused for before it has "
    f"a price, the estimate is refused for; whether it would be admitted is in the answer. {PER_SECOND} a second are given to each account."
)


def _paid(path: str, id_: str, summary: str, kind: str) -> Operation:
    return Operation(
        "post",
        path,
        id_,
        PAID_TAG,
        summary,
        f"{kind}Answer",
        _PAID_WORDS,
        f"{kind}Request",
        f"{kind}Event",
        (SCENARIO,),
        PAID,
        headers.EVERYWHERE + headers.WHOLE,
    )


OPERATIONS = (
    _paid("/chat/completions", "createChatCompletion", "Answer a conversation", "Chat"),
    _paid("/completions", "createCompletion", "Go on with a text", "Completion"),
    Operation(
        "post",
        "/embeddings",
        "createEmbedding",
        PAID_TAG,
        "Turn texts into vectors",
        "EmbeddingAnswer",
        "Charged for its prompt tokens.",
        "EmbeddingRequest",
        None,
        (SCENARIO,),
        PAID,
        headers.EVERYWHERE + headers.WHOLE,
    ),
    Operation(
        "post",
        "/estimate",
        "estimateCall",
        BEFORE,
        "Say what a call would cost",
        "Estimate",
        _ESTIMATE_WORDS,
        "AnyRequest",
        refusals=(*KEYED, *ROOM, *PRICED, errors.TooManyRequests),
    ),
    Operation("get", "/models", "listModels", BEFORE, "List what this key may buy, with prices", "ModelList"),
    Operation(
        "get",
        "/models/{id}",
        "getModel",
        BEFORE,
        "Describe one model",
        "Model",
        parameters=(MODEL_ID,),
        refusals=(*KEYED, errors.NotForSale),
    ),
    Operation("get", "/key", "getKey", OWN, "Say what this key is and may do", "Key"),
    Operation("get", "/auth/key", "getKeyByItsOlderName", OWN, "The same under the name that some programs use", "Key"),
    Operation(
        "get", "/credits", "getCredits", OWN, "Tell the balance", "Credits", "`available` is the balance without what calls in flight hold."
    ),
    Operation(
        "get",
        "/usage",
        "listUsage",
        OWN,
        "Sum up usage by day, model or key",
        "UsageSums",
        "Days are those of `time_zone`, both ends are included, and every call that has ended is in the sums at once.",
        parameters=(
            _query("from", "The first day; by default 29 days before the last.", _DAY, example="2026-11-01"),
            _query("to", "The last day; by default today.", _DAY, example="2026-11-30"),
            _query("group_by", "What is summed up.", _GROUPING, example="model"),
            _query("time_zone", "Whose days: the IANA name of a time zone.", {"type": "string", "default": "UTC"}, example="Asia/Kolkata"),
        ),
        refusals=(*KEYED, errors.InvalidRequest),
    ),
    Operation(
        "get",
        "/generation",
        "getGeneration",
        OWN,
        "Tell one call with its arithmetic",
        "Generation",
        parameters=(_CALL_ID,),
        refusals=(*KEYED, errors.NotFound),
    ),
    Operation(
        "get",
        "/openapi.json",
        "getDescription",
        SELF,
        "Describe this API",
        "Document",
        refusals=(errors.Unavailable,),
        headers=(*headers.EVERYWHERE, "etag"),
        is_anonymous=True,
    ),
)


def operation_object(operation: Operation, settings: Settings) -> dict[str, Any]:
    """The operation as OpenAPI writes it."""
    made: dict[str, Any] = {"operationId": operation.id, "tags": [operation.tag], "summary": operation.summary}
    if operation.words:
        made["description"] = operation.words
    if operation.is_anonymous:
        made["security"] = []
    if operation.parameters:
        made["parameters"] = list(operation.parameters)
    if operation.body:
        made["requestBody"] = _body(operation.body, settings)
    made["responses"] = {"200": _answer(operation), **failure_answers(operation.refusals)}
    return made


def _body(schema: str, settings: Settings) -> dict[str, Any]:
    words = f"At most {settings.max_body_bytes:,} bytes of JSON, not compressed."
    return {"required": True, "description": words, "content": {"application/json": {"schema": ref(schema), "example": sample_of(schema)}}}


def _answer(operation: Operation) -> dict[str, Any]:
    whole = {"schema": ref(operation.answer)}
    if operation.answer != "Document":
        whole["example"] = sample_of(operation.answer)
    content: dict[str, Any] = {"application/json": whole}
    if operation.event:
        content["text/event-stream"] = {
            "schema": _event(operation.event),
            "example": STREAMS[operation.event],
        }
    return {"description": "Done.", "headers": headers.refer(operation.headers), "content": content}


def _event(schema: str) -> dict[str, Any]:
    """One of the server-sent events that a stream consists of."""
    parsed = {"type": "string", "contentMediaType": "application/json", "contentSchema": {"anyOf": [ref(schema), ref("Error")]}}
    data = {"description": "JSON, or `[DONE]` after the last.", "anyOf": [{"const": "[DONE]"}, parsed]}
    return {"type": "object", "description": "One server-sent event.", "required": ["data"], "properties": {"data": data}}
