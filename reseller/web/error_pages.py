"""Errors as pages, in plain words. The API answers its own in JSON."""

import math
from typing import Any, TypeVar

import structlog
from flask import Flask, Response, current_app, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from reseller.errors import Conflict, Forbidden, InvalidRequest, NotFound, Refusal, TooManyRequests, Unavailable

log = structlog.get_logger()

Answer = TypeVar("Answer", bound=AnyResponse)

STATUS = ((NotFound, 404), (Conflict, 409), (Forbidden, 403), (InvalidRequest, 400), (TooManyRequests, 429), (Unavailable, 503))

PAGE = "web/error.html"

TITLES = {
    400: "That did not work",
    403: "Not for you",
    404: "Nothing here",
    405: "Nothing here",
    408: "That took too long",
    409: "Changed in the meantime",
    413: "Too much at once",
    429: "Too many attempts",
    500: "Something went wrong",
    503: "Back in a moment",
}


def page(status: int, message: str) -> Response:
    """An error as a page of ours."""
    words = {"title": TITLES.get(status, TITLES[500]), "message": message, "status": status}
    text = render_template(PAGE, **words) if status < 500 else _rendered_alone(words)
    return Response(text, status, content_type="text/html; charset=utf-8")


def _rendered_alone(words: dict[str, Any]) -> str:
    """The page without Flask's context, which asks the database who is there: that may be what failed."""
    return current_app.jinja_env.get_template(PAGE).render(**words)


def of_refusal(refusal: Refusal) -> Response:
    """A refusal of the domain as a page."""
    answer = page(next((status for kind, status in STATUS if isinstance(refusal, kind)), 400), refusal.message)
    return with_wait(answer, refusal) if isinstance(refusal, TooManyRequests) else answer


def with_wait(answer: Answer, refusal: TooManyRequests) -> Answer:
    """The answer also tells programs when to come back."""
    answer.headers["Retry-After"] = str(math.ceil(refusal.retry_after_seconds))
    return answer


def of_http(error: HTTPException) -> Response:
    """An error of the server as a page."""
    status = error.code or 500
    words = {
        403: "Your role does not include this. An admin can change roles.",
        404: "The page is not there, or it is not yours to see.",
        405: "The page is not there, or it is not yours to see.",
        413: "The form is too large.",
    }
    return page(status, words.get(status, error.description or ""))


def install(app: Flask) -> None:
    """Pages answer errors as pages. (404 and 405 are registered with the API, which must see them first.)"""

    @app.errorhandler(CSRFError)
    def forged(_: CSRFError) -> Response:
        return page(400, "The form had expired or came from another site. Nothing was changed; go back, reload the page and try again.")

    @app.errorhandler(OperationalError)
    @app.errorhandler(NoFreeConnection)
    def without_database(_: Exception) -> Response:
        log.error("page_without_database", path=request.path, exc_info=True)
        answer = page(503, "The database does not answer just now. Before you repeat a change, look whether it was saved.")
        answer.headers["Retry-After"] = "5"
        return answer

    for code in (400, 403, 408, 413, 429):
        app.register_error_handler(code, of_http)

    @app.errorhandler(500)
    def failed(_: Exception) -> Response:
        return page(500, "It has been written to the log. Nothing was changed by this request.")
