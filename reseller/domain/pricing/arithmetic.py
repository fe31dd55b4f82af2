"""From usage to cost to charge, line by line. Pure, decimals only, rounded once and upwards (promise R7).

`rates` in this module are resolved ones (`Rates.at`). What it is not: the hold, which must be
known before the usage is (`ceiling`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from reseller.domain.pricing.rates import Rates
from reseller.metering import Usage
from reseller.money import EXACT, ZERO_USD, round_up_charge

FEES = ("request", "image", "web_search")  # not worth a line where they cost nothing


@dataclass(frozen=True, slots=True)
class CostLine:
    """quantity × rate = cost, for one kind of unit."""

    kind: str
    quantity: int
    rate_usd: Decimal
    cost_usd: Decimal


def cost_lines(usage: Usage, rates: Rates, *, images: int = 0) -> list[CostLine]:
    """What this usage costs at list prices, one line for each kind that was used.

    Cached, written and audio tokens are parts of the prompt, reasoning, image and audio tokens
    parts of the completion: none is counted twice, and parts never exceed their whole. `images`
    is the number of images in the request, which usage does not tell.
    """
    return [
        CostLine(kind, quantity, rate, EXACT.multiply(Decimal(quantity), rate))
        for kind, quantity, rate in _quantities(usage, rates, images)
        if quantity and (rate or kind not in FEES)
    ]


def cost_of(usage: Usage, rates: Rates, *, images: int = 0) -> Decimal:
    """The sum of `cost_lines`, exact."""
    return sum_usd(line.cost_usd for line in cost_lines(usage, rates, images=images))


def charge_nano(cost_usd: Decimal, markup_percent: Decimal, *, min_cost_nano: int) -> int:
    """Nano-dollars to bill: max(minimum, cost × (1 + markup)), rounded up once. A complete call without cost pays the minimum."""
    return max(min_cost_nano, round_up_charge(marked_up(cost_usd, markup_percent)))


def marked_up(amount_usd: Decimal, markup_percent: Decimal) -> Decimal:
    """amount × (1 + markup), exact: of a cost what is billed before rounding, of a rate what one unit sells for."""
    return EXACT.multiply(amount_usd, EXACT.add(Decimal(100), markup_percent)).scaleb(-2, EXACT)


def sum_usd(amounts: Iterable[Decimal]) -> Decimal:
    """The sum, exact."""
    total = ZERO_USD
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def _quantities(usage: Usage, rates: Rates, images: int) -> Iterator[tuple[str, int, Decimal]]:
    prompt, completion = rates.prompt or ZERO_USD, rates.completion or ZERO_USD
    # Catalogues list a reasoning price of 0 where they mean "as any other output".
    reasoning = rates.internal_reasoning or completion
    drawn = _or(rates.image_output, _or(rates.image_token, completion))
    inside_prompt = (
        ("cached_prompt", usage.cached_tokens, _or(rates.input_cache_read, prompt)),
        ("cache_write", usage.cache_write_tokens, _or(rates.input_cache_write, prompt)),
        ("prompt_audio", usage.prompt_audio_tokens, _or(rates.audio, prompt)),
    )
    inside_completion = (
        ("reasoning", usage.reasoning_tokens, reasoning),
        ("image_output", usage.image_tokens, drawn),
        ("completion_audio", usage.completion_audio_tokens, _or(rates.audio_output, completion)),
    )
    yield from _split("prompt", usage.prompt_tokens, prompt, inside_prompt)
    yield from _split("completion", usage.completion_tokens, completion, inside_completion)
    yield "request", 1, rates.request or ZERO_USD
    yield "image", images, rates.image or ZERO_USD
    yield "web_search", usage.web_searches, rates.web_search or ZERO_USD


def _split(kind: str, whole: int, rate: Decimal, parts: tuple[tuple[str, int, Decimal], ...]) -> Iterator[tuple[str, int, Decimal]]:
    """The whole without its parts first, then each part as far as the whole reaches."""
    taken = []
    left = whole
    for part, quantity, part_rate in parts:
        taken.append((part, min(quantity, left), part_rate))
        left -= taken[-1][1]
    yield kind, left, rate
    yield from taken


def _or(rate: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if rate is None else rate
