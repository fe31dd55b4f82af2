"""What people have sent on purpose: a delivery again, everything that did not get through, a sample."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reseller.clock import first_id, now
from reseller.database import lock_name, transaction
from reseller.domain import outbox, staff
from reseller.domain.outbox import EVENTS
from reseller.domain.staff import StaffAction
from reseller.domain.webhooks import endpoints
from reseller.domain.webhooks.queue import LASTS, instant, schedule
from reseller.domain.webhooks.tables import DeliveryState, WebhookDelivery, WebhookEndpoint
from reseller.errors import Conflict, InvalidRequest, NotFound, TooManyRequests

MOST_AT_ONCE = 1_000
MAX_TESTS, MAX_AGAIN, WITHIN = 30, 100, timedelta(hours=1)

AGAIN = ("webhook.redeliver", "webhook.redeliver_all")


def redeliver(delivery_id: UUID, *, account_id: UUID | None, actor: str, reason: str = "") -> None:
    """The same message is sent again now, under the same id, and tried as long as a new one.

    Raises NotFound, Conflict while its endpoint is off, TooManyRequests for an owner who asks for more than MAX_AGAIN times.
    """
    with transaction() as session:
        _require_calm(session, account_id, actor)
        found = session.get(WebhookDelivery, delivery_id)
        if found is None or (account_id is not None and found.account_id != account_id):
            raise NotFound("There is no such delivery.")
        endpoint = _on(session, found.endpoint_id, account_id)
        delivery = session.get_one(WebhookDelivery, delivery_id, with_for_update=True, populate_existing=True)
        before = delivery.state
        _again(delivery, instant(session))
        schedule(session, [endpoint.id])
        changes = {"state": [before, delivery.state]}
        staff.record(
            actor, "webhook.redeliver", "webhook_delivery", delivery_id, account_id=delivery.account_id, reason=reason, changes=changes
        )


def redeliver_given_up(endpoint_id: UUID, *, account_id: UUID | None, actor: str, reason: str = "") -> int:
    """Whatever did not get through is sent again, the newest MOST_AT_ONCE of it; how much that is. Raises as `redeliver`."""
    with transaction() as session:
        _require_calm(session, account_id, actor)
        endpoint = _on(session, endpoint_id, account_id)
        lost = WebhookDelivery.endpoint_id == endpoint.id, WebhookDelivery.state == DeliveryState.GIVEN_UP, ~WebhookDelivery.is_test
        query = select(WebhookDelivery).where(*lost).order_by(WebhookDelivery.position.desc()).limit(MOST_AT_ONCE).with_for_update()
        found = list(session.scalars(query))
        at = instant(session)
        for delivery in found:
            _again(delivery, at)
        schedule(session, [endpoint.id])
        endpoints.record(actor, "redeliver_all", endpoint, reason=reason, changes={"deliveries": [None, str(len(found))]})
        return len(found)


def send_test(endpoint_id: UUID, name: str, *, account_id: UUID | None, actor: str) -> UUID:
    """The event's sample is sent there now, once; the id of the delivery.

    Raises NotFound, Conflict while the endpoint is off, InvalidRequest for an event it cannot hear of, TooManyRequests after MAX_TESTS.
    """
    with transaction() as session:
        endpoint = _on(session, endpoint_id, account_id)
        if name not in EVENTS:
            raise InvalidRequest("There is no such event.", param="event")
        of_late = WebhookDelivery.endpoint_id == endpoint.id, WebhookDelivery.is_test, WebhookDelivery.created_at > now() - WITHIN
        if (session.scalar(select(func.count()).where(*of_late)) or 0) >= MAX_TESTS:
            raise TooManyRequests(f"At most {MAX_TESTS} test events an hour for one endpoint.", retry_after_seconds=WITHIN.total_seconds())
        at = instant(session)
        event_id = outbox.keep_sample(name, endpoint.account_id)
        delivery = WebhookDelivery(
            account_id=endpoint.account_id,
            endpoint_id=endpoint.id,
            event_id=event_id,
            event_name=name,
            is_test=True,
            is_aside=True,  # whoever tests does not wait for what is stuck
            next_try_at=at,
            kept_until=at,
        )
        session.add(delivery)
        schedule(session, [endpoint.id])
        endpoints.record(actor, "test", endpoint, changes={"event": [None, name]})
        return delivery.id


def _require_calm(session: Session, account_id: UUID | None, actor: str) -> None:
    """An owner asks so often and no more: each time is sent, answered, written down and kept. Staff ask as often as it takes.

    Nobody else counts what this owner asked before the caller's transaction ends: many at once do not all find room for one.
    """
    if account_id is None:
        return
    lock_name(f"webhooks sent again for {actor}")
    of_late = StaffAction.actor == actor, StaffAction.action.in_(AGAIN), StaffAction.id >= first_id(now() - WITHIN)
    if (session.scalar(select(func.count()).where(*of_late)) or 0) >= MAX_AGAIN:
        raise TooManyRequests(f"At most {MAX_AGAIN} times an hour.", retry_after_seconds=WITHIN.total_seconds())


def _on(session: Session, endpoint_id: UUID, account_id: UUID | None) -> WebhookEndpoint:
    endpoint = endpoints.find(session, endpoint_id, account_id)
    if endpoint.off_at is not None:
        raise Conflict("This endpoint is off. Switch it on first.")
    return endpoint


def _again(delivery: WebhookDelivery, at: datetime) -> None:
    """Due now, beside the order of the others: it had its turn."""
    delivery.state, delivery.ended_at, delivery.is_aside = DeliveryState.WAITING, None, True
    delivery.next_try_at, delivery.kept_until = at, at + LASTS
