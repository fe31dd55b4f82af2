"""What one settled call was charged, from cost to charge line by line, and what is left of it. Pure.

The lines are those of `pricing.staff_lines`: their amounts add up to the charge exactly, and each says where the sum stands after it.
"""

from dataclasses import dataclass
from decimal import Decimal

from reseller.domain import pricing
from reseller.domain.pricing import ExplainedLine, Rates
from reseller.domain.usage import CostSource, UsageLog
from reseller.money import EXACT, ZERO_USD, percent_of

_NOT_OF_COST = ("difference", "billed", "markup", "minimum", "rounding", "limited", "borne", "test")

SOURCES = {
    CostSource.INLINE: "the upstream said so in its answer",
    CostSource.GENERATION: "the upstream's own record, asked for after the answer",
    CostSource.PRICE_SNAPSHOT: "tokens that the upstream counted, at the list prices of admission",
    CostSource.ESTIMATE: "an estimate: prompt and delivered output, counted by us, at the list prices of admission",
    CostSource.NONE: "nothing to pay for",
}


@dataclass(frozen=True, slots=True)
class BillLine:
    """quantity × rate = amount where it is a product; `sum_usd` is what has come together so far."""

    kind: str
    label: str
    quantity: int | None
    rate_usd: Decimal | None
    amount_usd: Decimal
    sum_usd: Decimal


@dataclass(frozen=True, slots=True)
class Bill:
    """`at_list_prices_usd` is tokens × list prices, None where the model had none; `kept_usd` is the charge less the cost."""

    lines: tuple[BillLine, ...]
    at_list_prices_usd: Decimal | None
    cost_usd: Decimal
    cost_source: str
    charge_usd: Decimal
    kept_usd: Decimal
    kept_percent: Decimal | None  # of the charge
    overage_loss_usd: Decimal


def bill_of(row: UsageLog, rates: Rates | None) -> Bill | None:
    """The bill of a settled call; None where there was nothing to pay for. `rates` are those of its price version, not yet resolved."""
    if row.cost_source == CostSource.NONE or row.markup_percent is None:
        return None
    told = pricing.staff_lines(row, rates, images=_images(row))
    kept = EXACT.subtract(row.charge_usd, told.cost_usd)
    return Bill(
        lines=_with_sums(told.lines),
        at_list_prices_usd=None
        if rates is None
        else pricing.sum_usd(line.amount_usd for line in told.lines if line.kind not in _NOT_OF_COST),
        cost_usd=told.cost_usd,
        cost_source=SOURCES[CostSource(row.cost_source)],
        charge_usd=row.charge_usd,
        kept_usd=kept,
        kept_percent=percent_of(kept, row.charge_usd) if row.charge_usd else None,
        overage_loss_usd=row.overage_loss_usd,
    )


def _images(row: UsageLog) -> int:
    """Images of the request, where they were what an image's price was paid for: usage does not tell them."""
    counted = row.request_metadata.get("images", 0)
    return counted if isinstance(counted, int) and row.cost_source in (CostSource.PRICE_SNAPSHOT, CostSource.ESTIMATE) else 0


def _with_sums(lines: tuple[ExplainedLine, ...]) -> tuple[BillLine, ...]:
    shown, total = [], ZERO_USD
    for line in lines:
        total = EXACT.add(total, line.amount_usd)
        shown.append(BillLine(line.kind, line.label, line.quantity, line.rate_usd, line.amount_usd, total))
    return tuple(shown)
