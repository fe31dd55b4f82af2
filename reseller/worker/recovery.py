"""Jobs that end calls which cannot end by themselves (promises R9, R10, R11)."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from uuid import UUID

import structlog
from gevent.pool import Pool

from reseller.clients.upstream import GenerationRecord
from reseller.clock import instant_of
from reseller.domain import pricing
from reseller.domain.calls import processes, recovery
from reseller.domain.calls.recovery import OpenHold
from reseller.domain.usage import CostSource
from reseller.errors import Refusal
from reseller.metering import Usage
from reseller.worker.context import Context

ASKED_AT_ONCE = 20
"""Records that do not come must not hold up those that would."""

STEADY_SECONDS = 15.0
"""After a time without database everybody looks silent: the living get this long to beat before anyone is declared lost."""

log = structlog.get_logger()


def recover_holds(context: Context) -> str:
    """Calls of processes that are gone are voided, or asked about by their generation id."""
    if not context.is_once and context.heart.steady_seconds < STEADY_SECONDS:
        return "waiting for heartbeats after a gap"
    wiring = context.wiring
    lost = recovery.claim_lost(wiring.process_id)
    recovered = _each(lost, lambda hold: _recover(context, hold))
    if context.is_once and any(hold.generation_id for hold in lost):
        chase_costs(context)
    return f"{recovered} recovered"


def chase_costs(context: Context) -> str:
    """Calls that ended without a known cost are charged by the upstream's record, at last by our estimate."""
    due = recovery.claim_due()
    records: dict[UUID, GenerationRecord | None] = {}

    def ask(hold: OpenHold) -> OpenHold:
        records[hold.facts.call_id] = _record(context, hold)
        return hold

    answered = Pool(ASKED_AT_ONCE).imap_unordered(ask, due)  # booked one by one, as their answers come
    found = _each(answered, lambda hold: _chase(context, hold, records.pop(hold.facts.call_id)))
    return f"{found} of {len(due)} costs found"


def forget_processes(context: Context) -> str:  # noqa: ARG001 - every job has the same face
    """Rows of processes that have been silent for a minute and owe nothing are gone."""
    processes.forget_silent()
    return "done"


def _each(holds: Iterable[OpenHold], work: Callable[[OpenHold], bool]) -> int:
    """How many were done. One that fails, whatever the surprise, stays open for the next round and keeps no other from its end.

    Raises RuntimeError that names the first of those, after all were tried.
    """
    done, refused = 0, []
    for hold in holds:
        try:
            done += work(hold)
        except Exception as error:  # noqa: BLE001 - an upstream may say anything about a call
            refused.append(f"{hold.facts.call_id.hex}: {type(error).__name__}")
            log.error("call_not_ended", call_id=hold.facts.call_id.hex, exc_info=True)
    if refused:
        raise RuntimeError(f"{len(refused)} calls could not be ended, first: {refused[0]}")
    return done


def _recover(context: Context, hold: OpenHold) -> bool:
    if hold.generation_id is not None and _can_ask(context, hold):
        recovery.chase_lost(hold)
    else:
        recovery.void(context.wiring.till, hold)
    log.warning("call_recovered", call_id=hold.facts.call_id.hex, asks=hold.generation_id is not None)
    return True


def _chase(context: Context, hold: OpenHold, record: GenerationRecord | None) -> bool:
    if record is not None:
        usage = Usage(
            prompt_tokens=record.prompt_tokens,
            completion_tokens=record.completion_tokens,
            cached_tokens=record.cached_tokens,
            reasoning_tokens=record.reasoning_tokens,
            cost_usd=record.cost_usd,
        )
        cost, source = _cost(context, hold, record, usage)
        recovery.settle_by_record(context.wiring.till, hold, cost_usd=cost, usage=usage, served_model=record.model, source=source)
        return True
    if not recovery.ask_later(hold):
        recovery.give_up(context.wiring.till, hold)
        log.warning("cost_unknown", call_id=hold.facts.call_id.hex, booked=hold.draft.get("fallback"))
    return False


def _cost(context: Context, hold: OpenHold, record: GenerationRecord, usage: Usage) -> tuple[Decimal, CostSource]:
    """The record's own cost; where it is only a fee on a key of ours (BYOK), the tokens at the rates of admission."""
    terms = hold.facts.terms
    if not record.is_byok or terms is None:
        return record.cost_usd, CostSource.GENERATION
    rates = context.wiring.book.rates_at(terms.price_version, hold.facts.model)
    return pricing.cost_of(usage, rates.at(usage.prompt_tokens, instant_of(hold.facts.call_id))), CostSource.PRICE_SNAPSHOT


def _record(context: Context, hold: OpenHold) -> GenerationRecord | None:
    upstream = context.wiring.upstreams.get(hold.facts.upstream or "")
    if upstream is None or hold.generation_id is None:
        return None
    try:
        record = upstream.find_generation(hold.generation_id)
        if record is None or _is_believable(context, hold, record):
            return record
    except Refusal as refusal:
        log.warning("generation_not_found", upstream=upstream.name, error=type(refusal).__name__)
        return None
    except Exception:  # noqa: BLE001 - whatever an upstream says about a call, the others must be asked about
        log.error("generation_not_read", upstream=upstream.name, exc_info=True)
        return None
    log.error("generation_not_believed", upstream=upstream.name, call_id=hold.facts.call_id.hex)
    return None


def _is_believable(context: Context, hold: OpenHold, record: GenerationRecord) -> bool:
    """R8 for a record: no more tokens than the model has room for."""
    choices = hold.facts.request_metadata.get("n") or 1
    most = context.wiring.book.snapshot.most_tokens(hold.facts.model) * choices
    return max(record.prompt_tokens, record.completion_tokens, record.cached_tokens, record.reasoning_tokens) <= most


def _can_ask(context: Context, hold: OpenHold) -> bool:
    upstream = context.wiring.upstreams.get(hold.facts.upstream or "")
    return upstream is not None and upstream.has_records
