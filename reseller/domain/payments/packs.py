"""What credit is sold in: packs with one click, any other amount within bounds, and a bonus from certain amounts on."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from reseller.database import transaction
from reseller.domain.payments.tables import BonusTier, Pack
from reseller.errors import InvalidRequest
from reseller.money import ZERO_USD, display_usd, format_decimal

CENT = Decimal("0.01")
MOST_USD = Decimal(100_000)


@dataclass(frozen=True, slots=True)
class Offer:
    """One pack as a customer sees it."""

    amount_usd: Decimal
    bonus_usd: Decimal
    label: str


def offers() -> list[Offer]:
    """The packs on offer, the smallest first."""
    with transaction() as session:
        tiers = _tiers(session)
        packs = session.scalars(select(Pack).where(Pack.is_offered).order_by(Pack.amount_usd))
        return [Offer(pack.amount_usd, bonus_of(pack.amount_usd, tiers), pack.label) for pack in packs]


def tiers() -> list[BonusTier]:
    """From the smallest amount up."""
    with transaction() as session:
        return _tiers(session)


def told(tiers: Sequence[BonusTier]) -> str:
    """What a form says of the bonuses that its page has shown, so that it can be seen whether they are others by now."""
    return " ".join(f"{format_decimal(tier.bonus_percent)}%@{format_decimal(tier.from_usd)}" for tier in tiers)


def bonus_for(amount_usd: Decimal) -> Decimal:
    """What a payment of this much gets on top, in whole cents: the percentage of the highest tier that it reaches."""
    with transaction() as session:
        return bonus_of(amount_usd, _tiers(session))


def bonus_of(amount_usd: Decimal, tiers: Sequence[BonusTier]) -> Decimal:
    """What `bonus_for` says, by these tiers, from the smallest amount up."""
    percent = next((tier.bonus_percent for tier in reversed(tiers) if tier.from_usd <= amount_usd), ZERO_USD)
    return (amount_usd * percent / 100).quantize(CENT, ROUND_DOWN)


def whole_cents(amount_usd: Decimal, *, param: str) -> Decimal:
    """The amount, if a pack or a tier can be of it. Raises InvalidRequest."""
    if not amount_usd.is_finite() or not 0 < amount_usd <= MOST_USD or amount_usd != amount_usd.quantize(CENT):
        raise InvalidRequest(f"An amount is in whole cents, more than zero and at most {display_usd(MOST_USD)}.", param=param)
    return amount_usd.quantize(CENT)


def _tiers(session: Session) -> list[BonusTier]:
    return list(session.scalars(select(BonusTier).order_by(BonusTier.from_usd)))
