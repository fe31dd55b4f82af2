"""What is left of a charge once the card processor and the upstream have had their fees. Pure; figures to look at, nothing is billed.

A customer pays a pack of P dollars in by card: P × (1 − card %) − fixed arrives. A dollar of the upstream's cost
takes 1 + upstream % dollars to buy. A charge is the cost × (1 + markup), spent out of such packs.
"""

from dataclasses import dataclass
from decimal import Decimal

from reseller.domain.pricing.arithmetic import marked_up
from reseller.money import EXACT, ZERO_USD, percent_of

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Fees:
    """The fees, and the pack that customers typically buy, with the bonus that comes on top of it."""

    card_percent: Decimal
    card_fixed_usd: Decimal
    upstream_percent: Decimal
    top_up_usd: Decimal
    bonus_usd: Decimal = ZERO_USD

    @property
    def credit_usd(self) -> Decimal:
        """What can be spent of one pack."""
        return EXACT.add(self.top_up_usd, self.bonus_usd)

    @property
    def arriving_usd(self) -> Decimal:
        """What arrives of one pack, exact."""
        return EXACT.subtract(marked_up(self.top_up_usd, -self.card_percent), self.card_fixed_usd)

    @property
    def card_percent_of_pack(self) -> Decimal:
        """All of the card's fees, and the bonus, as percent of what can be spent of the pack."""
        return percent_of(EXACT.subtract(self.credit_usd, self.arriving_usd), self.credit_usd)

    @property
    def break_even_percent(self) -> Decimal:
        """The markup at which nothing is left and nothing lost. Something must arrive."""
        return EXACT.subtract(percent_of(marked_up(self.credit_usd, self.upstream_percent), self.arriving_usd), HUNDRED)


@dataclass(frozen=True, slots=True)
class Margin:
    """One unit sold: what it costs at the upstream, what we charge, and what fees leave of it. Dollars; `kept_percent` is of the charge."""

    cost_usd: Decimal
    charge_usd: Decimal
    card_fee_usd: Decimal
    upstream_fee_usd: Decimal
    kept_usd: Decimal
    kept_percent: Decimal | None  # None where nothing is charged


def margin_of(cost_usd: Decimal, markup_percent: Decimal, fees: Fees) -> Margin:
    """What is left of one unit that costs this much and is sold at this markup. `kept_usd` is below zero where it is sold at a loss."""
    charge = marked_up(cost_usd, markup_percent)
    card_fee = EXACT.multiply(charge, fees.card_percent_of_pack).scaleb(-2, EXACT)
    upstream_fee = EXACT.multiply(cost_usd, fees.upstream_percent).scaleb(-2, EXACT)
    kept = EXACT.subtract(EXACT.subtract(charge, cost_usd), EXACT.add(card_fee, upstream_fee))
    return Margin(cost_usd, charge, card_fee, upstream_fee, kept, percent_of(kept, charge) if charge else None)


def is_below_break_even(markup_percent: Decimal, fees: Fees) -> bool:
    """Whether selling at this markup loses money on packs of that size. Compared exactly, without a division."""
    income = EXACT.multiply(EXACT.add(HUNDRED, markup_percent), fees.arriving_usd)
    return income < EXACT.multiply(EXACT.add(HUNDRED, fees.upstream_percent), fees.credit_usd)
