"""What credit is sold in: packs with one click, any other amount within bounds, and a bonus from certain amounts on."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.payments.tables import BonusTier, Pack
from reseller.errors import Conflict, InvalidRequest, NotFound
from reseller.money import ZERO_USD, display_usd, format_decimal

CENT = Decimal("0.01")
MOST_USD = Decimal(100_000)
MAX_LABEL_CHARACTERS = 40


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
        return [Offer(pack.amount_usd, _bonus(tiers, pack.amount_usd), pack.label) for pack in packs]


def tiers() -> list[BonusTier]:
    """From the smallest amount up."""
    with transaction() as session:
        return _tiers(session)


def bonus_for(amount_usd: Decimal) -> Decimal:
    """What a payment of this much gets on top, in whole cents: the percentage of the highest tier that it reaches."""
    with transaction() as session:
        return _bonus(_tiers(session), amount_usd)


def set_pack(amount_usd: Decimal, *, label: str = "", is_offered: bool = True, actor: str) -> Pack:
    """A pack of this amount is offered, or not. Raises InvalidRequest for an amount or label that will not do."""
    amount = _whole_cents(amount_usd)
    words = " ".join(label.split())
    if len(words) > MAX_LABEL_CHARACTERS:
        raise InvalidRequest(f"A label has at most {MAX_LABEL_CHARACTERS} characters.", param="label")
    with transaction() as session:
        pack = session.scalar(select(Pack).where(Pack.amount_usd == amount).with_for_update())
        before = None if pack is None else {"label": pack.label, "is_offered": pack.is_offered}
        if pack is None:
            pack = Pack(amount_usd=amount)
            session.add(pack)
        pack.label, pack.is_offered = words, is_offered
        try:
            session.flush()
        except IntegrityError:
            raise Conflict("Somebody else has just made this pack. Look again.") from None
        after = {"label": words, "is_offered": is_offered}
        _record(actor, "pack.set", "pack", pack.id, before, {**after, "amount_usd": format_decimal(amount)})
        return pack


def set_tier(from_usd: Decimal, bonus_percent: Decimal, *, actor: str) -> BonusTier:
    """From this amount on so much comes on top. Raises InvalidRequest."""
    amount = _whole_cents(from_usd)
    if not 0 < bonus_percent <= 100 or bonus_percent != bonus_percent.quantize(CENT):
        raise InvalidRequest("A bonus is more than 0 and at most 100 percent, with two places at most.", param="bonus_percent")
    with transaction() as session:
        tier = session.scalar(select(BonusTier).where(BonusTier.from_usd == amount).with_for_update())
        before = None if tier is None else {"bonus_percent": format_decimal(tier.bonus_percent)}
        if tier is None:
            tier = BonusTier(from_usd=amount, bonus_percent=bonus_percent)
            session.add(tier)
        tier.bonus_percent = bonus_percent
        session.flush()
        after = {"from_usd": format_decimal(amount), "bonus_percent": format_decimal(bonus_percent)}
        _record(actor, "bonus_tier.set", "bonus_tier", tier.id, before, after)
        return tier


def remove_tier(tier_id: UUID, *, actor: str) -> None:
    """No bonus from this amount on. Raises NotFound."""
    with transaction() as session:
        tier = session.get(BonusTier, tier_id, with_for_update=True)
        if tier is None:
            raise NotFound("There is no such tier.")
        before = {"from_usd": format_decimal(tier.from_usd), "bonus_percent": format_decimal(tier.bonus_percent)}
        session.delete(tier)
        _record(actor, "bonus_tier.remove", "bonus_tier", tier_id, before, None)


def load(packs: list[dict[str, Any]], bonus: list[dict[str, Any]], *, actor: str) -> int:
    """What the file names and is not there yet is there; how many of both were added. Changes and removes nothing."""
    added = 0
    with transaction() as session:
        known = {pack.amount_usd for pack in session.scalars(select(Pack))}
        for entry in packs:
            if _whole_cents(Decimal(str(entry["amount_usd"]))) not in known:
                set_pack(Decimal(str(entry["amount_usd"])), label=str(entry.get("label", "")), actor=actor)
                added += 1
        reached = {tier.from_usd for tier in _tiers(session)}
        for entry in bonus:
            if _whole_cents(Decimal(str(entry["from_usd"]))) not in reached:
                set_tier(Decimal(str(entry["from_usd"])), Decimal(str(entry["bonus_percent"])), actor=actor)
                added += 1
    return added


def _tiers(session: Any) -> list[BonusTier]:
    return list(session.scalars(select(BonusTier).order_by(BonusTier.from_usd)))


def _bonus(tiers: list[BonusTier], amount_usd: Decimal) -> Decimal:
    percent = next((tier.bonus_percent for tier in reversed(tiers) if tier.from_usd <= amount_usd), ZERO_USD)
    return (amount_usd * percent / 100).quantize(CENT, ROUND_DOWN)


def _whole_cents(amount_usd: Decimal) -> Decimal:
    if not amount_usd.is_finite() or not 0 < amount_usd <= MOST_USD or amount_usd != amount_usd.quantize(CENT):
        raise InvalidRequest(f"An amount is in whole cents, more than zero and at most {display_usd(MOST_USD)}.", param="amount_usd")
    return amount_usd.quantize(CENT)


def _record(actor: str, action: str, kind: str, row_id: UUID, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
    names = {**(before or {}), **(after or {})}
    changes = {name: [(before or {}).get(name), (after or {}).get(name)] for name in names}
    staff.record(actor, action, kind, row_id, changes=changes)
