"""Where the demo's customer wants to hear of events: one endpoint that takes them, and one that is gone; with what was sent there.

Both hosts end in `.example`, which no resolver knows: what happens in the demo from now on reaches nobody.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from reseller.clock import new_id
from reseller.domain import outbox
from reseller.domain.identity.sealing import Seal
from reseller.domain.outbox import EVENTS, Audience, Event
from reseller.domain.webhooks import (
    LASTS,
    DeliveryState,
    OffBecause,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    message_id,
    new_secret,
)

TAKES, GONE = "https://hooks.morgan-studio.example/reseller", "https://old.brightside.example/events"
HOURS_AGO = (24 * 19, 24 * 16, 24 * 11, 24 * 8, 24 * 5, 70, 41, 22, 5)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try, and how long after the first it was."""

    status: int | None
    took_ms: int
    words: str = ""
    after: timedelta = timedelta(0)


WELL = (Answer(204, 83),)
AT_LAST = (
    Answer(503, 41, "upstream connect error or disconnect/reset before headers"),
    Answer(None, 10_000, "no whole answer within 10 seconds", timedelta(seconds=6)),
    Answer(200, 118, '{"ok":true}', timedelta(seconds=17)),
)
NEVER_AGAIN = (Answer(410, 37, "gone"),)


def listen(session: Session, account_id: UUID, *, seal: Seal, until: datetime) -> None:
    """The account has both endpoints and their history; what happened before is told to neither."""
    names = list(EVENTS)
    takes = _endpoint(session, account_id, TAKES, "CRM and alerts", seal, at=until - timedelta(days=20))
    gone = _endpoint(session, account_id, GONE, "the old receiver", seal, at=until - timedelta(days=20))
    gone.events = names[:1]
    for number, hours in enumerate(HOURS_AGO):
        at = until - timedelta(hours=hours)
        name = names[number % len(names)]
        whose = account_id if EVENTS[name].audience is Audience.ACCOUNT else None
        event = Event(id=new_id(at), account_id=whose, name=name, created_at=at, dispatched_at=at)
        event.payload = dict(EVENTS[name].sample)
        session.add(event)
        session.flush()
        _deliver(session, takes, event, AT_LAST if number == 3 else WELL)
        if number == 0:
            _deliver(session, gone, event, NEVER_AGAIN)
            gone.off_at, gone.off_because = at, OffBecause.GONE
    outbox.dispatched(list(session.scalars(select(Event.id).where(Event.dispatched_at.is_(None)))))
    session.flush()


def _endpoint(session: Session, account_id: UUID, url: str, description: str, seal: Seal, *, at: datetime) -> WebhookEndpoint:
    row = WebhookEndpoint(id=new_id(at), account_id=account_id, url=url, description=description, created_at=at)
    row.sealed_secret = seal.close(new_secret())
    session.add(row)
    session.flush()
    return row


def _deliver(session: Session, endpoint: WebhookEndpoint, event: Event, answers: tuple[Answer, ...]) -> None:
    last = answers[-1]
    ended_at = event.created_at + last.after + timedelta(milliseconds=last.took_ms)
    delivery = WebhookDelivery(
        id=new_id(event.created_at),
        account_id=endpoint.account_id,
        endpoint_id=endpoint.id,
        event_id=event.id,
        event_name=event.name,
        state=DeliveryState.GIVEN_UP if last.status == 410 else DeliveryState.DELIVERED,
        attempts=len(answers),
        next_try_at=ended_at,
        kept_until=event.created_at + LASTS,
        ended_at=ended_at,
        last_status=last.status,
        created_at=event.created_at,
    )
    session.add(delivery)
    session.flush()
    for number, answer in enumerate(answers, 1):
        at = event.created_at + answer.after
        session.add(
            WebhookAttempt(
                id=new_id(at),
                account_id=endpoint.account_id,
                delivery_id=delivery.id,
                endpoint_id=endpoint.id,
                number=number,
                url=endpoint.url,
                request_headers={"webhook-id": message_id(event.id), "webhook-timestamp": str(int(at.timestamp()))},
                status=answer.status,
                answer_headers={} if answer.status is None else {"Server": "nginx", "Content-Length": str(len(answer.words))},
                answer=answer.words if answer.status is not None else "",
                error=answer.words if answer.status is None else None,
                took_ms=answer.took_ms,
                created_at=at,
            )
        )
