"""Buying credit: choose an amount, pay at Stripe, and see here what became of it. The way back from Stripe proves nothing (R18)."""

import structlog
from flask import Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from reseller.clients.stripe_api import StripeDown, StripeRefused
from reseller.database import acting_as_operator
from reseller.domain.payments import PaymentStatus, packs, reading, suspense, topups
from reseller.domain.payments.reading import PaymentLine
from reseller.errors import Conflict, InvalidRequest, Unavailable
from reseller.money import format_decimal, places_of
from reseller.portal import acting
from reseller.portal.billing import words
from reseller.portal.billing.blueprint import billing
from reseller.portal.billing.offered import MAX_TYPED_CHARACTERS, amount_of
from reseller.web.nonces import nonce_given
from reseller.web.typed import typed_id
from reseller.wiring import wiring

log = structlog.get_logger()


@billing.post("/billing/payments")
@acting.scoped
def buy() -> AnyResponse | str:
    """An order is open, and the browser on its way to pay it."""
    scope, cashier = acting.scope(), wiring().cashier
    if not cashier.is_open:
        raise Unavailable("Buying credit is not switched on here.")
    given = request.form.get("pack") or request.form.get("amount") or "0"
    bonuses = packs.told(packs.tiers())
    if request.form.get("bonuses", bonuses) != bonuses:
        flash("The bonuses have changed since you opened this page. Nothing was charged; look at them and choose again.", "conflict")
        return redirect(url_for("billing.show"))
    again = url_for("billing.show", amount=given[:MAX_TYPED_CHARACTERS])
    try:
        amount_usd = amount_of(given, cashier.bounds)
    except InvalidRequest:  # the page says why, beside what was typed
        return redirect(again)
    try:
        order = topups.begin(scope.account_id, scope.user_id, amount_usd, cashier.bounds, nonce=nonce_given(topups.FORM_LASTS))
        url = cashier.open_checkout(order)
    except (Conflict, InvalidRequest) as refusal:
        flash(refusal.message, "conflict")
        return redirect(again)
    return render_template("portal/billing/to_checkout.html", url=url, payment_id=order.payment_id)


@billing.get("/billing/payments/<payment_id>")
@acting.scoped
def one_payment(payment_id: str) -> str:
    """What became of a payment."""
    line = _known(payment_id)
    entries = reading.entries_of(line.account_id, line.id)
    places = places_of(nano for entry in entries for nano in (entry.amount_nano, entry.balance_after_nano))
    has_left = line.status == PaymentStatus.OPEN and "left" in request.args
    return render_template(
        "portal/billing/payment.html",
        line=line,
        has_left=has_left,
        awaits=line.is_waiting and line.session_id is not None and not has_left,
        again=format_decimal(line.amount_usd),
        is_aside=line.is_waiting and _is_aside(line),
        entries=entries,
        places=places,
        words=words,
    )


@billing.get("/billing/payments/<payment_id>/status")
@acting.scoped
def status_of_payment(payment_id: str) -> Response:
    """For the page that waits."""
    return jsonify(status=_known(payment_id).status)


def _known(payment_id: str) -> PaymentLine:
    """The caller's own payment as our books have it, 404 for anybody else's (R23).

    Where nobody knows yet how it ends, Stripe is asked first; not for staff who only look, since what it says is written down.
    """
    scope, its_id = acting.scope(), typed_id(payment_id)
    account_id = scope.account_id
    line = reading.one(account_id, its_id)
    if not line.is_waiting or line.session_id is None or scope.viewing_id is not None or not topups.may_look(account_id, its_id):
        return line
    _look(line, line.session_id)
    return reading.one(account_id, its_id)


def _look(line: PaymentLine, session_id: str) -> None:
    try:
        with acting_as_operator():
            wiring().cashier.look(session_id)
    except (StripeDown, StripeRefused, Unavailable) as error:
        log.warning("payment_not_looked_up", payment_id=str(line.id), error=str(error))


def _is_aside(line: PaymentLine) -> bool:
    """Of what is put aside a customer learns this much, of their own payment; the rest is the operator's alone."""
    with acting_as_operator():
        return suspense.holds_money_of(line.id)
