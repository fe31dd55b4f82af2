"""The pages of webhook endpoints. A secret is on the page that answers the form that made it, and nowhere else, ever.

Staff who view as a customer see where an endpoint leads, and not the whole address: it may hold a token.
"""

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reseller.clock import new_id
from reseller.domain import webhooks as domain
from reseller.domain.identity.sessions import CUSTOMER_LASTS
from reseller.domain.webhooks import DeliveryState, EndpointOrder, ListedEndpoint, OffBecause
from reseller.errors import Conflict, InvalidRequest, Refusal, TooManyRequests
from reseller.portal import acting
from reseller.portal.webhooks.forms import WORDS, EndpointForm, RotateForm, put_on_form
from reseller.web.nonces import nonce_given
from reseller.wiring import wiring

ON_A_PAGE = 25

webhooks = Blueprint("webhooks", __name__, template_folder="../templates", url_prefix="/webhooks")


@webhooks.get("")
@acting.scoped
def show() -> str:
    endpoints = domain.endpoints_of(acting.scope().account_id)
    return render_template("portal/webhooks/list.html", endpoints=endpoints, most=domain.MAX_ENDPOINTS, address=_address)


@webhooks.route("/new", methods=["GET", "POST"])
@acting.scoped
def new() -> Response | str:
    scope = acting.scope()
    if request.method == "GET":
        return _new_page(EndpointForm(data={"nonce": str(new_id())}))
    form = EndpointForm(request.form)
    if not form.validate():
        return make_response(_new_page(form), 400)
    order = EndpointOrder(nonce_given(CUSTOMER_LASTS), scope.account_id, form.terms())
    try:
        secret_text, row = domain.register(order, seal=_seal(), allows_loopback=_allows_loopback(), actor=scope.actor)
    except (InvalidRequest, Conflict) as refusal:
        return _back(refusal) if refusal.param == "nonce" else _refused(form, refusal, _new_page)
    return _shown_once(row.id, secret_text)


@webhooks.route("/<uuid:endpoint_id>", methods=["GET", "POST"])
@acting.scoped
def one(endpoint_id: UUID) -> Response | str:
    scope = acting.scope()
    endpoint = domain.endpoint_of(endpoint_id, scope.account_id)
    if request.method == "GET":
        return _page(endpoint, EndpointForm(data=EndpointForm.values_of(endpoint, _address(endpoint.url))))
    form = EndpointForm(request.form)
    if not form.validate():
        return make_response(_page(endpoint, form), 400)
    try:
        domain.change(
            endpoint_id,
            form.terms(),
            account_id=scope.account_id,
            seen_version=int(form.version.data or 0),
            allows_loopback=_allows_loopback(),
            actor=scope.actor,
        )
    except (InvalidRequest, Conflict) as refusal:
        return _refused(form, refusal, lambda form: _page(endpoint, form))
    flash("The endpoint is changed. What waits goes to the address that it has now.", "success")
    return redirect(url_for(".one", endpoint_id=endpoint_id))


@webhooks.route("/<uuid:endpoint_id>/rotate", methods=["GET", "POST"])
@acting.scoped
def rotate(endpoint_id: UUID) -> Response | str:
    scope = acting.scope()
    endpoint = domain.endpoint_of(endpoint_id, scope.account_id)
    form = RotateForm(request.form) if request.method == "POST" else RotateForm()
    if request.method == "GET" or not form.validate():
        page = render_template("portal/webhooks/rotate.html", endpoint=endpoint, form=form, address=_address)
        return make_response(page, 200 if request.method == "GET" else 400)
    secret_text = domain.rotate(endpoint_id, account_id=scope.account_id, seal=_seal(), overlap=form.span(), actor=scope.actor)
    return _shown_once(endpoint_id, secret_text, is_rotated=True)


@webhooks.post("/<uuid:endpoint_id>/switch-off")
@acting.scoped
def switch_off(endpoint_id: UUID) -> Response:
    scope = acting.scope()
    try:
        domain.switch_off(endpoint_id, account_id=scope.account_id, because=OffBecause.BY_OWNER, actor=scope.actor)
    except Conflict as refusal:
        return _back(refusal, endpoint_id)
    flash("The endpoint is off. What happens now is not kept for it.", "success")
    return redirect(url_for(".one", endpoint_id=endpoint_id))


@webhooks.post("/<uuid:endpoint_id>/switch-on")
@acting.scoped
def switch_on(endpoint_id: UUID) -> Response:
    scope = acting.scope()
    try:
        domain.switch_on(endpoint_id, account_id=scope.account_id, actor=scope.actor)
    except Conflict as refusal:
        return _back(refusal, endpoint_id)
    flash("The endpoint is on: what happens from now on is sent there.", "success")
    return redirect(url_for(".one", endpoint_id=endpoint_id))


@webhooks.post("/<uuid:endpoint_id>/remove")
@acting.scoped
def remove(endpoint_id: UUID) -> Response:
    scope = acting.scope()
    domain.switch_off(endpoint_id, account_id=scope.account_id, because=OffBecause.REMOVED, actor=scope.actor)
    flash("The endpoint is removed; nothing is sent there any more.", "success")
    return redirect(url_for(".show"))


@webhooks.post("/<uuid:endpoint_id>/test")
@acting.scoped
def test(endpoint_id: UUID) -> Response:
    scope = acting.scope()
    try:
        delivery_id = domain.send_test(endpoint_id, request.form.get("event", ""), account_id=scope.account_id, actor=scope.actor)
    except (Conflict, InvalidRequest, TooManyRequests) as refusal:
        return _back(refusal, endpoint_id)
    flash("The test event is on its way. This page says what came of it; load it again in a second or two.", "success")
    return redirect(url_for(".delivery", delivery_id=delivery_id))


@webhooks.post("/<uuid:endpoint_id>/redeliver")
@acting.scoped
def redeliver_given_up(endpoint_id: UUID) -> Response:
    scope = acting.scope()
    try:
        count = domain.redeliver_given_up(endpoint_id, account_id=scope.account_id, actor=scope.actor)
    except (Conflict, TooManyRequests) as refusal:
        return _back(refusal, endpoint_id)
    flash(f"{count} {'delivery is' if count == 1 else 'deliveries are'} on the way again.", "success")
    return redirect(url_for(".one", endpoint_id=endpoint_id))


@webhooks.get("/deliveries/<uuid:delivery_id>")
@acting.scoped
def delivery(delivery_id: UUID) -> str:
    story = domain.story_of(delivery_id, acting.scope().account_id)
    hidden = () if acting.scope().viewing_id is None else ("webhook-signature",)
    return render_template("portal/webhooks/delivery.html", story=story, address=_address, hidden=hidden)


@webhooks.post("/deliveries/<uuid:delivery_id>/redeliver")
@acting.scoped
def redeliver(delivery_id: UUID) -> Response:
    scope = acting.scope()
    try:
        domain.redeliver(delivery_id, account_id=scope.account_id, actor=scope.actor)
    except (Conflict, TooManyRequests) as refusal:
        flash(refusal.message, "conflict")
    else:
        flash("It is sent again now, under the same id.", "success")
    return redirect(url_for(".delivery", delivery_id=delivery_id), 303)


def _new_page(form: EndpointForm) -> str:
    return render_template("portal/webhooks/new.html", form=form, words=WORDS)


def _page(endpoint: ListedEndpoint, form: EndpointForm) -> str:
    state, before = _asked_for()
    found = domain.deliveries_of(endpoint.id, state=state, before=before, most=ON_A_PAGE + 1)
    return render_template(
        "portal/webhooks/one.html",
        endpoint=endpoint,
        form=form,
        words=WORDS,
        deliveries=found[:ON_A_PAGE],
        older=found[ON_A_PAGE - 1].position if len(found) > ON_A_PAGE else None,
        after=before,
        state=state,
        states=list(DeliveryState),
        address=_address,
        lasts_hours=int(domain.LASTS.total_seconds() // 3600),
    )


def _asked_for() -> tuple[DeliveryState | None, int | None]:
    """Which deliveries: of a state, and older than one. Anything else is none."""
    state, after = request.args.get("state", ""), request.args.get("after", "")
    known = DeliveryState(state) if state in set(DeliveryState) else None
    return known, int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else None


def _shown_once(endpoint_id: UUID, secret_text: str, *, is_rotated: bool = False) -> Response:
    endpoint = domain.endpoint_of(endpoint_id, acting.scope().account_id)
    page = render_template("portal/webhooks/made.html", endpoint=endpoint, secret=secret_text, is_rotated=is_rotated, address=_address)
    return make_response(page)


def _refused(form: Any, refusal: Refusal, page: Any) -> Response:
    put_on_form(form, refusal)
    return make_response(page(form), 409 if isinstance(refusal, Conflict) else 400)


def _back(refusal: Refusal, endpoint_id: UUID | None = None) -> Response:
    """What cannot be done is said where it was asked for."""
    flash(refusal.message, "conflict")
    return redirect(url_for(".show") if endpoint_id is None else url_for(".one", endpoint_id=endpoint_id), 303)


def _seal() -> Any:
    return acting.seal(domain.SEALED_FOR)


def _allows_loopback() -> bool:
    return wiring().settings.webhooks_allow_loopback


def _address(url: str) -> str:
    """The address as whoever looks may see it."""
    return url if acting.scope().viewing_id is None else domain.shown_url(url)
