"""What a rule would do before it is published: prices and margins of one model, and every model that would change. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from reseller.clock import new_id, now
from reseller.domain.pricing.book import PriceBook
from reseller.domain.pricing.changes import RuleTerms, check
from reseller.domain.pricing.margin import Fees, Margin, is_below_break_even, margin_of
from reseller.domain.pricing.offer import Offer
from reseller.domain.pricing.rates import PRICE_FIELDS, Rates
from reseller.domain.pricing.rules import Rule
from reseller.money import to_nano

PER_PIECE = ("request", "image", "web_search")
"""Fields that are priced by the piece; all others are prices of a token."""


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One kind of unit, by the token or by the piece: what the upstream asks, what we charge, what fees leave."""

    field: str
    is_per_piece: bool
    margin: Margin


@dataclass(frozen=True, slots=True)
class Change:
    """A model whose price would be another one for this account (None: for everybody without rules of their own)."""

    account_id: UUID | None
    model: str
    before: Offer | None  # None where it is not for sale
    after: Offer | None
    is_losing: bool


def draft(terms: RuleTerms) -> Rule:
    """The rule as it would be if it were published now. Raises InvalidRequest for terms that cannot be."""
    check(terms)
    at = now()
    return Rule(
        id=new_id(),
        model_pattern=terms.model_pattern,
        markup_percent=terms.markup_percent,
        min_cost_nano=to_nano(terms.min_cost_usd),
        priority=terms.priority,
        effective_from=at,
        created_at=at,
        account_id=terms.account_id,
    )


def price_lines(rates: Rates, markup_percent: Decimal, fees: Fees) -> tuple[PriceLine, ...]:
    """Every price of a model at this markup, the upstream's discount taken off."""
    plain = rates.plain()
    costs = ((name, getattr(plain, name)) for name in PRICE_FIELDS)
    return tuple(PriceLine(name, name in PER_PIECE, margin_of(cost, markup_percent, fees)) for name, cost in costs if cost is not None)


def changes(before: PriceBook, after: PriceBook, account_id: UUID | None, fees: Fees) -> tuple[Change, ...]:
    """The models that this account (None: anybody without rules of their own) would pay another price for, by name."""
    old = _by_model(before.models_for(account_id))
    new = _by_model(after.models_for(account_id))
    different = [slug for slug in sorted(old.keys() | new.keys()) if _terms(old.get(slug)) != _terms(new.get(slug))]
    return tuple(_change(account_id, slug, old.get(slug), new.get(slug), fees) for slug in different)


def _change(account_id: UUID | None, model: str, before: Offer | None, after: Offer | None, fees: Fees) -> Change:
    return Change(account_id, model, before, after, _loses(after, fees))


def _by_model(offers: Iterable[Offer]) -> dict[str, Offer]:
    return {offer.model: offer for offer in offers}


def _terms(offer: Offer | None) -> tuple[Decimal, int] | None:
    return None if offer is None else (offer.markup_percent, offer.min_cost_nano)


def _loses(offer: Offer | None, fees: Fees) -> bool:
    return offer is not None and not offer.is_free and is_below_break_even(offer.markup_percent, fees)
