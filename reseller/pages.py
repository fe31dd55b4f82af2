"""DOOR: / — who this is, what it costs, and how to begin. Anonymous, under the public address only."""

from collections.abc import Sequence
from datetime import datetime

from flask import Blueprint, Flask, render_template

from config import Settings
from reseller import web
from reseller.domain.desk import price_list
from reseller.domain.desk.price_list import PricedModel
from reseller.domain.pricing import Offer
from reseller.web import snippets
from reseller.wiring import wiring

TEASED = 6

pages = Blueprint("pages", __name__, template_folder="templates")


def install(app: Flask, settings: Settings) -> None:
    """The page is there."""
    app.register_blueprint(pages)
    web.guard_pages(app, settings, [pages.name])


@pages.get("/")
def landing() -> str:
    house = wiring()
    offers = [offer for offer in house.book.snapshot.models_for(None) if house.upstreams.serving(offer.upstream) is not None]
    settings = house.settings
    to = snippets.target(settings.base_url, model=_first_chat(offers), brand=settings.brand_name)
    return render_template(
        "pages/landing.html",
        teased=teased(offers),
        count=len(offers),
        samples=(snippets.openai_python(to), snippets.openai_node(to), snippets.curl(to)),
        base_url=to.base_url,
    )


def teased(offers: Sequence[Offer]) -> list[PricedModel]:
    """The newest chat model of each of the makers who have most for sale; where makers are few, their other chat models too."""
    newest: dict[str, Offer] = {}
    counts: dict[str, int] = {}
    for offer in offers:
        maker = offer.model.partition("/")[0]
        counts[maker] = counts.get(maker, 0) + 1
        if offer.kind == "chat" and (maker not in newest or offer.first_seen_at > newest[maker].first_seen_at):
            newest[maker] = offer
    makers = sorted(newest, key=lambda maker: (-counts[maker], maker))[:TEASED]
    shown = [newest[maker] for maker in makers]
    others = sorted((offer for offer in offers if offer.kind == "chat" and offer not in shown), key=_first_seen, reverse=True)
    return price_list.priced([*shown, *others][:TEASED])


def _first_seen(offer: Offer) -> datetime:
    return offer.first_seen_at


def _first_chat(offers: Sequence[Offer]) -> str:
    """A model to show in samples: one that answers for anybody, if there is one."""
    chats = [offer.model for offer in offers if offer.kind == "chat"]
    return "sandbox/echo" if "sandbox/echo" in chats or not chats else chats[0]
