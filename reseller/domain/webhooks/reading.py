"""Endpoints and deliveries as pages show them, and how much waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from reseller.clock import first_id, now
from reseller.database import transaction
from reseller.domain.outbox import Event
from reseller.domain.webhooks.messages import body_of, message_id, readable
from reseller.domain.webhooks.tables import DeliveryState, OffBecause, WebhookAttempt, WebhookDelivery
from reseller.errors import NotFound

RECENT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ListedEndpoint:
    """An endpoint and how it fares; nothing here tells its secret."""

    id: UUID
    account_id: UUID
    url: str
    description: str
    events: tuple[str, ...] | None
    off_because: OffBecause | None
    off_at: datetime | None
    failing_since: datetime | None
    old_secret_until: datetime | None  # None: one secret alone signs
    waiting: int
    given_up: int
    last_tried_at: datetime | None
    last_status: int | None
    created_at: datetime
    version: int

    @property
    def state(self) -> str:
        """on, failing, off"""
        if self.off_because is not None:
            return "off"
        return "failing" if self.failing_since else "on"


@dataclass(frozen=True, slots=True)
class ListedDelivery:
    """A delivery as a row of a list."""

    id: UUID
    position: int  # newer ones have greater ones
    endpoint_id: UUID
    event_name: str
    state: DeliveryState
    is_test: bool
    attempts: int
    next_try_at: datetime | None  # None: none comes
    last_status: int | None
    last_error: str | None
    ended_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Try:
    """One try of a delivery."""

    number: int
    at: datetime
    took_ms: int
    url: str
    request_headers: dict[str, Any]
    status: int | None
    answer_headers: dict[str, Any]
    answer: str
    error: str | None


@dataclass(frozen=True, slots=True)
class DeliveryStory:
    """One delivery from its event to its last try."""

    delivery: ListedDelivery
    endpoint: ListedEndpoint
    account_id: UUID
    message_id: str
    happened_at: datetime
    body: str
    tries: tuple[Try, ...]  # newest first


@dataclass(frozen=True, slots=True)
class Waiting:
    """Events that nobody has handed on, deliveries, how long the oldest of each that is due waits; endpoints that fail or are off."""

    events: int
    deliveries: int
    oldest_event_seconds: float
    oldest_due_seconds: float
    failing: int
    off: int


_ENDPOINTS = """
SELECT e.id, e.account_id, e.url, e.description, e.events, e.off_because, e.off_at, e.failing_since,
       CASE WHEN e.old_secret_until > :at THEN e.old_secret_until END AS old_secret_until, e.created_at, e.version,
       (SELECT count(*) FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting') AS waiting,
       (SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'given_up' LIMIT 1000) g)
           AS given_up,
       last.created_at AS last_tried_at, last.status AS last_status
  FROM webhook_endpoints e
  LEFT JOIN LATERAL (SELECT a.created_at, a.status FROM webhook_attempts a WHERE a.endpoint_id = e.id ORDER BY a.id DESC LIMIT 1)
       last ON true"""

_OF_ACCOUNT = text(
    f"{_ENDPOINTS} WHERE e.account_id = :account_id"  # noqa: S608
    " AND e.off_because IS DISTINCT FROM 'removed' ORDER BY e.id"
)
_ONE = text(f"{_ENDPOINTS} WHERE e.id = :id")  # noqa: S608

_WAITING = text(
    """SELECT (SELECT count(*) FROM outbox WHERE dispatched_at IS NULL) AS events,
              (SELECT count(*) FROM webhook_deliveries WHERE state = 'waiting') AS deliveries,
              coalesce((SELECT extract(epoch FROM :at - min(created_at)) FROM outbox WHERE dispatched_at IS NULL), 0)::float8
                  AS oldest_event_seconds,
              coalesce((SELECT extract(epoch FROM :at - min(due_at)) FROM webhook_endpoints
                         WHERE off_at IS NULL AND due_at <= :at AND (leased_until IS NULL OR leased_until <= :at)), 0)::float8
                  AS oldest_due_seconds,
              (SELECT count(*) FROM webhook_endpoints WHERE off_at IS NULL AND failing_since IS NOT NULL) AS failing,
              (SELECT count(*) FROM webhook_endpoints WHERE off_because IN ('gone', 'failing')) AS off"""
)


def endpoints_of(account_id: UUID) -> list[ListedEndpoint]:
    """The account's endpoints in the order they were added."""
    with transaction() as session:
        rows = session.execute(_OF_ACCOUNT, {"account_id": account_id, "at": now()})
        return [_endpoint(dict(row)) for row in rows.mappings()]


def endpoint_of(endpoint_id: UUID, account_id: UUID | None) -> ListedEndpoint:
    """One endpoint, of that account, or of any for None. Raises NotFound; for an account also once it is removed."""
    with transaction() as session:
        row = session.execute(_ONE, {"id": endpoint_id, "at": now()}).mappings().first()
    if row is None or (account_id is not None and (row["account_id"] != account_id or row["off_because"] == OffBecause.REMOVED)):
        raise NotFound("There is no such endpoint.")
    return _endpoint(dict(row))


def deliveries_of(endpoint_id: UUID, *, state: DeliveryState | None = None, before: int | None = None, most: int) -> list[ListedDelivery]:
    """The endpoint's deliveries, newest first, those of that state alone if one is given, of lower positions than `before`."""
    query = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint_id)
    if state is not None:
        query = query.where(WebhookDelivery.state == state)
    if before is not None:
        query = query.where(WebhookDelivery.position < before)
    with transaction() as session:
        return [_delivery(row) for row in session.scalars(query.order_by(WebhookDelivery.position.desc()).limit(most))]


def story_of(delivery_id: UUID, account_id: UUID | None) -> DeliveryStory:
    """One delivery whole; of that account, or of any for None. Raises NotFound."""
    with transaction() as session:
        row = session.get(WebhookDelivery, delivery_id, populate_existing=True)
        if row is None or (account_id is not None and row.account_id != account_id):
            raise NotFound("There is no such delivery.")
        event = session.get_one(Event, row.event_id)
        endpoint = endpoint_of(row.endpoint_id, None)
        tries = session.scalars(select(WebhookAttempt).where(WebhookAttempt.delivery_id == row.id).order_by(WebhookAttempt.id.desc()))
        facts = {"event_id": event.id, "told_account": event.account_id, "is_test": row.is_test}
        body = body_of({"name": event.name, "payload": event.payload, "created_at": event.created_at, **facts})
        return DeliveryStory(
            delivery=_delivery(row),
            endpoint=endpoint,
            account_id=row.account_id,
            message_id=message_id(event.id),
            happened_at=event.created_at,
            body=readable(body),
            tries=tuple(_try(attempt) for attempt in tries),
        )


_TRIES = text(
    """SELECT CASE WHEN status BETWEEN 200 AND 299 THEN 'delivered' WHEN status IS NULL THEN 'unanswered' ELSE 'refused' END, count(*)
         FROM webhook_attempts WHERE id >= :first GROUP BY 1"""
)


def recent_tries() -> dict[str, int]:
    """How many tries of the last RECENT were delivered, refused by their receiver, or not answered."""
    told = dict.fromkeys(("delivered", "refused", "unanswered"), 0)
    with transaction() as session:
        for outcome, count in session.execute(_TRIES, {"first": first_id(now() - RECENT)}):
            told[outcome] = count
    return told


def waiting() -> Waiting:
    """How much waits in the whole shop, for those who watch it."""
    with transaction() as session:
        return Waiting(**session.execute(_WAITING, {"at": now()}).mappings().one())


def _endpoint(row: dict[str, Any]) -> ListedEndpoint:
    events: Sequence[str] | None = row["events"]
    off = None if row["off_because"] is None else OffBecause(row["off_because"])
    return ListedEndpoint(**{**row, "events": None if events is None else tuple(events), "off_because": off})


def _delivery(row: WebhookDelivery) -> ListedDelivery:
    return ListedDelivery(
        id=row.id,
        position=row.position,
        endpoint_id=row.endpoint_id,
        event_name=row.event_name,
        state=DeliveryState(row.state),
        is_test=row.is_test,
        attempts=row.attempts,
        next_try_at=row.next_try_at if row.state == DeliveryState.WAITING else None,
        last_status=row.last_status,
        last_error=row.last_error,
        ended_at=row.ended_at,
        created_at=row.created_at,
    )


def _try(row: WebhookAttempt) -> Try:
    return Try(
        number=row.number,
        at=row.created_at,
        took_ms=row.took_ms,
        url=row.url,
        request_headers=row.request_headers,
        status=row.status,
        answer_headers=row.answer_headers,
        answer=row.answer,
        error=row.error,
    )
