"""What owners and staff decide about an endpoint: that it is there, what it hears of, its secret, whether it is on.

A secret is shown once and lies sealed in the row. Everything here leaves an audit row, without the address: it may hold a token.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.database import lock_name, transaction
from reseller.domain import staff
from reseller.domain.accounts import one_line
from reseller.domain.identity.sealing import Seal
from reseller.domain.outbox import EVENTS
from reseller.domain.webhooks.queue import locked, schedule
from reseller.domain.webhooks.signing import new_secret
from reseller.domain.webhooks.tables import DeliveryState, OffBecause, WebhookDelivery, WebhookEndpoint
from reseller.domain.webhooks.urls import normal_url
from reseller.errors import Conflict, InvalidRequest, NotFound

SEALED_FOR = "webhook"
"""The purpose under which secrets are sealed."""

MAX_ENDPOINTS = 10
OVERLAP = timedelta(hours=24)
"""How long the secret of before a rotation signs, too."""
MAX_DESCRIPTION_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class EndpointTerms:
    """What an owner decides. `events` of None is every event, those to come too."""

    url: str
    description: str = ""
    events: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class EndpointOrder:
    """An endpoint that is asked for. `id` is the nonce of the form."""

    id: UUID
    account_id: UUID
    terms: EndpointTerms


def register(order: EndpointOrder, *, seal: Seal, allows_loopback: bool, actor: str) -> tuple[str, WebhookEndpoint]:
    """The endpoint hears of what happens from now on; the returned text is its secret's only showing.

    Raises InvalidRequest (its `param` names the field), Conflict for a form sent before and for an account with MAX_ENDPOINTS.
    """
    terms = _checked(order.terms, allows_loopback=allows_loopback)
    secret_text = new_secret()
    row = WebhookEndpoint(id=order.id, account_id=order.account_id, sealed_secret=seal.close(secret_text))
    row.created_at = func.clock_timestamp()  # what has happened before and since is told by one clock (R39)
    _put(row, terms)
    try:
        with transaction() as session:
            lock_name(f"webhook endpoints of {order.account_id}")
            if session.get(WebhookEndpoint, order.id) is not None:
                raise _sent_before()
            _require_room(session, order.account_id)
            session.add(row)
            record(actor, "add", row, changes={"events": [None, _named(row.events)], "host": [None, terms.url.split("/")[2]]})
            session.flush()
    except IntegrityError:  # the id of an endpoint of another account, which this transaction does not see
        raise _sent_before() from None
    return secret_text, row


def change(
    endpoint_id: UUID, terms: EndpointTerms, *, account_id: UUID | None, seen_version: int | None, allows_loopback: bool, actor: str
) -> None:
    """What is sent from now on goes there, and no events but those; ones that wait already go there, too.

    Raises NotFound, InvalidRequest, Conflict if it has changed since `seen_version`.
    """
    with transaction() as session:
        row = find(session, endpoint_id, account_id)
        checked = _checked(terms, allows_loopback=allows_loopback)
        row.claim(seen_version)
        changes: dict[str, list[str | None]] = {}
        if _named(row.events) != _named(checked.events):
            changes["events"] = [_named(row.events), _named(checked.events)]
        if row.url != checked.url:
            changes["host"] = [row.url.split("/")[2], checked.url.split("/")[2]]
        if row.description != checked.description:
            changes["description"] = [row.description, checked.description]
        _put(row, checked)
        record(actor, "change", row, changes=changes)


def rotate(endpoint_id: UUID, *, account_id: UUID | None, seal: Seal, overlap: timedelta = OVERLAP, actor: str) -> str:
    """A new secret signs from now on, and for `overlap` the one of before as well; the returned text is its only showing.

    Raises NotFound, InvalidRequest for an overlap that cannot be.
    """
    if not timedelta(0) <= overlap <= 7 * OVERLAP:
        raise InvalidRequest("The old secret may sign for at most a week more.", param="overlap")
    secret_text = new_secret()
    with transaction() as session:
        row = find(session, endpoint_id, account_id)
        row.claim(None)
        row.sealed_old_secret, row.old_secret_until = (
            (row.sealed_secret, now() + overlap) if overlap and row.sealed_secret else (None, None)
        )
        row.sealed_secret = seal.close(secret_text)
        until = row.old_secret_until.isoformat() if row.old_secret_until else None
        record(actor, "rotate", row, changes={"old_secret_signs_until": [None, until]})
    return secret_text


def forget_secrets(endpoint_id: UUID, *, actor: str, reason: str) -> None:
    """Nothing is signed, and so nothing is sent, before its owner has rotated the secret. Raises NotFound."""
    with transaction() as session:
        row = find(session, endpoint_id, None)
        row.claim(None)
        _blank_secrets(row)
        record(actor, "forget_secrets", row, reason=reason)


def switch_off(endpoint_id: UUID, *, account_id: UUID | None, because: OffBecause, actor: str, reason: str = "") -> None:
    """Nothing is sent there any more, and what waits is given up; a removed one's secrets are gone.

    Raises NotFound, Conflict if it is off already.
    """
    with transaction() as session:
        row = find(session, endpoint_id, account_id)
        if row.off_at is not None and because != OffBecause.REMOVED:
            raise Conflict("This endpoint is off already.")
        before = row.off_because
        turn_off(session, row, because)
        if because == OffBecause.REMOVED:
            _blank_secrets(row)
        row.claim(None)
        verb = "remove" if because == OffBecause.REMOVED else "switch_off"
        record(actor, verb, row, reason=reason, changes={"off": [before, because]})


def switch_on(endpoint_id: UUID, *, account_id: UUID | None, actor: str, reason: str = "") -> None:
    """What happens from now on is sent there. Raises NotFound, Conflict if it is on already, or for an owner if staff switched it off."""
    with transaction() as session:
        row = find(session, endpoint_id, account_id)
        if row.off_at is None:
            raise Conflict("This endpoint is on already.")
        if row.off_because == OffBecause.BY_STAFF and account_id is not None:
            raise Conflict("Our staff switched this endpoint off, and only they switch it on again. Ask them.")
        before = row.off_because
        row.off_at = row.off_because = row.failing_since = None
        row.claim(None)
        record(actor, "switch_on", row, reason=reason, changes={"off": [before, None]})
        session.flush()
        schedule(session, [row.id])


def turn_off(session: Session, row: WebhookEndpoint, because: OffBecause) -> None:
    """The row, which the caller has locked, says so, and nothing waits for it any more."""
    at = now()
    row.off_at, row.off_because, row.due_at, row.lease_id, row.leased_until = at, because, None, None, None
    waiting = WebhookDelivery.endpoint_id == row.id, WebhookDelivery.state == DeliveryState.WAITING
    session.execute(
        update(WebhookDelivery)
        .where(*waiting)
        .values(
            state=DeliveryState.GIVEN_UP,
            ended_at=at,
            last_error=func.coalesce(WebhookDelivery.last_error, "the endpoint was switched off first"),
        )
    )


def find(session: Session, endpoint_id: UUID, account_id: UUID | None) -> WebhookEndpoint:
    """The endpoint, locked until the caller's transaction ends; of that account, or of any if it is None. Raises NotFound."""
    row = locked(session, endpoint_id)
    if row is None or row.off_because == OffBecause.REMOVED or (account_id is not None and row.account_id != account_id):
        raise NotFound("There is no such endpoint.")
    return row


def _checked(terms: EndpointTerms, *, allows_loopback: bool) -> EndpointTerms:
    description = one_line(terms.description)
    if len(description) > MAX_DESCRIPTION_CHARACTERS:
        raise InvalidRequest(f"A description has at most {MAX_DESCRIPTION_CHARACTERS} characters.", param="description")
    events = terms.events
    if events is not None:
        if not events:
            raise InvalidRequest("Choose at least one event, or all of them.", param="events")
        if any(name not in EVENTS for name in events):
            raise InvalidRequest("There is no such event.", param="events")
        events = tuple(name for name in EVENTS if name in events)
    return EndpointTerms(normal_url(terms.url, allows_loopback=allows_loopback), description, events)


def _put(row: WebhookEndpoint, terms: EndpointTerms) -> None:
    row.url, row.description = terms.url, terms.description
    row.events = None if terms.events is None else list(terms.events)


def _blank_secrets(row: WebhookEndpoint) -> None:
    row.sealed_secret, row.sealed_old_secret, row.old_secret_until = "", None, None


def _require_room(session: Session, account_id: UUID) -> None:
    is_there = WebhookEndpoint.off_because.is_distinct_from(OffBecause.REMOVED)
    query = select(func.count()).where(WebhookEndpoint.account_id == account_id, is_there)
    if (session.scalar(query) or 0) >= MAX_ENDPOINTS:
        raise Conflict(f"An account has at most {MAX_ENDPOINTS} endpoints. Remove one that is not used any more.")


def record(actor: str, verb: str, row: WebhookEndpoint, *, reason: str = "", changes: dict[str, list[str | None]] | None = None) -> None:
    """An audit row about the endpoint is part of the caller's transaction."""
    staff.record(actor, f"webhook.{verb}", "webhook_endpoint", row.id, account_id=row.account_id, reason=reason, changes=changes)


def _named(events: list[str] | tuple[str, ...] | None) -> str:
    return "every event" if events is None else ", ".join(events)


def _sent_before() -> Conflict:
    words = "This form had been sent before, and its endpoint was made then. If you have not kept the secret, rotate it."
    return Conflict(words, param="nonce")
