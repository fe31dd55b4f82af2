"""/prices: what is for sale and for how much, for anybody; for people who are signed in with their own account's prices.

Everything comes from the price book in memory. Strangers may keep a page for a minute.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, make_response, render_template, request, session

from reseller.domain import accounts
from reseller.domain.desk import price_list as desk
from reseller.domain.desk.price_list import PricedModel, Wish
from reseller.errors import NotForSale, NotFound
from reseller.portal import acting, viewing
from reseller.portal.price_list import files
from reseller.portal.price_list.what_if import show_what_if, what_if_csv
from reseller.web import snippets
from reseller.web.signed_in import person
from reseller.wiring import wiring

KEPT_SECONDS = 60

price_list = Blueprint("price_list", __name__, template_folder="../templates")


def _for_whom() -> UUID | None:
    """The account whose prices are shown; None: those of everybody."""
    who, seen = person(), viewing.current()
    if seen is not None:
        return seen.account_id
    return None if who is None else accounts.home_of(who.user_id)


def _models(account_id: UUID | None) -> list[PricedModel]:
    """What this account may buy from an upstream that we can ask."""
    house = wiring()
    offers = house.book.snapshot.models_for(account_id)
    return desk.priced(offer for offer in offers if house.upstreams.serving(offer.upstream) is not None)


def _kept(answer: Response) -> Response:
    """Strangers keep it for a while and ask again by its tag; what an account pays is never kept, nor a page with somebody's session."""
    if not session:
        answer.vary.add("Cookie")
        answer.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
        answer.add_etag()
        answer.make_conditional(request)
    return answer


def _public(view: Callable[..., str | Response]) -> Callable[..., Any]:
    """A page that anybody may read."""

    def run(**parts: Any) -> Response:
        return _kept(make_response(view(**parts)))

    run.__name__ = view.__name__
    return acting.anonymous(run)


def _wish() -> Wish:
    return Wish.read(lambda name: request.args.get(name, ""))


def _found() -> tuple[UUID | None, list[PricedModel], list[PricedModel]]:
    """For whom, all that there is, and what they look for."""
    account_id = _for_whom()
    models = _models(account_id)
    return account_id, models, desk.matching(models, _wish())


@price_list.get("/prices")
@_public
def show() -> str:
    account_id, models, found = _found()
    wish = _wish()
    return render_template(
        "price_list/list.html",
        models=found,
        count=len(models),
        wish=wish,
        asked={name: value for name, value in request.args.items() if name in ("q", "maker", "modality", "context") and value},
        makers=[("", "anybody"), *((maker, maker) for maker in desk.makers(models))],
        modalities=[("", "any"), *((name, words) for name, (words, _) in desk.MODALITIES.items())],
        contexts=[("", "any"), *desk.CONTEXTS.items()],
        is_own=account_id is not None,
    )


@price_list.get("/prices.csv")
@_public
def as_csv() -> Response:
    return files.csv_of(_found()[2])


@price_list.get("/prices.json")
@_public
def as_json() -> Response:
    return files.json_of(_found()[2])


@price_list.get("/prices/what-if")
@acting.scoped
def what_if() -> str:
    return show_what_if(_models(acting.scope().account_id))


@price_list.get("/prices/what-if.csv")
@acting.scoped
def what_if_as_csv() -> Response:
    return what_if_csv(_models(acting.scope().account_id))


@price_list.get("/prices/<path:slug>")
@_public
def model(slug: str) -> str:
    account_id = _for_whom()
    house = wiring()
    try:
        offer = house.book.snapshot.offer(slug, account_id)
    except NotForSale:
        raise NotFound("No model of this name is for sale.") from None
    if house.upstreams.serving(offer.upstream) is None:
        raise NotFound("No model of this name is for sale.")
    settings = house.settings
    to = snippets.target(settings.base_url, model=offer.model, brand=settings.brand_name)
    return render_template(
        "price_list/model.html",
        model=desk.priced_model(offer),
        sample=None if offer.kind == "embedding" else snippets.curl(to).code,
        is_own=account_id is not None,
    )
