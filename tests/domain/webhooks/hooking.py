"""Endpoints, events and what came of deliveries, as tests start from them. Each needs an app context that acts as the operator."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from reseller.clock import new_id, now
from reseller.domain import outbox, webhooks
from reseller.domain.accounts import Person
from reseller.domain.identity.sealing import Seal
from reseller.domain.webhooks import Claimed, EndpointOrder, EndpointTerms, OffBecause, Outcome, WebhookEndpoint
from tests.domain import scenes

SEAL = Seal("s" * 40, webhooks.SEALED_FOR)
URL = "https://hooks.example.com/in?token=secret"


def add(person: Person, *, url: str = URL, events: tuple[str, ...] | None = None, seal: Seal = SEAL) -> tuple[str, WebhookEndpoint]:
    """An endpoint of this person's account and its secret."""
    order = EndpointOrder(new_id(), person.account_id, EndpointTerms(url, "", events))
    return webhooks.register(order, seal=seal, allows_loopback=True, actor="test")


def happen(person: Person, number: int = 1) -> UUID:
    """A key of the account was revoked, as far as anybody who listens knows."""
    facts: dict[str, Any] = {"key_id": str(number), "prefix": "sk_live_abc1…", "name": f"key {number}", "is_test": False}
    return outbox.announce("key.revoked", person.account_id, **facts, revoked_at=now())


def tell(person: Person, count: int = 1) -> None:
    """So many events have happened and were handed on."""
    for number in range(count):
        happen(person, number + 1)
    webhooks.fan_out()


def claim(places: int = 100) -> list[Claimed]:
    return webhooks.claim_due(places, SEAL)


def ended(claimed: Claimed, status: int | None = 200, *, took_ms: int = 5) -> OffBecause | None:
    """The try ended like this."""
    error = None if status is not None else "no whole answer within 10 seconds"
    return webhooks.record_outcome(claimed, Outcome(status, took_ms, {"webhook-id": claimed.message_id}, {}, "said", error))


def deliveries(**where: Any) -> list[dict[str, Any]]:
    rows = [dict(row) for row in scenes.rows("SELECT * FROM webhook_deliveries ORDER BY position")]
    return [row for row in rows if all(row[name] == value for name, value in where.items())]


def endpoint(row: WebhookEndpoint) -> dict[str, Any]:
    [found] = scenes.rows("SELECT * FROM webhook_endpoints WHERE id = :id", id=row.id)
    return dict(found)


def let_pass(span: timedelta) -> None:
    """As if everything had happened so much earlier."""
    seconds = {"seconds": span.total_seconds()}
    scenes.execute(
        "UPDATE webhook_deliveries SET next_try_at = next_try_at - make_interval(secs => :seconds),"
        " kept_until = kept_until - make_interval(secs => :seconds), created_at = created_at - make_interval(secs => :seconds)",
        **seconds,
    )
    scenes.execute(
        "UPDATE webhook_endpoints SET due_at = due_at - make_interval(secs => :seconds),"
        " failing_since = failing_since - make_interval(secs => :seconds), leased_until = leased_until - make_interval(secs => :seconds),"
        " old_secret_until = old_secret_until - make_interval(secs => :seconds)",
        **seconds,
    )
