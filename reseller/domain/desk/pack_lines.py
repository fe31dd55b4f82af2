"""Packs as staff look at them: what arrives of each, the markup that only just earns it, and the rules that are below that."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from reseller.database import transaction
from reseller.domain.payments import BonusTier, Pack, packs
from reseller.domain.pricing import Fees, PricingRule, is_below_break_even


@dataclass(frozen=True, slots=True)
class PackLine:
    """One pack. `break_even_percent` is None where nothing arrives; `losing` are patterns of active rules whose markup is below it."""

    id: UUID
    version: int
    amount_usd: Decimal
    label: str
    is_offered: bool
    bonus_usd: Decimal
    arriving_usd: Decimal
    break_even_percent: Decimal | None
    losing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TierLine:
    """One bonus, with the markup that a payment of just its amount needs."""

    id: UUID
    version: int
    from_usd: Decimal
    bonus_percent: Decimal
    bonus_usd: Decimal
    break_even_percent: Decimal | None
    losing: tuple[str, ...]


def pack_lines(rows: Sequence[Pack], fees: Fees) -> list[PackLine]:
    """The packs in their order."""
    rules, tiers = _rules(), packs.tiers()
    return [_pack_line(row, _fees_of(row.amount_usd, fees, tiers), rules) for row in rows]


def tier_lines(rows: Sequence[BonusTier], fees: Fees) -> list[TierLine]:
    """The bonuses in their order."""
    rules, tiers = _rules(), packs.tiers()
    return [_tier_line(row, _fees_of(row.from_usd, fees, tiers), rules) for row in rows]


def _fees_of(amount_usd: Decimal, fees: Fees, tiers: Sequence[BonusTier]) -> Fees:
    return replace(fees, top_up_usd=amount_usd, bonus_usd=packs.bonus_of(amount_usd, tiers))


def _pack_line(row: Pack, fees: Fees, rules: list[tuple[str, Decimal]]) -> PackLine:
    facts = (row.id, row.version, row.amount_usd, row.label, row.is_offered, fees.bonus_usd, fees.arriving_usd)
    return PackLine(*facts, _break_even(fees), _losing(fees, rules))


def _tier_line(row: BonusTier, fees: Fees, rules: list[tuple[str, Decimal]]) -> TierLine:
    facts = (row.id, row.version, row.from_usd, row.bonus_percent, fees.bonus_usd)
    return TierLine(*facts, _break_even(fees), _losing(fees, rules))


def _break_even(fees: Fees) -> Decimal | None:
    return fees.break_even_percent if fees.arriving_usd > 0 else None


def _losing(fees: Fees, rules: list[tuple[str, Decimal]]) -> tuple[str, ...]:
    return tuple(pattern for pattern, markup in rules if is_below_break_even(markup, fees))


def _rules() -> list[tuple[str, Decimal]]:
    """Pattern and markup of the active rules, the highest markup first."""
    query = select(PricingRule.model_pattern, PricingRule.markup_percent).where(PricingRule.is_active)
    with transaction() as session:
        return [(row.model_pattern, row.markup_percent) for row in session.execute(query.order_by(PricingRule.markup_percent.desc()))]
