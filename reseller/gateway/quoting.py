"""At most how much, from whom, on which terms: what a call is admitted with.

A test key is answered by the sandbox whatever model for sale it names, at no charge.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from reseller.clients.upstream import Upstream
from reseller.domain.calls import Admit, CallFacts, PriceTerms
from reseller.domain.keys import Caller
from reseller.domain.pricing import HoldTerms, Offer
from reseller.errors import ContextTooLong, InvalidRequest, NotForSale, Unavailable
from reseller.gateway.call import Call
from reseller.gateway.rebuilding import EMBEDDINGS
from reseller.upstreams import SANDBOX
from reseller.wiring import Wiring

UNKNOWN_MAX_OUTPUT = 32_768
"""Output tokens to allow where the catalogue names no maximum, bounded by the context."""


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of one call, before it is made."""

    offer: Offer
    upstream: Upstream
    hold: HoldTerms
    output_cap: int
    is_test: bool

    @property
    def terms(self) -> PriceTerms:
        offer = self.offer
        return PriceTerms(offer.price_version, offer.rule_id, offer.markup_percent, offer.min_cost_nano)

    @property
    def shown_model(self) -> str | None:
        """The name to show instead of the one that the upstream answers with; None if they are the same."""
        offer = self.offer
        return offer.model if self.is_test or offer.upstream_model != offer.model else None


def quote(wiring: Wiring, caller: Caller, call: Call) -> Quote:
    """What this call would cost at most. Raises NotForSale, InvalidRequest, ContextTooLong, UpstreamBusy, Unavailable."""
    offer = wiring.book.snapshot.offer(call.model, caller.account_id)
    if (offer.kind == "embedding") != (call.path == EMBEDDINGS):
        raise NotForSale(f"The model '{call.model}' is not offered on {call.path}.", param="model")
    if call.size.images and "image" not in offer.input_modalities:
        raise InvalidRequest(f"The model '{call.model}' does not read images.", param="messages")
    upstream = wiring.upstreams.serving(SANDBOX if caller.is_test else offer.upstream)
    if upstream is None:
        raise Unavailable(f"The model '{call.model}' is not available at the moment. Nothing was charged.")
    upstream.check()
    draws = "image" in offer.output_modalities
    hold = offer.hold_terms(
        prompt_tokens=call.size.tokens,
        images=call.size.images,
        files=0,
        n=call.n,
        wants_image_output=draws,
        wants_audio=False,
    )
    return Quote(offer, upstream, hold, _output_cap(offer, call), caller.is_test)


def _output_cap(offer: Offer, call: Call) -> int:
    """The client's cap, else what the model allows. Raises ContextTooLong for a cap beyond the model's context."""
    if call.path == EMBEDDINGS:
        return 0
    context = offer.context_length
    most = offer.max_completion_tokens or min(UNKNOWN_MAX_OUTPUT, context or UNKNOWN_MAX_OUTPUT)
    if call.output_cap is None:
        return most
    if context and call.output_cap > context:
        raise ContextTooLong(
            f"This model's maximum context length is {context} tokens, and you asked for {call.output_cap} of output.",
            param=call.cap_field,
            limit=context,
            asked=call.output_cap,
        )
    return call.output_cap


def admission(wiring: Wiring, caller: Caller, call: Call, quoted: Quote, call_id: UUID, address: str | None = None) -> Admit:
    """The operation that asks for the hold of a call, which came from this address."""
    return Admit(
        call_id=call_id,
        account_id=caller.account_id,
        key_id=caller.key_id,
        process_id=wiring.process_id,
        endpoint=call.path,
        model=call.model,
        upstream=quoted.upstream.name,
        is_test=caller.is_test,
        is_stream=call.is_stream,
        terms=quoted.terms,
        hold=quoted.hold,
        prompt_tokens=call.size.tokens,
        output_cap=quoted.output_cap,
        cap_is_clients=call.output_cap is not None or call.path == EMBEDDINGS,
        request_metadata=call.request_metadata(),
        address=address,
    )


def refused_facts(caller: Caller, path: str, asked: dict[str, Any] | None, call_id: UUID) -> CallFacts:
    """What is known of a call that was refused before it had a price."""
    model = asked.get("model") if asked else None
    shown = model if isinstance(model, str) else ""
    return CallFacts(call_id, caller.account_id, caller.key_id, path, shown, None, caller.is_test, False, None, {})
