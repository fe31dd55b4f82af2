"""`/v1/openapi.json`: the description as bytes, made once for each process; anybody may read it and keep it for a while."""

import hashlib

import orjson
from flask import Flask, Request, Response, current_app

from config import Settings
from reseller.gateway.openapi import document
from reseller.web import api_description

KEPT_SECONDS = 300


def install(app: Flask, settings: Settings) -> None:
    """The app knows its description, for programs and for the docs page."""
    made = document(settings)
    api_description.publish(app, made)
    raw = orjson.dumps(made)
    app.extensions["api_description_bytes"] = (raw, hashlib.sha256(raw).hexdigest()[:16])


def describe(request: Request) -> Response:
    """The document; nothing but 304 for whoever has it."""
    raw, tag = current_app.extensions["api_description_bytes"]
    response = Response(raw, content_type="application/json")
    response.set_etag(tag)
    response.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
    response.make_conditional(request)
    return response
