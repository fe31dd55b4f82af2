"""What the billing page shows of buying: packs, bounds, bonuses, what was typed, and what became of earlier payments."""

import re
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from reseller.clock import new_id
from reseller.database import transaction
from reseller.domain.payments import BonusTier, packs, reading, topups
from reseller.domain.payments.packs import Offer
from reseller.domain.payments.reading import PaymentLine
from reseller.domain.payments.topups import Bounds
from reseller.errors import InvalidRequest
from reseller.money import parse_usd
from reseller.wiring import wiring

MAX_TYPED_CHARACTERS = 40
_THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the field, and why it will not do; `problem` is empty if it will."""

    text: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Buying:
    """`is_open`: whether anything can be bought here at all. `told`: the bonuses, as forms bring them along; `nonce`: as they do, too."""

    is_open: bool
    bounds: Bounds
    packs: tuple[Offer, ...]
    tiers: tuple[BonusTier, ...]
    told: str
    nonce: UUID
    payments: tuple[PaymentLine, ...]
    typed: Typed


def buying_of(account_id: UUID, typed: str) -> Buying:
    """Packs that are out of bounds are left out."""
    cashier = wiring().cashier
    least, most = cashier.bounds.least_usd, cashier.bounds.most_usd
    with transaction():
        return Buying(
            is_open=cashier.is_open,
            bounds=cashier.bounds,
            packs=tuple(pack for pack in packs.offers() if least <= pack.amount_usd <= most),
            tiers=(tiers := tuple(packs.tiers())),
            told=packs.told(tiers),
            nonce=new_id(),
            payments=tuple(reading.of_account(account_id)),
            typed=_checked(typed[:MAX_TYPED_CHARACTERS], cashier.bounds),
        )


def amount_of(text: str, bounds: Bounds) -> Decimal:
    """Dollars as people write them: 25, $25.50, 1,000. A comma anywhere else may be meant as a point, and is not guessed at.

    Raises InvalidRequest, also for what is out of bounds.
    """
    digits = text.strip().removeprefix("$").strip()
    if _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "")
    try:
        amount_usd = parse_usd(digits)
    except ValueError:
        raise InvalidRequest("Write an amount in dollars, such as 25 or 25.50.", param="amount") from None
    topups.check_amount(amount_usd, bounds)
    return amount_usd


def _checked(text: str, bounds: Bounds) -> Typed:
    if not text:
        return Typed("")
    try:
        amount_of(text, bounds)
    except InvalidRequest as refusal:
        return Typed(text, f"{refusal.message} Nothing was charged.")
    return Typed(text)
