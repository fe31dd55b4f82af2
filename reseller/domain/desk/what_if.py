"""What an account's own usage would have cost on another model, compared with what it was charged.

Exact for the tokens that the sums know: prompt and completion tokens at the model's prices of now, and its fee for each
call. What sums do not know is named by `LEFT_OUT`, so that nobody takes the figure for more than it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from reseller.clock import now
from reseller.domain.pricing import Offer, cost_of, marked_up
from reseller.domain.usage import ModelUse
from reseller.metering import Usage
from reseller.money import EXACT, ZERO_USD, percent_of, to_usd

DAYS = 30
LEFT_OUT = (
    "Prompt tokens that came from a cache are counted at the full input price.",
    "Images and sound are counted by the tokens they came to, not by fees for each.",
    "Prices that hold only for long prompts or at certain hours are left out.",
    "Another model writes shorter or longer answers, and counts its tokens its own way.",
)


@dataclass(frozen=True, slots=True)
class Compared:
    """The calls to one model: what they were charged, and what they would have cost. `would_usd` is None where it makes no sense."""

    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    charged_usd: Decimal
    would_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it. The totals are of the lines that can be compared."""

    lines: tuple[Compared, ...]
    charged_usd: Decimal
    would_usd: Decimal
    difference_usd: Decimal
    difference_percent: Decimal | None

    @property
    def has_others(self) -> bool:
        """Whether some lines cannot be compared."""
        return any(line.would_usd is None for line in self.lines)


def first_instant() -> datetime:
    """Midnight of the first of the DAYS days that end today, in UTC."""
    today = now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=DAYS - 1)


def compare(uses: Iterable[ModelUse], offer: Offer, kinds: Mapping[str, str]) -> Comparison:
    """The same usage at the prices of this offer. `kinds` are those of models that are still for sale, by name."""
    lines = tuple(_compared(use, offer, kinds) for use in uses)
    comparable = [line for line in lines if line.would_usd is not None]
    charged = _sum(line.charged_usd for line in comparable)
    would = _sum(line.would_usd or ZERO_USD for line in comparable)
    difference = EXACT.subtract(would, charged)
    return Comparison(lines, charged, would, difference, percent_of(difference, charged) if charged else None)


def _compared(use: ModelUse, offer: Offer, kinds: Mapping[str, str]) -> Compared:
    kind = kinds.get(use.model) or ("chat" if use.completion_tokens else "embedding")
    would = _would_cost(use, offer) if kind == offer.kind else None
    return Compared(use.model, use.calls, use.prompt_tokens, use.completion_tokens, to_usd(use.charge_nano), would)


def _would_cost(use: ModelUse, offer: Offer) -> Decimal:
    """Tokens at sell prices, and the fee for each call that was answered; never less than the minimum of each."""
    plain = offer.rates.plain()
    tokens = cost_of(Usage(prompt_tokens=use.prompt_tokens, completion_tokens=use.completion_tokens), plain)
    answered = Decimal(use.calls - use.errors)
    fees = EXACT.multiply(plain.request or ZERO_USD, EXACT.subtract(answered, Decimal(1)))  # the sum above has one
    least = EXACT.multiply(to_usd(offer.min_cost_nano), answered)
    return max(marked_up(EXACT.add(tokens, fees), offer.markup_percent), least)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO_USD
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
