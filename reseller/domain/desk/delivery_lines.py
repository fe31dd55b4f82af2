"""Webhook endpoints and deliveries as staff look at them: with the account's name, and without what may be a secret of its owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from reseller.database import transaction
from reseller.domain.desk.naming import names_of_accounts
from reseller.domain.webhooks import WebhookDelivery, WebhookEndpoint, shown_url


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery of the list. `address` is where the endpoint leads, without path."""

    id: UUID
    position: int
    created_at: datetime
    account_id: UUID
    account_name: str
    endpoint_id: UUID
    address: str
    event_name: str
    is_test: bool
    state: str
    attempts: int
    last_status: int | None
    last_error: str | None
    next_try_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """One endpoint of the list."""

    id: UUID
    created_at: datetime
    account_id: UUID
    account_name: str
    address: str
    description: str
    events: str
    state: str  # on, failing, off
    off_because: str | None
    off_at: datetime | None
    failing_since: datetime | None


def deliveries(rows: Sequence[WebhookDelivery]) -> list[DeliveryRow]:
    """The deliveries in their order; two queries more, however many they are."""
    names = names_of_accounts(row.account_id for row in rows)
    with transaction() as session:
        query = select(WebhookEndpoint.id, WebhookEndpoint.url).where(WebhookEndpoint.id.in_({row.endpoint_id for row in rows}))
        addresses = {endpoint_id: shown_url(url) for endpoint_id, url in session.execute(query)}
    return [
        DeliveryRow(
            id=row.id,
            position=row.position,
            created_at=row.created_at,
            account_id=row.account_id,
            account_name=names[row.account_id],
            endpoint_id=row.endpoint_id,
            address=addresses[row.endpoint_id],
            event_name=row.event_name,
            is_test=row.is_test,
            state=row.state,
            attempts=row.attempts,
            last_status=row.last_status,
            last_error=row.last_error,
            next_try_at=row.next_try_at if row.ended_at is None else None,
            ended_at=row.ended_at,
        )
        for row in rows
    ]


def endpoints(rows: Sequence[WebhookEndpoint]) -> list[EndpointRow]:
    """The endpoints in their order; one query more."""
    names = names_of_accounts(row.account_id for row in rows)
    return [
        EndpointRow(
            id=row.id,
            created_at=row.created_at,
            account_id=row.account_id,
            account_name=names[row.account_id],
            address=shown_url(row.url),
            description=row.description,
            events="every event" if row.events is None else ", ".join(row.events),
            state="off" if row.off_because else "failing" if row.failing_since else "on",
            off_because=row.off_because,
            off_at=row.off_at,
            failing_since=row.failing_since,
        )
        for row in rows
    ]
