"""/status and /status.json: how the service is and was, for anybody. Everything comes from memory, which is read anew every few seconds."""

from flask import Blueprint, Response, jsonify, make_response, render_template

from reseller.portal import acting
from reseller.portal.status.shown import Shown, as_json
from reseller.portal.status.shown import show as shown
from reseller.web.service_news import news
from reseller.wiring import wiring

KEPT_SECONDS = 15

status = Blueprint("status", __name__, template_folder="../templates")


def _shown() -> Shown:
    told = news()
    measured, incidents = told.status.now(), told.incidents.now()
    return shown(measured, incidents, is_known=told.status.is_known, sells=wiring().cashier.is_open)


def _kept(answer: Response) -> Response:
    """Whoever asks again and again is answered from nearer than here."""
    answer.vary.add("Cookie")
    answer.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
    return answer


@status.get("/status")
@acting.anonymous
def show() -> Response:
    return make_response(render_template("status/show.html", shown=_shown()))


@status.get("/status.json")
@acting.anonymous
def machine_readable() -> Response:
    return _kept(jsonify(as_json(_shown())))
