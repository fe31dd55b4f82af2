"""The page itself: everything that is read for it, in one transaction."""

from typing import Any
from uuid import UUID

from flask import render_template

from reseller.database import transaction
from reseller.domain import standing
from reseller.domain.desk.refusals_told import in_short
from reseller.domain.standing.limiting import CONCURRENT
from reseller.domain.standing.steps import Steps
from reseller.domain.usage import request_id
from reseller.domain.usage.pace import pace_of
from reseller.portal import acting, outlook
from reseller.portal.keys import sale
from reseller.portal.overview import live
from reseller.portal.overview.blueprint import overview
from reseller.portal.overview.obstacles import obstacles
from reseller.web import snippets
from reseller.web.formats import viewer_zone
from reseller.wiring import wiring

DAYS, CALLS, ERRORS = 14, 6, 4
MODEL_TO_NAME = "openai/gpt-4o-mini"  # where nothing is for sale yet
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
            live=live.now(scope.account_id),
            outlook=outlook.in_words(now.balance.available_nano, pace),
            obstacles=obstacles(now),
            labels=LABELS,
            spend=spend,
            dearest_nano=max(day.charge_nano for day in spend),
            trouble=in_short,
            request_id=request_id,
            calls=standing.recent_calls(scope.account_id, limit=CALLS),
            errors=standing.recent_calls(scope.account_id, limit=ERRORS, are_errors=True),
            **_first_steps(scope.account_id, steps),
        )


def _first_steps(account_id: UUID, steps: Steps) -> dict[str, Any]:
    """What somebody new is shown; nothing once a call has gone well."""
    if steps.has_called:
        return {"steps": None}
    settings = wiring().settings
    model = sale.first_model(account_id, is_test=False) or MODEL_TO_NAME
    to = snippets.target(settings.base_url, model=model, brand=settings.brand_name)
    return {"steps": steps, "snippets": [snippets.curl(to), snippets.openai_python(to)]}
