"""Buying credit: choose an amount, pay at Stripe, and see here what became of it. The way back from Stripe proves nothing (R18)."""

from decimal import Decimal, InvalidOperation
from uuid import UUID

import structlog
from flask import Response, abort, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from reseller.clients.stripe_api import StripeDown, StripeRefused
from reseller.database import acting_as_operator, transaction
from reseller.domain.payments import packs, reading, topups
from reseller.domain.payments.reading import PaymentLine
from reseller.errors import InvalidRequest, Unavailable
from reseller.portal import acting
from reseller.portal.billing.blueprint import billing
from reseller.wiring import wiring

log = structlog.get_logger()


@billing.post("/billing/payments")
@acting.scoped
def buy() -> AnyResponse | str:
    """An order is open, and the browser on its way to pay it."""
    scope, cashier = acting.scope(), wiring().cashier
    if not cashier.is_open:
        raise Unavailable("Buying credit is not switched on here.")
    try:
        order = topups.begin(scope.account_id, scope.user_id, _amount(request.form), cashier.bounds)
    except InvalidRequest as refusal:
        flash(refusal.message, "bad")
        return redirect(url_for("billing.show", _anchor="adding"))
    return render_template("portal/billing/to_checkout.html", url=cashier.open_checkout(order), payment_id=order.payment_id)


@billing.get("/billing/payments/<payment_id>")
@acting.scoped
def one_payment(payment_id: str) -> str:
    """What became of a payment."""
    return render_template("portal/billing/payment.html", line=_known(payment_id), has_left="left" in request.args)


@billing.get("/billing/payments/<payment_id>/status")
@acting.scoped
def status_of_payment(payment_id: str) -> Response:
    """For the page that waits."""
    return jsonify(status=_known(payment_id).status)


def offered(account_id: UUID) -> dict[str, object]:
    """What the billing page shows of buying."""
    cashier = wiring().cashier
    with transaction():
        return {
            "is_open": cashier.is_open,
            "bounds": cashier.bounds,
            "packs": [pack for pack in packs.offers() if cashier.bounds.least_usd <= pack.amount_usd <= cashier.bounds.most_usd],
            "tiers": packs.tiers(),
            "payments": reading.of_account(account_id),
        }


def _known(payment_id: str) -> PaymentLine:
    """The caller's own payment as our books have it, after Stripe was asked where it is still open. 404 for anybody else's (R23)."""
    account_id, its_id = acting.scope().account_id, _uuid(payment_id)
    line = reading.one(account_id, its_id)
    if not line.is_waiting or line.session_id is None or not topups.may_look(its_id):
        return line
    _look(line, line.session_id)
    return reading.one(account_id, its_id)


def _look(line: PaymentLine, session_id: str) -> None:
    try:
        with acting_as_operator():
            wiring().cashier.look(session_id)
    except (StripeDown, StripeRefused, Unavailable) as error:
        log.warning("payment_not_looked_up", payment_id=str(line.id), error=str(error))


def _amount(form: "request.form.__class__") -> Decimal:  # type: ignore[name-defined]
    """What was chosen: a pack's button, or else the field."""
    given = (form.get("pack") or form.get("amount") or "").strip().removeprefix("$").replace(",", "")
    try:
        return Decimal(given)
    except InvalidOperation:
        raise InvalidRequest("Choose an amount in dollars, such as 25 or 25.50.", param="amount") from None


def _uuid(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        abort(404)
