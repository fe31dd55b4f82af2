"""What is for sale, at which price: `/v1/models` from the price book, in OpenAI's shape with our sell price."""

from typing import Any

from reseller.domain.keys import ApiKey, Caller
from reseller.domain.pricing import Offer, matches
from reseller.errors import NotForSale
from reseller.wiring import Wiring


def shown_model(offer: Offer) -> dict[str, Any]:
    """One model. The extra fields are those that OpenRouter's own clients read (openrouter SDK 1.3.84, `Model`)."""
    return {
        "id": offer.model,
        "object": "model",
        "created": offer.created,
        "owned_by": offer.model.partition("/")[0].lstrip("~"),
        "name": offer.name,
        "canonical_slug": offer.model,
        "description": offer.description,
        "context_length": offer.context_length,
        "architecture": {
            "modality": f"{'+'.join(offer.input_modalities)}->{'+'.join(offer.output_modalities)}",
            "input_modalities": list(offer.input_modalities),
            "output_modalities": list(offer.output_modalities),
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": offer.sell_prices(),
        "top_provider": {
            "context_length": offer.context_length,
            "max_completion_tokens": offer.max_completion_tokens,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": sorted(offer.supported_parameters),
        "default_parameters": None,
        "supported_voices": None,
        "links": {"details": f"/v1/models/{offer.model}"},
    }


def _may_buy(house: Wiring, key: ApiKey, offer: Offer) -> bool:
    """Whether this key may ask for the model, and somebody would answer."""
    patterns = key.model_patterns
    is_allowed = patterns is None or any(matches(pattern, offer.model) for pattern in patterns)
    return is_allowed and house.upstreams.serving(offer.upstream) is not None


def list_models(house: Wiring, caller: Caller, key: ApiKey) -> dict[str, Any]:
    """Every model this caller may buy from an upstream that we can ask."""
    offers = [offer for offer in house.book.snapshot.models_for(caller.account_id) if _may_buy(house, key, offer)]
    shown = [shown_model(offer) for offer in offers]
    return {"object": "list", "data": shown, "total_count": len(shown), "links": {"next": None}}


def one_model(house: Wiring, caller: Caller, key: ApiKey, slug: str) -> dict[str, Any]:
    """One model by its id, slashes and colons included. Raises NotForSale."""
    try:
        offer = house.book.snapshot.offer(slug, caller.account_id)
        if not _may_buy(house, key, offer):
            raise NotForSale("not for this key")
        return shown_model(offer)
    except NotForSale:
        raise NotForSale(f"The model '{slug[:200]}' does not exist or you do not have access to it.", param="model") from None
