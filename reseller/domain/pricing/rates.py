"""An upstream's prices of one model: base, discount, and overrides by prompt length or time of day.

Pure. All prices are exact USD per single unit: token, call, image or search (OpenRouter docs,
guides/overview/models and OpenAPI `PublicPricing`, 2026-08). None means that no such price is known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from reseller.money import EXACT, format_decimal

PRICE_FIELDS = (
    "prompt", "completion", "request", "image", "image_token", "image_output",
    "input_cache_read", "input_cache_write", "input_cache_write_1h", "internal_reasoning",
    "audio", "audio_output", "input_audio_cache", "web_search",
)  # fmt: skip

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MAX_CHANGE = 3  # times, either way, before a changed price must be looked at (promise R7)
_FEES = ("request",)  # absent means free, so that a new one is a change from zero


@dataclass(frozen=True, slots=True)
class Override:
    """Prices that hold while all of its conditions do; a condition that is None always does."""

    prices: tuple[tuple[str, Decimal], ...]
    min_prompt_tokens: int | None = None  # strictly more than this
    utc_start: int | None = None  # HHMM, inclusive
    utc_end: int | None = None  # HHMM, exclusive; before utc_start it wraps past midnight
    utc_days: tuple[int, ...] | None = None  # 0 is Monday, as in datetime.weekday()

    def applies(self, prompt_tokens: int, when: datetime) -> bool:
        """Whether it holds for this prompt at this UTC instant."""
        return self.is_reachable(prompt_tokens) and self._is_day(when) and self._is_time(when.hour * 100 + when.minute)

    def is_reachable(self, prompt_tokens_bound: int) -> bool:
        """Whether it holds at some time of some day for a prompt of at most this many tokens."""
        return self.min_prompt_tokens is None or prompt_tokens_bound > self.min_prompt_tokens

    def _is_day(self, when: datetime) -> bool:
        return self.utc_days is None or when.weekday() in self.utc_days

    def _is_time(self, hhmm: int) -> bool:
        start, end = self.utc_start or 0, 2400 if self.utc_end is None else self.utc_end
        if start == end:
            return True
        return start <= hhmm < end if start < end else hhmm >= start or hhmm < end

    def to_json(self) -> dict[str, Any]:
        """The form of the database: decimals as plain strings."""
        conditions = {
            "min_prompt_tokens": self.min_prompt_tokens,
            "utc_start": self.utc_start,
            "utc_end": self.utc_end,
            "utc_days": None if self.utc_days is None else list(self.utc_days),
        }
        prices = {name: format_decimal(price) for name, price in self.prices}
        return prices | {name: value for name, value in conditions.items() if value is not None}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Override":
        """The override that `to_json` wrote."""
        days = row.get("utc_days")
        return cls(
            prices=tuple((name, Decimal(row[name])) for name in PRICE_FIELDS if name in row),
            min_prompt_tokens=row.get("min_prompt_tokens"),
            utc_start=row.get("utc_start"),
            utc_end=row.get("utc_end"),
            utc_days=None if days is None else tuple(days),
        )


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per unit, exact. Prices are before `discount`, a fraction of 0 to 1."""

    prompt: Decimal | None = None
    completion: Decimal | None = None
    request: Decimal | None = None
    image: Decimal | None = None
    image_token: Decimal | None = None
    image_output: Decimal | None = None
    input_cache_read: Decimal | None = None
    input_cache_write: Decimal | None = None
    input_cache_write_1h: Decimal | None = None
    internal_reasoning: Decimal | None = None
    audio: Decimal | None = None
    audio_output: Decimal | None = None
    input_audio_cache: Decimal | None = None
    web_search: Decimal | None = None
    discount: Decimal | None = None
    overrides: tuple[Override, ...] = ()

    def at(self, prompt_tokens: int, when: datetime) -> "Rates":
        """The plain rates for this prompt at this UTC instant: overrides resolved, discount taken off.

        Of several overrides that apply the later wins, price by price; what none names is the base price.
        """
        applying = [override for override in self.overrides if override.applies(prompt_tokens, when)]
        return self.plain(applying)

    def plain(self, applying: Iterable[Override] = ()) -> "Rates":
        """Base prices with these overrides on top, the discount taken off."""
        prices = {name: getattr(self, name) for name in PRICE_FIELDS if getattr(self, name) is not None}
        for override in applying:
            prices.update(override.prices)
        return Rates(**{name: self._discounted(price) for name, price in prices.items()}, overrides=())

    def values_of(self, name: str) -> list[Decimal]:
        """Every price this field can have, discount taken off: the base and all overrides."""
        prices = [price for price in (getattr(self, name), *_overridden(self.overrides, name)) if price is not None]
        return [self._discounted(price) for price in prices]

    def _discounted(self, price: Decimal) -> Decimal:
        return EXACT.multiply(price, EXACT.subtract(Decimal(1), self.discount)) if self.discount else price


def dearest(rates: Rates, prompt_tokens_bound: int) -> Rates:
    """The highest price of each field that a prompt of at most this many tokens can meet, at any time of day.

    A prompt token may be read from or written to a cache, an output token may be reasoning, so
    `prompt` and `completion` are the dearest of their kinds. The discount is left out: it may end.
    """
    reachable = [override for override in rates.overrides if override.is_reachable(prompt_tokens_bound)]
    highest: dict[str, Decimal] = {}
    for name in PRICE_FIELDS:
        prices = [price for price in (getattr(rates, name), *_overridden(reachable, name)) if price is not None]
        if prices:
            highest[name] = max(prices)
    listed = Rates(**highest, overrides=())
    return replace(
        listed,
        prompt=_dearest_of(listed.prompt, listed.input_cache_read, listed.input_cache_write, listed.input_cache_write_1h),
        completion=_dearest_of(listed.completion, listed.internal_reasoning),
    )


def list_prices(rates: Rates, prompt_tokens_bound: int) -> Rates:
    """Like `dearest`, but `prompt` and `completion` are those fields alone: what a price cap upstream is compared with."""
    kinds = {"input_cache_read", "input_cache_write", "input_cache_write_1h", "internal_reasoning"}
    plain = tuple(replace(o, prices=tuple(pair for pair in o.prices if pair[0] not in kinds)) for o in rates.overrides)
    return dearest(replace(rates, overrides=plain, **dict.fromkeys(kinds)), prompt_tokens_bound)


def suspicious_change(old: Rates, new: Rates) -> str | None:
    """Why the new prices must be looked at before they hold (promise R7), or None.

    Compared are the highest and the lowest price that each field can have, so that a price
    which moves between the hours of its own timetable is no change.
    """
    for name in PRICE_FIELDS:
        before, after = old.values_of(name), new.values_of(name)
        if not before and name in _FEES and after:
            before = [Decimal(0)]
        reason = _difference(name, before, after) if before else None
        if reason:
            return reason
    return None


def _difference(name: str, before: list[Decimal], after: list[Decimal]) -> str | None:
    if not after:
        return f"{name} price is gone" if max(before) > 0 else None
    for was, becomes in ((max(before), max(after)), (min(before), min(after))):
        words = f"{name} price goes from {format_decimal(was)} to {format_decimal(becomes)}"
        if was > 0 and becomes == 0:
            return f"{words}: free from paid"
        if becomes > EXACT.multiply(was, Decimal(MAX_CHANGE)) or was > EXACT.multiply(becomes, Decimal(MAX_CHANGE)):
            return f"{words}: more than {MAX_CHANGE} times different"
    return None


def _overridden(overrides: tuple[Override, ...] | list[Override], name: str) -> list[Decimal]:
    return [price for override in overrides for field, price in override.prices if field == name]


def _dearest_of(*prices: Decimal | None) -> Decimal | None:
    known = [price for price in prices if price is not None]
    return max(known) if known else None
