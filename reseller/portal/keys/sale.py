"""What a key may be used for: models for sale to the account, those that patterns match, and the cheapest to try."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from reseller.domain.pricing import ModelKind, Offer, matches
from reseller.upstreams import SANDBOX
from reseller.wiring import wiring

ECHO = "sandbox/echo"


@dataclass(frozen=True, slots=True)
class Matched:
    """How many of the models for sale each pattern matches, and all of them together."""

    counts: tuple[tuple[str, int], ...]
    total: int
    for_sale: int


def matched(account_id: UUID, patterns: tuple[str, ...] | None) -> Matched:
    """What these patterns let in; without any, everything."""
    names = [offer.model for offer in _offers(account_id)]
    if patterns is None:
        return Matched((), len(names), len(names))
    sets = [(pattern, {name for name in names if matches(pattern, name)}) for pattern in patterns]
    return Matched(tuple((pattern, len(found)) for pattern, found in sets), len(set().union(*(found for _, found in sets))), len(names))


def models_to_try(account_id: UUID, patterns: tuple[str, ...] | None = None) -> list[str]:
    """Models that answer a question in words, by name."""
    return [offer.model for offer in _to_try(account_id, patterns)]


def first_model(account_id: UUID, *, is_test: bool, patterns: tuple[str, ...] | None = None) -> str | None:
    """What a first call asks: the echo with a test key, else the cheapest of the models; None if nothing is for sale."""
    offers = _to_try(account_id, patterns)
    if is_test and any(offer.model == ECHO for offer in offers):
        return ECHO
    real = [offer for offer in offers if offer.upstream != SANDBOX] or offers
    return min(real, key=_price).model if real else None


def _offers(account_id: UUID) -> list[Offer]:
    house = wiring()
    return [offer for offer in house.book.snapshot.models_for(account_id) if house.upstreams.serving(offer.upstream) is not None]


def _to_try(account_id: UUID, patterns: tuple[str, ...] | None) -> Iterable[Offer]:
    return [
        offer
        for offer in _offers(account_id)
        if offer.kind == ModelKind.CHAT
        and "text" in offer.output_modalities
        and (patterns is None or any(matches(pattern, offer.model) for pattern in patterns))
    ]


def _price(offer: Offer) -> tuple[bool, Decimal, str]:
    """What asking and answering cost together. Free ones come last: they are often the slow and the rationed ones."""
    prices = [offer.sell_price(name) or Decimal(0) for name in ("prompt", "completion")]
    return not any(prices), sum(prices, Decimal(0)), offer.model
