"""Every endpoint of the API, one line each. /v1 and /api/v1 answer the same, with and without a trailing slash."""

from typing import Any

import orjson
from flask import Blueprint, Response, g, request

from reseller.gateway import account, models
from reseller.gateway.access import identify
from reseller.gateway.description import describe
from reseller.gateway.estimate import estimate
from reseller.gateway.rebuilding import CHAT, COMPLETIONS, EMBEDDINGS
from reseller.gateway.relay import relay
from reseller.wiring import wiring

PREFIXES = ("/v1", "/api/v1")

ELSEWHERE = {
    "/responses": "Use POST /v1/chat/completions.",
    "/messages": "Use POST /v1/chat/completions.",
    "/images": "Models that draw answer at POST /v1/chat/completions.",
    "/audio": "Audio is not offered; text is, at POST /v1/chat/completions.",
    "/engines": "Name the model in the body of POST /v1/chat/completions.",
}
"""What clients of other APIs ask for, and where it is had here."""


def is_api(path: str) -> bool:
    """Whether the path belongs to the API, whatever is there."""
    return path.startswith(("/v1/", "/api/v1/")) or path in PREFIXES


def not_offered(method: str, path: str) -> str:
    """What to do instead of asking for a path that leads nowhere."""
    rest = path.removeprefix("/api").removeprefix("/v1").rstrip("/")
    if not rest:
        return f"{method} {path} is the base URL of the API, not a path of its own. Use POST /v1/chat/completions or GET /v1/models."
    words = ELSEWHERE.get(f"/{rest.split('/')[1]}")
    if words is not None:
        return f"{method} {path} is not offered here. {words}"
    return f"Unknown request URL: {method} {path}. Please check the URL for typos."


def answer(payload: dict[str, Any]) -> Response:
    return Response(orjson.dumps(payload), content_type="application/json")


def add_routes(api: Blueprint) -> None:
    """Each route says who may call it: all need a key, which `identify` demands first, but the description that anybody may read."""
    api.get("/openapi.json", strict_slashes=False)(description)
    api.post("/chat/completions", strict_slashes=False)(chat)
    api.post("/completions", strict_slashes=False)(completions)
    api.post("/embeddings", strict_slashes=False)(embeddings)
    api.post("/estimate", strict_slashes=False)(estimated)
    api.get("/models", strict_slashes=False)(list_models)
    api.get("/models/<path:slug>")(one_model)
    api.get("/key", strict_slashes=False)(key)
    api.get("/auth/key", strict_slashes=False)(key)
    api.get("/credits", strict_slashes=False)(credit)
    api.get("/usage", strict_slashes=False)(usage)
    api.get("/generation", strict_slashes=False)(generation)


def description() -> Response:
    return describe(request)


def chat() -> Response:
    return relay(CHAT)


def completions() -> Response:
    return relay(COMPLETIONS)


def embeddings() -> Response:
    return relay(EMBEDDINGS)


def estimated() -> Response:
    house = wiring()
    return answer(estimate(house, identify(request, house), request, g.call_id))


def list_models() -> Response:
    house = wiring()
    caller = identify(request, house)
    with account.reading(caller) as key:
        return answer(models.list_models(house, caller, key))


def one_model(slug: str) -> Response:
    house = wiring()
    caller = identify(request, house)
    with account.reading(caller) as key:
        return answer(models.one_model(house, caller, key, slug.rstrip("/")))


def key() -> Response:
    return answer(account.key_facts(identify(request, wiring())))


def credit() -> Response:
    return answer(account.credits_of(identify(request, wiring())))


def usage() -> Response:
    return answer(account.usage_of(identify(request, wiring()), request))


def generation() -> Response:
    house = wiring()
    return answer(account.generation(house, identify(request, house), request.args.get("id", "")))
