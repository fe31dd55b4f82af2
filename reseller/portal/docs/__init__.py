"""/docs: how to call the API, what can go wrong, what is limited and what is billed; its reference; webhooks. For anybody.

Figures, errors and routes come from the API's own description, so the pages say what it does.
"""

from typing import Any

from flask import Blueprint, render_template

from reseller.domain import webhooks
from reseller.domain.outbox import EVENTS
from reseller.portal import acting
from reseller.portal.docs import receiving, samples
from reseller.portal.docs.code_spans import pieces
from reseller.portal.docs.reference import read_reference
from reseller.web import snippets
from reseller.web.api_description import api_description
from reseller.wiring import wiring

docs = Blueprint("docs", __name__, template_folder="../templates")
docs.app_template_filter("pieces")(pieces)

CHAPTERS = (
    ("quickstart", "Quickstart"),
    ("keys", "Keys"),
    ("models", "Models"),
    ("streaming", "Streaming"),
    ("errors", "Errors"),
    ("limits", "Limits"),
    ("billing", "What is billed when"),
    ("testing", "Testing"),
    ("usage", "Usage and receipts"),
)


def _shown_model() -> str:
    """A chat model that strangers may read about: the one that always answers, if it is for sale."""
    house = wiring()
    offers = house.book.snapshot.models_for(None)
    chats = [offer.model for offer in offers if offer.kind == "chat" and house.upstreams.serving(offer.upstream) is not None]
    return "sandbox/echo" if "sandbox/echo" in chats or not chats else chats[0]


@docs.get("/docs")
@acting.anonymous
def show() -> str:
    settings = wiring().settings
    to = snippets.target(settings.base_url, model=_shown_model(), brand=settings.brand_name)
    described = api_description()
    return render_template(
        "docs/guide.html",
        chapters=CHAPTERS,
        to=to,
        programs=snippets.programs(to),
        tools=snippets.tools(to),
        samples=samples.all_samples(to),
        errors=described["x-errors"],
        codes_of_models=described["x-codes-of-models"],
        limits=_by_kind(described["x-limits"]),
        headers=described["components"]["headers"],
        scenarios=samples.SCENARIOS,
    )


@docs.get("/docs/reference")
@acting.anonymous
def reference() -> str:
    return render_template("docs/reference.html", reference=read_reference(api_description()))


@docs.get("/docs/webhooks")
@acting.anonymous
def hooks() -> str:
    """The catalogue is made of EVENTS, which is also what is sent."""
    return render_template(
        "docs/webhooks.html",
        events=[{"name": name, "kind": kind, "sample": webhooks.sample_message(name)} for name, kind in EVENTS.items()],
        checks=receiving.CHECKS,
        most=webhooks.MAX_ENDPOINTS,
        hours=int(webhooks.LASTS.total_seconds() // 3600),
        seconds=webhooks.ANSWER_SECONDS,
    )


def _by_kind(limits: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    titles = {"account": "Of an account, unless you have agreed on others", "request": "Of one request", "answer": "Of one answer"}
    return [(title, [line for line in limits if line["of"] == kind]) for kind, title in titles.items()]
