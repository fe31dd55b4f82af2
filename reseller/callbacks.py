"""DOOR: POST /callbacks/stripe. Signed by Stripe, or nothing happens; 2xx only when it is in the books or safely stored (R17, R18).

Whoever forges events is braked by address, and staff hear of it once a minute; only what was not signed counts, and what Stripe
has signed passes even from an address that is braked, so that no forger comes between Stripe and us.
"""

from math import ceil, inf
from threading import BoundedSemaphore

import structlog
from flask import Blueprint, Flask, Response, current_app, request

from reseller import alarms, tally, web
from reseller.clients.stripe_api import NotGenuine, StripeDown, StripeRefused
from reseller.clock import monotonic
from reseller.database import acting_as_operator
from reseller.domain.identity.throttle import network_of
from reseller.errors import TooManyAtOnce, TooManyFailures
from reseller.slow_senders import SentTooSlowly, SlowSenders
from reseller.tally import Part
from reseller.web.client_address import client_address
from reseller.web.failures import FailureThrottle
from reseller.wiring import wiring

MAX_BYTES = 1_048_576
"""An event of a dispute brings along what was written about it, up to 150,000 characters
(docs.stripe.com/api/disputes/evidence_object, 2026-10)."""
SMALL_BYTES, MAX_LARGE = 65_536, 8
"""Other events have some kilobytes. Of larger bodies so many are read at once, whoever sends them: none has shown yet who it is."""
EVENT_SECONDS, MAX_READ = 10.0, 200
"""Stripe's events arrive with their heads. What trickles is waited for so long, and when it is more, the oldest make room."""
FORGED_PER_MINUTE = 30
ALARM_SECONDS = 60.0
FORGERIES = "forged_events"
FORGED = "payment_event_forged"

callbacks = Blueprint("callbacks", __name__)

log = structlog.get_logger()


class Forgeries:
    """Events of one process that Stripe has not signed: who sent too many of them, and when staff were last alarmed."""

    def __init__(self) -> None:
        self._throttle = FailureThrottle(FORGED_PER_MINUTE, "Too many events that Stripe has not signed.")
        self._alarmed_at, self._untold = -inf, 0
        self.large = BoundedSemaphore(MAX_LARGE)
        self.slow_senders = SlowSenders(MAX_READ)

    def braked_seconds(self, address: str) -> float:
        """How long the address must still wait; 0 if it need not."""
        try:
            self._throttle.check(network_of(address))
        except TooManyFailures as refusal:
            return refusal.retry_after_seconds
        return 0.0

    def note(self, address: str, problem: str) -> None:
        """One more, counted; it alarms unless another one has within the last minute, and then tells of those between."""
        self._throttle.failed(network_of(address))
        alarms.note(FORGED, words=f"last from {address}: {problem}")
        self._untold += 1
        if monotonic() - self._alarmed_at >= ALARM_SECONDS:
            log.error("alarm", alarm=FORGED, error=problem, address=address, events=self._untold)
            self._alarmed_at, self._untold = monotonic(), 0


def install(app: Flask) -> None:
    """Stripe can tell this app of payments."""
    app.extensions[FORGERIES] = Forgeries()
    app.register_blueprint(callbacks)
    web.exempt(app, callbacks)


@callbacks.post("/callbacks/stripe")
def stripe() -> Response:
    """200: done, or none of ours. 400, 408, 413, 429: not Stripe's word. 503: tell us again, as Stripe does for three days.

    An address that is braked is read like any other: where all come through one router, it is Stripe's as well.
    """
    if not wiring().cashier.is_open:
        return _answer("Payments are switched off here.", 503)
    address, forgeries = client_address(request, wiring().settings.trusted_proxies), _forgeries()
    wait_seconds = forgeries.braked_seconds(address)
    try:
        raw = forgeries.slow_senders.read(monotonic() + EVENT_SECONDS, _read, forgeries.large)
    except SentTooSlowly:
        return _answer("The event came too slowly.", 408)
    except TooManyAtOnce:
        return _answer("Too many large events at once. Tell us again.", 503)
    if raw is None:
        problem, refusal = "larger than any event", _answer("Too large for an event.", 413)
    else:
        try:
            return _heard(raw)
        except NotGenuine as error:
            problem, refusal = str(error), _answer("Not signed by Stripe for us.", 400)
    forgeries.note(address, problem)
    return _braked(wait_seconds) if wait_seconds else refusal


def _read(large: BoundedSemaphore) -> bytes | None:
    """The body; None for one of more bytes than any event, of which none or no more is read. Raises TooManyAtOnce."""
    if (request.content_length or 0) > MAX_BYTES:
        return None
    raw = request.stream.read(SMALL_BYTES + 1)
    if len(raw) <= SMALL_BYTES:
        return raw
    if not large.acquire(blocking=False):
        raise TooManyAtOnce("As many large events are read as may be.", retry_after_seconds=1.0)
    try:
        raw += request.stream.read(MAX_BYTES - SMALL_BYTES)
    finally:
        large.release()
    return None if len(raw) > MAX_BYTES else raw


def _heard(raw: bytes) -> Response:
    """What Stripe said is in the books or stored. Raises NotGenuine."""
    began_at = monotonic()
    try:
        with acting_as_operator():
            wiring().cashier.hear(raw, request.headers.get("Stripe-Signature", ""))
    except NotGenuine:
        raise
    except (StripeDown, StripeRefused) as error:
        tally.note(Part.PAYMENTS, is_good=False)
        log.warning("payment_event_put_off", error=str(error))
        return _answer("Stored; it could not be applied yet.", 503)
    except Exception:
        tally.note(Part.PAYMENTS, is_good=False)
        raise
    tally.note(Part.PAYMENTS, is_good=True, milliseconds=(monotonic() - began_at) * 1000)
    return _answer("ok", 200)


def _forgeries() -> Forgeries:
    found = current_app.extensions[FORGERIES]
    assert isinstance(found, Forgeries)
    return found


def _braked(wait_seconds: float) -> Response:
    answer = _answer("Too many events that Stripe has not signed. Wait a minute.", 429)
    answer.headers["Retry-After"] = str(ceil(wait_seconds))
    return answer


def _answer(words: str, status: int) -> Response:
    return Response(words + "\n", status, content_type="text/plain; charset=utf-8")
