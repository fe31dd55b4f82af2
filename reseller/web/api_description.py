"""The API's own description, which the door of the API writes and pages for people read: one document for both."""

from typing import Any

from flask import Flask, current_app

Document = dict[str, Any]


def publish(app: Flask, document: Document) -> None:
    """Pages of this app can show what the API says of itself."""
    app.extensions["api_description"] = document


def api_description() -> Document:
    """The OpenAPI document of the app whose context this is. Not to be changed."""
    document = current_app.extensions["api_description"]
    assert isinstance(document, dict)
    return document
