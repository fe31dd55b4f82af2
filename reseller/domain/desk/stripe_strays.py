"""Stripe's ids that no payment has: of what lies in suspense, and of events."""

import re
from enum import StrEnum

from sqlalchemy import select

from reseller.database import transaction
from reseller.domain.payments import StripeEvent, SuspenseItem

_SHAPE = re.compile(r"[a-z]{2,5}_[0-9A-Za-z_]{4,250}", re.ASCII)


class Place(StrEnum):
    """Where it is listed."""

    SUSPENSE = "suspense"
    EVENTS = "events"


def place_of(stripe_id: str) -> Place | None:
    """Where what Stripe calls so is listed; None where nowhere. What lies in suspense comes first: somebody must look at it."""
    if not _SHAPE.fullmatch(stripe_id):
        return None
    with transaction() as session:
        if session.scalar(select(SuspenseItem.id).where(SuspenseItem.subject == stripe_id).limit(1)) is not None:
            return Place.SUSPENSE
        return None if session.get(StripeEvent, stripe_id) is None else Place.EVENTS
