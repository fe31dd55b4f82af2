"""The API's description of itself, as OpenAPI 3.1: `/v1/openapi.json`, and the reference on the docs page.

Written from the tables that requests are checked with and errors are answered from, so it cannot say anything else than
they do; `operations` lists the routes, and a test holds it to the real ones. Nothing in it names an upstream.
"""

from typing import Any

from config import Settings
from reseller.gateway.openapi.answers import ANSWERS
from reseller.gateway.openapi.bounds import bounds
from reseller.gateway.openapi.failures import codes_of_models, error_table
from reseller.gateway.openapi.operations import OPERATIONS, operation_object
from reseller.gateway.openapi.requests import request_schemas
from reseller.gateway.openapi.response_headers import HEADERS

VERSION = "1"
TAGS = (
    ("Paid calls", "Answered by a model and charged. Whole or streamed, in the shape of OpenAI's API."),
    ("Before a call", "What is for sale, and what a call would cost."),
    ("Your account", "What a key may do, what it has used, and each call with its arithmetic."),
    ("This description", "The document that you read."),
)
ABOUT = (
    "An API in the shape of OpenAI's, paid from a prepaid balance. Money is decimal strings of US dollars, save `usage.cost` of "
    "paid calls, a number with exact digits. Every answer carries `x-request-id`; errors have one shape everywhere. Routes answer "
    "the same with a trailing slash, and under `/api/v1`. Reading has no limit but a pace: whoever "
    "reads hundreds of times a second is answered more slowly."
)


def document(settings: Settings) -> dict[str, Any]:
    """The whole document for this deployment. Addresses come from PUBLIC_URL alone."""
    base = settings.base_url
    contact = {"contact": {"email": settings.brand_support_email}} if settings.brand_support_email else {}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{settings.brand_name} API", "version": VERSION, "description": ABOUT, **contact},
        "servers": [{"url": f"{base}/v1"}, {"url": f"{base}/api/v1", "description": "The same, for programs that end their base URL so."}],
        "externalDocs": {"url": f"{base}/docs", "description": "Quickstart, limits, and what is billed when."},
        "tags": [{"name": name, "description": words} for name, words in TAGS],
        "security": [{"bearer": []}, {"apiKey": []}],
        "paths": _paths(settings),
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer sk_live_…`"},
                "apiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-api-key",
                    "description": "The same key, for programs that send it so.",
                },
            },
            "schemas": {**request_schemas(), **ANSWERS},
            "headers": HEADERS,
        },
        "x-errors": error_table(),
        "x-codes-of-models": codes_of_models(),
        "x-limits": bounds(settings),
    }


def _paths(settings: Settings) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation_object(operation, settings)
    return paths
