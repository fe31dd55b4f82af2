"""Events in Stripe's name, believed only with its signature. Pure but for the clock.

Source: docs.stripe.com/webhooks/signature, 2026-10: HMAC-SHA256 over "{t}.{raw body}" with the endpoint's secret; several v1
signatures while a secret is being replaced; five minutes of tolerance.
"""

import hashlib
import json
from typing import Any

import stripe

from reseller.clients.stripe_api.contract import Event, NotGenuine
from reseller.clients.stripe_api.reading import instant, storable
from reseller.clock import unix_seconds

TOLERANCE_SECONDS = 300


def read_event(raw: bytes, signature: str, secret: str) -> Event:
    """The event of these very bytes. Raises NotGenuine.

    One without an id (no event of Stripe's lacks it, those of some stand-ins do) is known by the digest of its bytes, so that the
    same bytes are the same event.
    """
    _verify(raw, signature, secret)
    event = _parsed(raw)
    body = event.get("data")
    body = body.get("object") if isinstance(body, dict) else None
    type_, id_, account = event.get("type"), event.get("id"), event.get("account")
    if not isinstance(type_, str) or not type_ or not isinstance(body, dict):
        raise NotGenuine("not an event: it has no type, or is about nothing")
    if id_ is not None and (not isinstance(id_, str) or not id_):
        raise NotGenuine("not an event: its id is none")
    try:
        created_at = instant(event.get("created", unix_seconds()))
    except (ValueError, OverflowError, OSError):
        raise NotGenuine("not an event: it says no time") from None
    return Event(
        event_id=id_ or f"digest-{hashlib.sha256(raw).hexdigest()}",
        type=type_,
        is_live=event.get("livemode") is True,
        created_at=created_at,
        body=body,
        account=account if isinstance(account, str) and account else None,
    )


def _verify(raw: bytes, signature: str, secret: str) -> None:
    """The SDK compares signatures; when they were made we look at ourselves, since it refuses old ones alone and by its own clock."""
    if not secret.strip():
        raise NotGenuine("there is no secret to know Stripe by")
    try:
        stripe.WebhookSignature.verify_header(raw, signature, secret, tolerance=None)
        made_at = next(int(part[2:]) for part in signature.split(",") if part.startswith("t="))
    except (stripe.StripeError, ValueError, TypeError, StopIteration):  # the last three: not UTF-8, not ASCII, no time
        raise NotGenuine("the signature is not Stripe's") from None
    if abs(unix_seconds() - made_at) > TOLERANCE_SECONDS:
        raise NotGenuine(f"signed {unix_seconds() - made_at} seconds ago, which is no time for an event to take")


def _parsed(raw: bytes) -> dict[str, Any]:
    """Fractions stay floats: they are rates. Amounts are integers, and anything else in their place is refused where they are read.

    What no database can keep is replaced: names are typed by customers, and a payment must not fail over one.
    """
    try:
        event = storable(json.loads(raw, object_pairs_hook=_object, parse_constant=_refused))
    except (ValueError, RecursionError):
        raise NotGenuine("the body is no JSON that means one thing") from None
    if not isinstance(event, dict):
        raise NotGenuine("the body is no object")
    return event


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
