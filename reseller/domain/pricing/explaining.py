"""A charge told line by line, so that anybody can add it up: for staff from cost, for customers in sell prices.

Pure. The amounts of the lines always add up to the charge, exactly.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from reseller.domain.pricing.arithmetic import charge_nano, cost_lines, marked_up, sum_usd
from reseller.domain.pricing.rates import Rates
from reseller.metering import Usage
from reseller.money import EXACT, format_decimal, round_up_charge, to_nano, to_usd

LABELS = {
    "prompt": "prompt tokens",
    "cached_prompt": "prompt tokens read from a cache",
    "cache_write": "prompt tokens written to a cache",
    "prompt_audio": "audio tokens of the prompt",
    "completion": "completion tokens",
    "reasoning": "reasoning tokens",
    "image_output": "image tokens of the answer",
    "completion_audio": "audio tokens of the answer",
    "request": "request fee",
    "image": "images of the prompt",
    "web_search": "web searches",
    "difference": "difference to what the upstream billed",
    "markup": "markup",
    "minimum": "up to the minimum charge",
    "rounding": "rounded up to a nano-dollar",
    "limited": "limited to the amount that was reserved",
    "billed": "what the upstream billed",
    "borne": "not charged: beyond the hold and the balance, borne by us",
    "test": "not charged: a test key",
}
SOLD_LABELS = LABELS | {
    "difference": "difference between counted tokens and what the model's provider billed",
    "billed": "what the model's provider billed",
}
"""As customers read them."""


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """One line of a bill. quantity and rate are None where the amount is not a product."""

    kind: str
    label: str
    quantity: int | None
    rate_usd: Decimal | None
    amount_usd: Decimal


@dataclass(frozen=True, slots=True)
class Explanation:
    """Lines whose amounts add up to the charge exactly."""

    lines: tuple[ExplainedLine, ...]
    cost_usd: Decimal
    charge_nano: int


def explain(
    usage: Usage, rates: Rates, *, cost_usd: Decimal | None, markup_percent: Decimal, min_cost_nano: int, images: int = 0
) -> Explanation:
    """How a charge came about: tokens × rates, the upstream's difference, markup, minimum (promise R7).

    `cost_usd` is what the upstream billed, or None when the list prices were the only source.
    """
    listed = cost_lines(usage, rates, images=images)
    lines = [ExplainedLine(line.kind, LABELS[line.kind], line.quantity, line.rate_usd, line.cost_usd) for line in listed]
    at_list_prices = sum_usd(line.cost_usd for line in listed)
    cost = at_list_prices if cost_usd is None else cost_usd
    charge = charge_nano(cost, markup_percent, min_cost_nano=min_cost_nano)
    with_markup = marked_up(cost, markup_percent)
    last = "minimum" if charge > round_up_charge(with_markup) else "rounding"
    steps = {
        "difference": EXACT.subtract(cost, at_list_prices),
        "markup": EXACT.subtract(with_markup, cost),
        last: EXACT.subtract(to_usd(charge), with_markup),
    }
    return Explanation(lines=tuple(lines + _steps(steps)), cost_usd=cost, charge_nano=charge)


class ChargedCall(Protocol):
    """What a bill needs of a settled call's row."""

    prompt_tokens: Any
    completion_tokens: Any
    cached_tokens: Any
    cache_write_tokens: Any
    reasoning_tokens: Any
    usage_details: Any
    created_at: Any
    cost_usd: Any
    markup_percent: Any
    min_cost_usd: Any
    charge_usd: Any
    overage_loss_usd: Any
    is_test: Any


def staff_lines(call: ChargedCall, rates: Rates | None, *, images: int = 0) -> Explanation:
    """The charge of a settled call from cost to charge, for staff: the lines of `explain`, and why less was charged than they come to.

    `rates` are those of the call's price version, not yet resolved; None if the model had none, then its cost is one line.
    """
    usage, markup, minimum = _usage_of(call), call.markup_percent, to_nano(call.min_cost_usd)
    told = explain(
        Usage() if rates is None else usage,
        Rates() if rates is None else rates.at(usage.prompt_tokens, call.created_at),
        cost_usd=call.cost_usd,
        markup_percent=markup,
        min_cost_nano=minimum,
        images=images,
    )
    lines = told.lines
    if rates is None:
        lines = tuple(replace(line, kind="billed", label=LABELS["billed"]) if line.kind == "difference" else line for line in lines)
    short = EXACT.subtract(call.charge_usd, to_usd(told.charge_nano))
    return Explanation((*lines, *_steps({_why_less(call): short})), told.cost_usd, to_nano(call.charge_usd))


def sold_lines(call: ChargedCall, rates: Rates) -> list[ExplainedLine]:
    """The charge of a settled call in sell prices: tokens × price, then what the upstream's bill changed, and why less is charged.

    `rates` are those of the call's price version, not yet resolved. The amounts add up to the charge exactly.
    """
    usage, created_at = _usage_of(call), call.created_at
    assert isinstance(created_at, datetime)
    markup = call.markup_percent
    listed = cost_lines(usage, rates.at(usage.prompt_tokens, created_at))
    lines = [
        ExplainedLine(line.kind, SOLD_LABELS[line.kind], line.quantity, marked_up(line.rate_usd, markup), marked_up(line.cost_usd, markup))
        for line in listed
    ]
    at_list_prices = sum_usd(line.amount_usd for line in lines)
    billed = at_list_prices if call.cost_usd is None else marked_up(call.cost_usd, markup)
    due = to_usd(charge_nano(billed, Decimal(0), min_cost_nano=to_nano(call.min_cost_usd)))
    last = "minimum" if due > to_usd(round_up_charge(billed)) else "rounding"
    steps = {
        "difference": EXACT.subtract(billed, at_list_prices),
        last: EXACT.subtract(due, billed),
        _why_less(call): EXACT.subtract(call.charge_usd, due),
    }
    return lines + _steps(steps, SOLD_LABELS)


def customer_lines(call: ChargedCall, rates: Rates) -> list[dict[str, Any]]:
    """The same as JSON; money is decimal strings of USD."""
    return [_as_json(line) for line in sold_lines(call, rates)]


def _why_less(call: ChargedCall) -> str:
    return "test" if call.is_test else "borne" if call.overage_loss_usd else "limited"


def _steps(steps: dict[str, Decimal], labels: dict[str, str] = LABELS) -> list[ExplainedLine]:
    return [ExplainedLine(kind, labels[kind], None, None, amount) for kind, amount in steps.items() if amount]


def _usage_of(call: ChargedCall) -> Usage:
    return Usage(
        prompt_tokens=call.prompt_tokens,
        completion_tokens=call.completion_tokens,
        cached_tokens=call.cached_tokens,
        cache_write_tokens=call.cache_write_tokens,
        reasoning_tokens=call.reasoning_tokens,
        **(call.usage_details or {}),
    )


def _as_json(line: ExplainedLine) -> dict[str, Any]:
    product = {} if line.rate_usd is None else {"quantity": line.quantity, "price": format_decimal(line.rate_usd)}
    return {"kind": line.kind, "label": line.label, **product, "amount": format_decimal(line.amount_usd)}
