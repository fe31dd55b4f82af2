"""Events become deliveries: one for each endpoint that wants to hear of them, once."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reseller.clock import new_id
from reseller.database import transaction
from reseller.domain import outbox
from reseller.domain.outbox import EVENTS, Audience, Event
from reseller.domain.webhooks.queue import LASTS, instant, lock_all, schedule
from reseller.domain.webhooks.tables import WebhookDelivery, WebhookEndpoint

AT_A_TIME = 200


def fan_out() -> int:
    """Events that nobody has handed on are on their way to whoever listens; how many events there were.

    If we die here, nothing has happened, and the next one does it.
    """
    with transaction() as session:
        events = outbox.undispatched(AT_A_TIME)
        if not events:
            return 0
        endpoints = _listening(session, events)
        pairs = [(event, endpoint) for event in events for endpoint in endpoints if _wants(endpoint, event)]
        if pairs:
            touched = {endpoint.id for _, endpoint in pairs}
            at = instant(session)
            rows = [_row(event, endpoint, at) for event, endpoint in pairs]
            lock_all(session, touched)
            session.execute(insert(WebhookDelivery).on_conflict_do_nothing(index_elements=["event_id", "endpoint_id"]), rows)
            schedule(session, touched)
        outbox.dispatched([event.id for event in events])
        return len(events)


def _listening(session: Session, events: Sequence[Event]) -> Sequence[WebhookEndpoint]:
    """Endpoints that are on and may be meant by one of these events."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.off_at.is_(None))
    if all(event.account_id is not None for event in events):
        query = query.where(WebhookEndpoint.account_id.in_({event.account_id for event in events}))
    return session.scalars(query.order_by(WebhookEndpoint.id)).all()


def _wants(endpoint: WebhookEndpoint, event: Event) -> bool:
    kind = EVENTS.get(event.name)
    if kind is None or (endpoint.events is not None and event.name not in endpoint.events) or endpoint.created_at > event.created_at:
        return False
    return kind.audience is Audience.EVERY_ACCOUNT or endpoint.account_id == event.account_id


def _row(event: Event, endpoint: WebhookEndpoint, at: datetime) -> dict[str, object]:
    return {
        "id": new_id(),
        "account_id": endpoint.account_id,
        "endpoint_id": endpoint.id,
        "event_id": event.id,
        "event_name": event.name,
        "next_try_at": at,
        "kept_until": at + LASTS,
        "created_at": at,
    }
