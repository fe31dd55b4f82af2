"""The page itself: everything that is read for it, in one transaction."""

from typing import Any
from uuid import UUID

from flask import current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reseller.database import transaction
from reseller.domain import alerts, standing
from reseller.domain.desk.refusals_told import in_short
from reseller.domain.payments import reading
from reseller.domain.standing.limiting import CONCURRENT
from reseller.domain.standing.steps import Steps
from reseller.domain.usage import request_id
from reseller.domain.usage.pace import pace_of
from reseller.portal import acting, outlook
from reseller.portal.keys import sale
from reseller.portal.overview import live
from reseller.portal.overview.blueprint import overview
from reseller.portal.overview.obstacles import obstacles
from reseller.portal.settings.alerts import alert_in_words
from reseller.web import snippets
from reseller.web.formats import viewer_zone
from reseller.wiring import wiring

DAYS, CALLS, ERRORS = 14, 6, 4
MODEL_TO_NAME = "openai/gpt-4o-mini"  # where nothing is for sale yet
PUT_AWAY, KEPT_SECONDS = "first-steps-put-away", 400 * 86_400
LABELS = {"minute": "Calls a minute", "hour": "Calls an hour", "day": "Calls a day", CONCURRENT: "Calls at once"}


@overview.get("/overview")
@acting.scoped
def show() -> str:
    scope, zone = acting.scope(), viewer_zone()
    with transaction():
        now = standing.standing_of(scope.account_id)
        pace = pace_of(scope.account_id)
        steps = standing.first_steps(scope.account_id, None if scope.viewing_id else scope.user_id)
        spend = standing.spend_by_day(scope.account_id, zone, days=DAYS)
        return render_template(
            "portal/overview.html",
            now=now,
            alerts=[(alert, alert_in_words(alert)) for alert in alerts.undismissed(scope.account_id)],
            live=live.now(scope.account_id),
            outlook=outlook.in_words(now.balance.available_nano, pace),
            obstacles=obstacles(now, reading.last_reversal(scope.account_id) if now.is_frozen else None),
            labels=LABELS,
            spend=spend,
            dearest_nano=max(day.charge_nano for day in spend),
            trouble=in_short,
            request_id=request_id,
            calls=standing.recent_calls(scope.account_id, limit=CALLS),
            errors=standing.recent_calls(scope.account_id, limit=ERRORS, are_errors=True),
            **_first_steps(scope.account_id, steps),
            rest=_rest(steps),
        )


def _first_steps(account_id: UUID, steps: Steps) -> dict[str, Any]:
    """What somebody new is shown at length; once a call has gone well, `_rest` of it."""
    if steps.has_called:
        return {"steps": None}
    settings = wiring().settings
    model = sale.first_model(account_id, is_test=False) or MODEL_TO_NAME
    to = snippets.target(settings.base_url, model=model, brand=settings.brand_name)
    return {"steps": steps, "snippets": [snippets.curl(to), snippets.openai_python(to)]}


def _rest(steps: Steps) -> Steps | None:
    """What is left to do after the first call, until it is done or put away in this browser."""
    is_done = steps.has_credit and steps.has_second_factor
    return steps if steps.has_called and not is_done and PUT_AWAY not in request.cookies else None


@overview.post("/overview/rest")
@acting.scoped
def put_away() -> Response:
    """The rest of the first steps is not shown in this browser any more."""
    answer = redirect(url_for("overview.show"))
    is_https = current_app.config["SESSION_COOKIE_SECURE"]
    answer.set_cookie(PUT_AWAY, "1", max_age=KEPT_SECONDS, secure=is_https, httponly=True, samesite="Lax")
    return answer
