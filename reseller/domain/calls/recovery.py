"""What to do with a hold whose call cannot end by itself.

Two ways lead here. The owner of the call is gone (killed, unreachable): with a generation id the
upstream is asked what it cost, without one the call is voided and the operator bears the
cost (promise R10). Or the answer has ended without a known cost: its hold carries a draft,
and the upstream is asked until it tells, else the draft's own estimate is booked (R9).

A door does the asking; these verbs say whom to ask about and book the answer.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text

from reseller.database import transaction
from reseller.domain import pricing
from reseller.domain.calls.admission import PriceTerms
from reseller.domain.calls.processes import SILENT_SECONDS
from reseller.domain.calls.settlement import CallFacts, Outcome, Settle, Settled
from reseller.domain.calls.till import Till
from reseller.domain.usage.tables import CallStatus, CostSource
from reseller.metering import Usage

CHASE_PAUSES_SECONDS = (1, 2, 4, 8, 10)
"""Waits between questions; OpenRouter's records appear late (0.5 s and more after the end). Then the estimate is booked."""

VOID = "void"
LOST_DRAFT = '{"status": "partial", "fallback": "void", "flag": "process_lost"}'


@dataclass(frozen=True, slots=True)
class OpenHold:
    """A hold to be resolved: the facts of its call, whom to ask, and what is known of its end."""

    facts: CallFacts
    generation_id: str | None
    draft: dict[str, Any]
    attempts: int


_FACTS = """h.id, h.account_id, h.api_key_id, h.endpoint, h.model, h.upstream, h.is_test, h.price_version, h.rule_id,
            h.markup_percent, h.min_cost_nano, h.request_metadata, h.generation_id, h.draft, h.chase_attempts"""

# Lost: the owner is silent, has no row, or is a worker (which begins no calls: it claimed one and did not end it).
# Never by age: a client that reads slowly has a living call.
_LOST = f"""
UPDATE holds h SET process_id = :me
  FROM (SELECT h.id FROM holds h LEFT JOIN processes p ON p.id = h.process_id
         WHERE h.draft IS NULL
           AND (p.id IS NULL OR p.beat_at < now() - make_interval(secs => :silent) OR p.kind = 'worker')
         ORDER BY h.id LIMIT 500 FOR UPDATE OF h SKIP LOCKED) lost
 WHERE h.id = lost.id
RETURNING {_FACTS}
"""  # noqa: S608 - constants only

_DUE = f"""
UPDATE holds h SET chase_attempts = h.chase_attempts + 1, chase_at = now() + interval '30 seconds'
  FROM (SELECT id FROM holds WHERE chase_at <= now() ORDER BY chase_at LIMIT 200 FOR UPDATE SKIP LOCKED) due
 WHERE h.id = due.id
RETURNING {_FACTS}
"""  # noqa: S608 - constants only

_AGAIN = text("UPDATE holds SET chase_at = now() + make_interval(secs => :pause) WHERE id = :id")
_CHASE = text("UPDATE holds SET draft = CAST(:draft AS jsonb), chase_at = now() WHERE id = :id AND draft IS NULL")


def claim_lost(worker_id: UUID) -> list[OpenHold]:
    """Holds whose owner is gone now belong to this worker. At most 500 at a time.

    If we die here: they name a process that is silent again, and are claimed anew.
    """
    with transaction() as session:
        rows = session.execute(text(_LOST), {"me": worker_id, "silent": SILENT_SECONDS})
        return [_open_hold(row) for row in rows]


def claim_due() -> list[OpenHold]:
    """Drafts whose next question is due; none is given out twice within 30 s. At most 200 at a time."""
    with transaction() as session:
        return [_open_hold(row) for row in session.execute(text(_DUE))]


def ask_later(hold: OpenHold) -> bool:
    """True if the upstream will be asked again after a pause; False when enough questions were asked."""
    if hold.attempts > len(CHASE_PAUSES_SECONDS):
        return False
    with transaction() as session:
        session.execute(_AGAIN, {"id": hold.facts.call_id, "pause": CHASE_PAUSES_SECONDS[hold.attempts - 1]})
    return True


def chase_lost(hold: OpenHold) -> None:
    """A lost call with a generation id becomes one to ask about; without an answer it will be voided."""
    with transaction() as session:
        session.execute(_CHASE, {"id": hold.facts.call_id, "draft": LOST_DRAFT})


def void(till: Till, hold: OpenHold) -> Settled | None:
    """The call is over without a charge; the operator bears what the upstream may bill."""
    outcome = Outcome(status=CallStatus.VOIDED, error_code="process_lost", flag="process_lost", generation_id=hold.generation_id)
    return till.settle(Settle(hold.facts, outcome))


def settle_by_record(
    till: Till, hold: OpenHold, *, cost_usd: Decimal, usage: Usage, served_model: str | None, source: CostSource = CostSource.GENERATION
) -> Settled | None:
    """The call is charged by the upstream's own record of it: its cost, or its tokens at the rates of admission."""
    terms = hold.facts.terms
    assert terms is not None
    draft = hold.draft
    outcome = Outcome(
        status=CallStatus(draft.get("status", CallStatus.PARTIAL)),
        usage=usage,
        cost_usd=cost_usd,
        cost_source=source,
        charge_nano=pricing.charge_nano(cost_usd, terms.markup_percent, min_cost_nano=terms.min_cost_nano),
        served_model=served_model or draft.get("served_model"),
        generation_id=hold.generation_id,
        error_code=draft.get("error_code"),
        flag=draft.get("flag"),
        response_metadata=draft.get("response_metadata", {}),
    )
    return till.settle(Settle(hold.facts, outcome))


def give_up(till: Till, hold: OpenHold) -> Settled | None:
    """The upstream never told: the draft's estimate is booked, marked as such; a lost call is voided."""
    draft = hold.draft
    if draft.get("fallback") == VOID:
        return void(till, hold)
    source = CostSource(draft["cost_source"])
    outcome = Outcome(
        status=CallStatus(draft["status"]),
        usage=Usage(prompt_tokens=draft["prompt_tokens"], completion_tokens=draft["completion_tokens"]),
        cost_usd=Decimal(draft["cost_usd"]),
        cost_source=source,
        charge_nano=draft["charge_nano"],
        at_most_hold=source == CostSource.ESTIMATE,
        served_model=draft.get("served_model"),
        generation_id=hold.generation_id,
        error_code=draft.get("error_code"),
        flag=draft.get("flag") or ("estimate" if source == CostSource.ESTIMATE else None),
        response_metadata=draft.get("response_metadata", {}),
    )
    return till.settle(Settle(hold.facts, outcome))


def _open_hold(row: Any) -> OpenHold:
    terms = PriceTerms(row.price_version, row.rule_id, row.markup_percent, row.min_cost_nano)
    facts = CallFacts(
        row.id, row.account_id, row.api_key_id, row.endpoint, row.model, row.upstream, row.is_test,
        bool((row.request_metadata or {}).get("stream")), terms, row.request_metadata or {},
    )  # fmt: skip
    return OpenHold(facts, row.generation_id, row.draft or {}, row.chase_attempts)
