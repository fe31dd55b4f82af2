"""DOOR: the OpenAI-compatible API under /v1. `blueprint(prefix, live)` makes it; `routes` lists the endpoints."""

import structlog
from flask import Blueprint, Flask, Response, g, request
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from werkzeug.exceptions import HTTPException

from config import Settings
from reseller import alarms, tally, web
from reseller.clock import monotonic, new_id
from reseller.domain.usage import request_id
from reseller.errors import BodyTooLarge, InvalidRequest, NotFound, Refusal, Unavailable, UpstreamBusy, UpstreamDown, UpstreamTimeout
from reseller.gateway import description
from reseller.gateway.access import culprit_of
from reseller.gateway.errors import message_of, response_of
from reseller.gateway.headers import allow_browsers
from reseller.gateway.pacing import READS, at_a_pace
from reseller.gateway.routes import PREFIXES, add_routes, is_api, not_offered
from reseller.gateway.sessions import PageSessions
from reseller.live import LiveCalls
from reseller.tally import Part
from reseller.turns import Turns
from reseller.web import error_pages
from reseller.web.page_turns import end_turn
from reseller.wiring import wiring

NOT_THE_CLIENT_S_FAULT = (Unavailable, UpstreamBusy, UpstreamDown, UpstreamTimeout)
"""Answered when they are due: within 3 s (R13), at once (R32)."""

log = structlog.get_logger()


def blueprint(prefix: str, live: LiveCalls) -> Blueprint:
    """The API under one prefix."""
    api = Blueprint(f"api{prefix.replace('/', '_')}", __name__, url_prefix=prefix)
    add_routes(api)
    turns = Turns()

    @api.before_request
    def begin() -> Response | None:
        g.received_at = monotonic()
        g.call_id = new_id()
        g.live = live
        if live.is_refusing and request.method == "POST":
            return response_of(Unavailable("The server is restarting. Please try again."))
        if request.method == "GET":
            g.turn = turns.take(culprit_of(request, wiring()), "reading requests")
        return None

    @api.after_request
    def finish(response: Response) -> Response:
        end_turn()
        response.headers.add("x-request-id", request_id(g.get("call_id") or new_id()))  # a preflight never began a call
        allow_browsers(response, None)
        if request.method == "GET" and response.status_code == 200:
            return at_a_pace(response, culprit_of(request, wiring()), READS)
        return response

    @api.errorhandler(Refusal)
    def refused(refusal: Refusal) -> Response:
        if isinstance(refusal, Unavailable):
            tally.note(Part.API, is_good=False)  # of what found no database there is no row
        response = response_of(refusal, message_of(refusal))
        if isinstance(refusal, BodyTooLarge):
            response.headers["Connection"] = "close"
        if isinstance(refusal, NOT_THE_CLIENT_S_FAULT):
            return response
        return at_a_pace(response, culprit_of(request, wiring()))

    @api.errorhandler(OperationalError)
    @api.errorhandler(NoFreeConnection)
    def without_database(_: Exception) -> Response:
        log.error("call_without_database", request_id=request_id(g.call_id), path=request.path, exc_info=True)
        return refused(Unavailable("The service is temporarily unavailable. Please try again."))

    @api.errorhandler(Exception)
    def failed(error: Exception) -> Response | HTTPException:
        if isinstance(error, HTTPException):
            return response_of(_refusal_of(error))
        tally.note(Part.API, is_good=False)
        log.error("request_failed", request_id=request_id(g.call_id), path=request.path, exc_info=True)
        alarms.note("request_failed", request.endpoint or "", f"{type(error).__name__}, {request_id(g.call_id)}")
        return response_of(Unavailable("Something went wrong on our side."))

    return api


def install(app: Flask, settings: Settings, live: LiveCalls) -> None:
    """The API answers under every prefix; paths below it that lead nowhere answer in JSON, and browsers may ask first."""
    app.session_interface = PageSessions()
    description.install(app, settings)
    for prefix in PREFIXES:
        api = blueprint(prefix, live)
        app.register_blueprint(api)
        web.exempt(app, api)

    @app.before_request
    def preflight() -> Response | None:
        if request.method == "OPTIONS" and is_api(request.path):
            READS.wait_for_turn(culprit_of(request, wiring()))  # an answer without a body cannot be held back
            return allow_browsers(Response(status=204), request.headers.get("Access-Control-Request-Headers", ""))
        return None

    @app.errorhandler(404)
    @app.errorhandler(405)
    def nowhere(error: HTTPException) -> Response | HTTPException:
        if not is_api(request.path):
            return at_a_pace(error_pages.of_http(error), culprit_of(request, wiring()))
        refusal = NotFound(not_offered(request.method, request.path[:200]))
        response = response_of(refusal)
        response.headers["x-request-id"] = request_id(new_id())
        return at_a_pace(allow_browsers(response, None), culprit_of(request, wiring()))


def _refusal_of(error: HTTPException) -> Refusal:
    """What the server itself refuses, in our words: never HTML for a program."""
    status = error.code or 500
    if status == 413:
        return BodyTooLarge("The request body is too large.")
    return InvalidRequest(error.description or error.name) if 400 <= status < 500 else Unavailable()
