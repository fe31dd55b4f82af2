"""What came of a try: delivered, tried again later, given up; and when an endpoint is switched off.

If nothing got through to the endpoint in all the time a delivery is tried, it is switched off and its owners are told. 410 switches
off at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from reseller.database import transaction
from reseller.domain import accounts, letters
from reseller.domain.letters import LetterKind
from reseller.domain.webhooks.claiming import Claimed
from reseller.domain.webhooks.endpoints import record, turn_off
from reseller.domain.webhooks.queue import IN_ORDER, LASTS, age_of, instant, locked, put_off, schedule
from reseller.domain.webhooks.tables import DeliveryState, OffBecause, WebhookAttempt, WebhookDelivery, WebhookEndpoint

SLOW_MS = 2_000
GONE = 410
MAX_ANSWER_CHARACTERS = 2_048
ACTOR = "system:webhooks"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status` of None: there was no answer, and `error` says why."""

    status: int | None
    took_ms: int
    request_headers: Mapping[str, str]
    answer_headers: Mapping[str, str]
    answer: str = ""
    error: str | None = None

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def record_outcome(claimed: Claimed, outcome: Outcome) -> OffBecause | None:
    """The try is in the log, and what follows from it is so; why the endpoint was switched off, if it was by this."""
    with transaction() as session:
        endpoint = locked(session, claimed.endpoint_id)
        delivery = session.get(WebhookDelivery, claimed.delivery_id, with_for_update=True, populate_existing=True)
        if endpoint is None or delivery is None:
            return None
        session.add(_attempt(claimed, outcome))
        endpoint.is_slow = outcome.took_ms >= SLOW_MS
        if endpoint.lease_id == claimed.lease_id:
            endpoint.lease_id = endpoint.leased_until = None
        off = None
        if delivery.state == DeliveryState.WAITING:
            off = _follow(session, endpoint, delivery, outcome)
        if off is not None:
            session.flush()
            turn_off(session, endpoint, off)
            _tell(endpoint, off, outcome)
        schedule(session, [endpoint.id])
        return off


def _follow(session: Session, endpoint: WebhookEndpoint, delivery: WebhookDelivery, outcome: Outcome) -> OffBecause | None:
    at = instant(session)
    delivery.last_status, delivery.last_error = outcome.status, outcome.error
    if outcome.is_delivered:
        delivery.state, delivery.ended_at = DeliveryState.DELIVERED, at
        if not delivery.is_test:
            _gets_through_again(session, endpoint, at)
        return None
    if outcome.status == GONE:
        delivery.state, delivery.ended_at = DeliveryState.GIVEN_UP, at
        return OffBecause.GONE
    if delivery.is_test:  # somebody looks on; it is tried once, and says nothing about the others
        delivery.state, delivery.ended_at = DeliveryState.GIVEN_UP, at
        return None
    endpoint.failing_since = endpoint.failing_since or at
    return _later(endpoint, delivery, at)


def _later(endpoint: WebhookEndpoint, delivery: WebhookDelivery, at: datetime) -> OffBecause | None:
    """The delivery is tried again, or given up; with it the endpoint, if it has failed all the while."""
    if at < delivery.kept_until:
        put_off(delivery, at, age_of(delivery, at))
        return None
    delivery.state, delivery.ended_at = DeliveryState.GIVEN_UP, at
    fails_for = at - (endpoint.failing_since or at)
    return OffBecause.FAILING if fails_for >= LASTS - IN_ORDER else None


def _gets_through_again(session: Session, endpoint: WebhookEndpoint, at: datetime) -> None:
    """Something was delivered: after a long failure everything that waits is due, in its order."""
    since, endpoint.failing_since = endpoint.failing_since, None
    if since is not None and at - since >= IN_ORDER:
        waiting = WebhookDelivery.endpoint_id == endpoint.id, WebhookDelivery.state == DeliveryState.WAITING
        session.execute(update(WebhookDelivery).where(*waiting).values(next_try_at=func.least(at, WebhookDelivery.kept_until)))


def _tell(endpoint: WebhookEndpoint, off: OffBecause, outcome: Outcome) -> None:
    """Whoever owns the endpoint learns that nothing is sent there any more; staff see it in the audit log."""
    said = f"answered {outcome.status}" if outcome.status is not None else outcome.error or "no answer"
    record(ACTOR, "switch_off", endpoint, reason=f"{off}: {said}", changes={"off": [None, off]})
    facts = {"endpoint": urlsplit(endpoint.url).netloc, "said": said}
    for email in accounts.owners_of(endpoint.account_id):
        letters.write(LetterKind.WEBHOOK_OFF, email, facts=facts)


def _attempt(claimed: Claimed, outcome: Outcome) -> WebhookAttempt:
    return WebhookAttempt(
        account_id=claimed.account_id,
        delivery_id=claimed.delivery_id,
        endpoint_id=claimed.endpoint_id,
        number=claimed.number,
        url=claimed.url,
        request_headers=dict(outcome.request_headers),
        status=outcome.status,
        answer_headers={_storable(name): _storable(value) for name, value in outcome.answer_headers.items()},
        answer=_storable(outcome.answer)[:MAX_ANSWER_CHARACTERS],
        error=outcome.error,
        took_ms=outcome.took_ms,
    )


def _storable(words: str) -> str:
    """Text the database can hold."""
    return words.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
