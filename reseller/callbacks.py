"""DOOR: POST /callbacks/stripe. Signed by Stripe, or nothing happens; 2xx only when it is in the books or safely stored (R17, R18)."""

import structlog
from flask import Blueprint, Flask, Response, request

from reseller import metrics, web
from reseller.clients.stripe_api import NotGenuine, StripeDown, StripeRefused
from reseller.database import acting_as_operator
from reseller.wiring import wiring

MAX_BYTES = 262_144
"""Stripe's events have some kilobytes."""

callbacks = Blueprint("callbacks", __name__)

log = structlog.get_logger()


def install(app: Flask) -> None:
    """Stripe can tell this app of payments."""
    app.register_blueprint(callbacks)
    web.exempt(app, callbacks)


@callbacks.post("/callbacks/stripe")
def stripe() -> Response:
    """200: done, or none of ours. 400: not Stripe's word. 503: tell us again, as Stripe does for three days."""
    cashier = wiring().cashier
    if not cashier.is_open:
        return _answer("Payments are switched off here.", 503)
    raw = request.stream.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        return _answer("Too large for an event.", 413)
    try:
        with acting_as_operator():
            cashier.hear(raw, request.headers.get("Stripe-Signature", ""))
    except NotGenuine as error:
        metrics.count(metrics.ALARMS, "payment_event_forged")
        log.error("alarm", alarm="payment_event_forged", error=str(error), address=request.remote_addr)
        return _answer("Not signed by Stripe for us.", 400)
    except (StripeDown, StripeRefused) as error:
        log.warning("payment_event_put_off", error=str(error))
        return _answer("Stored; it could not be applied yet.", 503)
    return _answer("ok", 200)


def _answer(words: str, status: int) -> Response:
    return Response(words + "\n", status, content_type="text/plain; charset=utf-8")
