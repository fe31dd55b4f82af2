"""The pages of keys. The text of a new key is on the page that answers the form, and nowhere else, ever."""

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reseller.clock import new_id
from reseller.domain import keys as domain
from reseller.domain import ledger
from reseller.domain.identity.sessions import CUSTOMER_LASTS
from reseller.domain.keys import ApiKey, KeyOrder, ListedKey
from reseller.errors import Conflict, InvalidRequest, Refusal
from reseller.portal import acting
from reseller.portal.keys import sale
from reseller.portal.keys.forms import EditKeyForm, NewKeyForm, RotateForm, TermsForm, put_on_form
from reseller.web import snippets
from reseller.web.nonces import nonce_given
from reseller.wiring import wiring

MOST_ENDED = 100
MODEL_TO_NAME = "openai/gpt-4o-mini"  # in snippets of a shop that sells nothing yet

keys = Blueprint("keys", __name__, template_folder="../templates", url_prefix="/keys")


@keys.get("")
@acting.scoped
def show() -> str:
    account_id = acting.scope().account_id
    ended = domain.listed(account_id, works=False, most=MOST_ENDED + 1)
    return render_template(
        "portal/keys/list.html",
        working=domain.listed(account_id, works=True, most=2 * domain.MAX_ACTIVE_KEYS),
        ended=ended[:MOST_ENDED],
        has_more=len(ended) > MOST_ENDED,
    )


@keys.route("/new", methods=["GET", "POST"])
@acting.scoped
def new() -> Response | str:
    """The form, its count of models, and the key: `count` is the button that only counts."""
    if request.method == "GET":
        kind = "test" if _is_penniless() else "live"
        return _new_page(NewKeyForm(data={"nonce": str(new_id()), "name": request.args.get("name", "")[:100], "kind": kind}))
    form = NewKeyForm(request.form)
    if not form.validate() or not _patterns_match(form):
        return make_response(_new_page(form), 400)
    if "count" in request.form:
        return _new_page(form, is_counted=True)
    scope = acting.scope()
    order = KeyOrder(nonce_given(CUSTOMER_LASTS), scope.account_id, form.is_test, form.terms())
    try:
        token, key = domain.make(order, actor=scope.actor)
    except (InvalidRequest, Conflict) as refusal:
        return _back_to_list(refusal) if refusal.param == "nonce" else _refused(form, refusal, _new_page)
    return _shown_once(token, key)


@keys.route("/<uuid:key_id>", methods=["GET", "POST"])
@acting.scoped
def one(key_id: UUID) -> Response | str:
    scope = acting.scope()
    key = domain.listed_key(scope.account_id, key_id)
    if request.method == "GET":
        return _key_page(key, EditKeyForm(data=EditKeyForm.values_of(key.terms, key.version), kept=key.terms.expires_at))
    form = EditKeyForm(request.form, kept=key.terms.expires_at)
    if not form.validate() or not _patterns_match(form):
        return make_response(_key_page(key, form), 400)
    if "count" in request.form:
        return _key_page(key, form, is_counted=True)
    try:
        domain.change(key_id, form.terms(), actor=scope.actor, account_id=scope.account_id, seen_version=int(form.version.data))
    except (InvalidRequest, Conflict) as refusal:
        return _refused(form, refusal, lambda form: _key_page(key, form))
    flash("The key is changed. What you changed holds from its next call on.", "success")
    return redirect(url_for(".one", key_id=key_id))


@keys.route("/<uuid:key_id>/rotate", methods=["GET", "POST"])
@acting.scoped
def rotate(key_id: UUID) -> Response | str:
    scope = acting.scope()
    key = domain.listed_key(scope.account_id, key_id)
    form = RotateForm(request.form)
    if request.method == "GET":
        if not key.is_current:
            return redirect(url_for(".one", key_id=key_id))
        return render_template("portal/keys/rotate.html", key=key, form=RotateForm())
    if not form.validate():
        return make_response(render_template("portal/keys/rotate.html", key=key, form=form), 400)
    try:
        token, successor = domain.rotate(str(key_id), grace=form.span(), actor=scope.actor, account_id=scope.account_id)
    except Conflict as refusal:
        return _back_to_list(refusal)
    return _shown_once(token, successor, old=domain.listed_key(scope.account_id, key_id))


@keys.post("/<uuid:key_id>/revoke")
@acting.scoped
def revoke(key_id: UUID) -> Response:
    scope = acting.scope()
    domain.listed_key(scope.account_id, key_id)  # says in words for people that there is none
    try:
        key = domain.revoke(str(key_id), actor=scope.actor, account_id=scope.account_id)
    except Conflict as refusal:
        return _back_to_list(refusal)
    flash(f"Revoked. {domain.shown_prefix(key.key_prefix)} ({key.name}) is refused from now on.", "success")
    return redirect(url_for(".show"))


@keys.get("/try")
@acting.scoped
def try_one() -> str:
    """For a key that somebody has: they paste it, and their browser calls the API with it."""
    account_id = acting.scope().account_id
    model = sale.first_model(account_id, is_test=False)
    return render_template("portal/keys/try.html", **_to_try(account_id, model=model))


def _shown_once(token: str, key: ApiKey, *, old: ListedKey | None = None) -> str:
    account_id = acting.scope().account_id
    patterns = tuple(key.model_patterns) if key.model_patterns else None
    model = sale.first_model(account_id, is_test=key.is_test, patterns=patterns)
    facts: dict[str, Any] = {"key": domain.listed_key(account_id, key.id), "old": old, "matched": sale.matched(account_id, patterns)}
    facts["is_penniless"] = not key.is_test and _is_penniless()
    return render_template("portal/keys/made.html", token=token, **facts, **_to_try(account_id, token, model=model, patterns=patterns))


def _to_try(
    account_id: UUID, token: str = snippets.PLACEHOLDER, *, model: str | None, patterns: tuple[str, ...] | None = None
) -> dict[str, Any]:
    """Snippets and the choice of models."""
    settings = wiring().settings
    to = snippets.target(settings.base_url, model=model or MODEL_TO_NAME, brand=settings.brand_name, key=token)
    return {
        "programs": snippets.programs(to),
        "tools": snippets.tools(to),
        "curl": snippets.curl(to),
        "models": sale.models_to_try(account_id, patterns),
        "model": model,
        "prompt": snippets.PROMPT,
    }


def _new_page(form: NewKeyForm, *, is_counted: bool = False) -> str:
    account_id = acting.scope().account_id
    is_first = not domain.listed(account_id, works=True, most=1) and not domain.listed(account_id, works=False, most=1)
    return render_template(
        "portal/keys/new.html", form=form, is_first=is_first, is_penniless=_is_penniless(), matched=_matched(form) if is_counted else None
    )


def _is_penniless() -> bool:
    """Whether calls with a live key are refused for want of credit."""
    return ledger.balance_now(acting.scope().account_id).available_nano <= 0


def _key_page(key: ListedKey, form: EditKeyForm, *, is_counted: bool = False) -> str:
    is_shown = is_counted or (key.terms.model_patterns is not None and request.method == "GET")
    return render_template("portal/keys/one.html", key=key, form=form, matched=_matched(form) if is_shown else None)


def _matched(form: TermsForm) -> sale.Matched:
    return sale.matched(acting.scope().account_id, form.patterns())


def _patterns_match(form: TermsForm) -> bool:
    """Whether the key could be used at all; patterns that match nothing for sale are a slip, and the form says so.

    Bounded before any is tried: thousands of them would keep everybody else waiting (R31).
    """
    try:
        if domain.check_patterns(form.patterns()) is None:
            return True
    except InvalidRequest as refusal:
        put_on_form(form, refusal)
        return False
    found = _matched(form)
    if found.total or not found.for_sale:
        return True
    form.models.errors = [f"None of the {found.for_sale} models for sale matches. Look at the names in the price list."]
    return False


def _refused(form: Any, refusal: Refusal, page: Any) -> Response:
    put_on_form(form, refusal)
    return make_response(page(form), 409 if isinstance(refusal, Conflict) else 400)


def _back_to_list(refusal: Refusal) -> Response:
    """What was asked for has happened before; the page says what to do now."""
    flash(refusal.message, "conflict")
    return redirect(url_for(".show"), 303)
