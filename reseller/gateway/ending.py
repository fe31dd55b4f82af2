"""How an answer becomes an outcome: which usage counts, whose cost, how it is marked (promises R7, R8, R9).

Pure decisions on what the upstream sent. `Known` can be settled now; `Pending` leaves the hold open
with a draft, and the clock asks the upstream by generation id.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from reseller.clock import instant_of
from reseller.domain import pricing
from reseller.domain.calls import Admitted, Note, Outcome
from reseller.domain.calls.settlement import storable
from reseller.domain.usage import CallStatus, CostSource
from reseller.errors import Refusal
from reseller.gateway.quoting import Quote
from reseller.metering import Usage, estimate_usage


@dataclass(frozen=True, slots=True)
class Seen:
    """What reached us of an answer."""

    status: CallStatus
    prompt_bytes: int
    images: int = 0
    usage: Usage | None = None
    usage_invalid: bool = False
    delivered_bytes: int = 0
    generation_id: str | None = None
    served_model: str | None = None
    error_code: str | None = None
    response_metadata: dict[str, Any] = field(default_factory=dict)


def failed(refusal: Refusal, generation_id: str | None = None) -> Outcome:
    """The upstream gave no answer: no charge, whatever it bills (R9)."""
    return Outcome(status=CallStatus.FAILED, error_code=refusal.code, generation_id=generation_id)


def end(quote: Quote, admitted: Admitted, seen: Seen) -> Outcome | Note:
    """The outcome of an answer that delivered something, or the note that leaves it pending."""
    usage = seen.usage
    if usage is not None and usage.cost_usd is not None and not usage.is_byok:
        return _by_cost(quote, seen, usage, usage.cost_usd)
    can_ask = quote.upstream.has_records and seen.generation_id is not None and not (usage and usage.is_byok)
    if can_ask:
        return Note(admitted.call_id, seen.generation_id, _draft(quote, admitted, seen))
    if usage is not None:
        cost = pricing.cost_of(usage, _rates(quote, admitted, usage), images=seen.images)
        return _outcome(quote, seen, usage, cost, CostSource.PRICE_SNAPSHOT)
    return _estimate(quote, admitted, seen)


def _by_cost(quote: Quote, seen: Seen, usage: Usage, cost: Decimal) -> Outcome:
    """The upstream's own figure. Tokens that cost nothing at a model that has a price are worth a look."""
    is_odd = cost == 0 and usage.total_tokens > 0 and not quote.offer.is_free
    return _outcome(quote, seen, usage, cost, CostSource.INLINE, flag="zero_cost" if is_odd else None)


def _estimate(quote: Quote, admitted: Admitted, seen: Seen) -> Outcome:
    usage = estimate_usage(prompt_bytes=seen.prompt_bytes, delivered_bytes=seen.delivered_bytes)
    cost = pricing.cost_of(usage, _rates(quote, admitted, usage), images=seen.images)
    return _outcome(quote, seen, usage, cost, CostSource.ESTIMATE, flag="estimate")


def _outcome(quote: Quote, seen: Seen, usage: Usage, cost: Decimal, source: CostSource, flag: str | None = None) -> Outcome:
    return Outcome(
        status=seen.status,
        usage=usage,
        cost_usd=cost,
        cost_source=source,
        charge_nano=pricing.charge_nano(cost, quote.offer.markup_percent, min_cost_nano=quote.offer.min_cost_nano),
        at_most_hold=source == CostSource.ESTIMATE,
        served_model=seen.served_model,
        generation_id=seen.generation_id,
        error_code=seen.error_code,
        flag="usage_invalid" if seen.usage_invalid else flag,
        response_metadata=seen.response_metadata,
    )


def _draft(quote: Quote, admitted: Admitted, seen: Seen) -> dict[str, Any]:
    """What to book if the upstream never tells: tokens it counted itself at list price, else our estimate."""
    estimate = _estimate(quote, admitted, seen)
    usage, cost, charge, source = estimate.usage, estimate.cost_usd or Decimal(0), estimate.charge_nano, estimate.cost_source
    if seen.usage is not None:
        usage = seen.usage
        cost = pricing.cost_of(usage, _rates(quote, admitted, usage), images=seen.images)
        charge = pricing.charge_nano(cost, quote.offer.markup_percent, min_cost_nano=quote.offer.min_cost_nano)
        source = CostSource.PRICE_SNAPSHOT
    return {
        "status": seen.status,
        "fallback": "estimate",
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost_usd": format(cost, "f"),
        "cost_source": source,
        "charge_nano": charge,
        "served_model": storable(seen.served_model),
        "error_code": seen.error_code,
        "flag": "usage_invalid" if seen.usage_invalid else None,
        "response_metadata": seen.response_metadata,
    }


def _rates(quote: Quote, admitted: Admitted, usage: Usage) -> pricing.Rates:
    """The rates of admission that this prompt length and hour call for."""
    return quote.offer.rates.at(usage.prompt_tokens, instant_of(admitted.call_id))
