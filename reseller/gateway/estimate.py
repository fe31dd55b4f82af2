"""What a call would hold and what it would likely cost, asked with the call's own body. Nothing is sent, held, counted or charged.

Reading, checking and quoting are those of the paid call, and so is the decision on it; only the ends differ.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from flask import Request

from reseller.clock import now
from reseller.database import acting_for
from reseller.domain import pricing
from reseller.domain.calls import Admit, Admitted, foresee
from reseller.domain.keys import Caller
from reseller.domain.usage import usual_completion_tokens
from reseller.errors import Refusal, StalePrices, TooManyRequests, Unavailable
from reseller.gateway import account, quoting
from reseller.gateway.body import in_turn, parse_object, read_body
from reseller.gateway.call import Call
from reseller.gateway.errors import fate_of, message_of
from reseller.gateway.pacing import Allotment
from reseller.gateway.quoting import Quote
from reseller.gateway.rebuilding import CHAT, COMPLETIONS, EMBEDDINGS
from reseller.metering import Usage, estimate_usage
from reseller.money import format_nano
from reseller.wiring import Wiring

MAX_REQUOTES = 3
ASSUMED_COMPLETION_TOKENS = 300
"""For an account that has not called the model lately."""

LIKELY_IMAGE_TOKENS = 1_000
HABIT = timedelta(days=30)
PER_SECOND, AT_ONCE = 10, 60

SHAPES = {"messages": CHAT, "prompt": COMPLETIONS, "input": EMBEDDINGS}
"""The field that tells what a body is for; of several the first, of none a chat."""

_allotment = Allotment(per_second=PER_SECOND, at_once=AT_ONCE)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of the call now."""

    call: Call
    quoted: Quote
    decision: Admitted | Refusal
    available_nano: int

    @property
    def output_cap(self) -> int:
        """Tokens the answer could have; where the call would be refused, as many as it asks for."""
        return self.decision.output_cap if isinstance(self.decision, Admitted) else self.quoted.output_cap

    @property
    def hold_nano(self) -> int:
        if self.quoted.is_test:
            return 0
        return self.decision.hold_nano if isinstance(self.decision, Admitted) else self.quoted.hold.hold_nano(self.output_cap)


def estimate(house: Wiring, caller: Caller, request: Request, call_id: UUID) -> dict[str, Any]:
    """The estimate for the call in this request's body. Raises what the call itself would raise before it has a price."""
    wait = _allotment.seconds_until_next(caller.account_id)
    if wait > 0:
        raise TooManyRequests(f"At most {PER_SECOND} estimates a second are given.", retry_after_seconds=wait)
    with account.reading(caller):
        pass  # a key that is revoked or expired hears nothing but that (R21)
    asked = parse_object(read_body(request, house.settings.max_body_bytes))
    path = next((path for field, path in SHAPES.items() if asked.get(field) is not None), CHAT)
    call = in_turn(partial(Call.read, asked, path))
    with acting_for(caller.account_id):
        foreseen = _foreseen(house, caller, call, call_id)
        usual = usual_completion_tokens(caller.account_id, call.model, now() - HABIT)
    return as_json(foreseen, usual)


def _foreseen(house: Wiring, caller: Caller, call: Call, call_id: UUID) -> Foreseen:
    """The decision on the call. Prices that moved meanwhile are read again, as for the call itself."""
    for _ in range(MAX_REQUOTES):
        quoted = quoting.quote(house, caller, call)
        op: Admit = quoting.admission(house, caller, call, quoted, call_id)
        decision, available_nano = foresee(op)
        if not isinstance(decision, StalePrices):
            return Foreseen(call, quoted, decision, available_nano)
        house.book.refresh()
    raise Unavailable


def as_json(foreseen: Foreseen, usual_tokens: int | None) -> dict[str, Any]:
    """The estimate as the API answers it; money is decimal strings of dollars."""
    call, offer = foreseen.call, foreseen.quoted.offer
    most = foreseen.output_cap * call.n
    wanted = (ASSUMED_COMPLETION_TOKENS if usual_tokens is None else usual_tokens) * call.n
    usage = _likely_usage(call, min(wanted, most))
    return {
        "object": "estimate",
        "endpoint": f"/v1{call.path}",
        "model": call.model,
        "is_test": foreseen.quoted.is_test,
        "currency": "USD",
        "hold": format_nano(foreseen.hold_nano),
        "likely_charge": format_nano(_likely_nano(foreseen, usage)),
        "minimum_charge": format_nano(0 if foreseen.quoted.is_test else offer.min_cost_nano),
        "prompt_tokens": {"likely": usage.prompt_tokens, "at_most": call.size.tokens, "images": call.size.images},
        "completion_tokens": {
            "likely": usage.completion_tokens,
            "at_most": most,
            "based_on": "assumption" if usual_tokens is None else "own_calls",
        },
        "pricing": offer.sell_prices(),
        "available": format_nano(foreseen.available_nano),
        "admission": _admission(foreseen.decision),
    }


def _likely_usage(call: Call, completion_tokens: int) -> Usage:
    prompt = estimate_usage(prompt_bytes=call.estimated_prompt_bytes, delivered_bytes=0).prompt_tokens
    return Usage(prompt_tokens=prompt + call.size.images * LIKELY_IMAGE_TOKENS, completion_tokens=completion_tokens, is_estimate=True)


def _likely_nano(foreseen: Foreseen, usage: Usage) -> int:
    """What such usage would be charged now; never more than the hold."""
    offer = foreseen.quoted.offer
    cost = pricing.cost_of(usage, offer.rates.at(usage.prompt_tokens, now()), images=foreseen.call.size.images)
    return min(pricing.charge_nano(cost, offer.markup_percent, min_cost_nano=offer.min_cost_nano), foreseen.hold_nano)


def _admission(decision: Admitted | Refusal) -> dict[str, Any]:
    """Whether the call would be let in now; if not, the answer that it would get."""
    if isinstance(decision, Admitted):
        return {"is_admitted": True, "status": None, "code": None, "message": None}
    return {"is_admitted": False, "status": fate_of(decision)[0], "code": decision.code, "message": message_of(decision)}
