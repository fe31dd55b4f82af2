"""The most a call can cost, as a handful of integers: what is held before it is sent (promise R6).

Pure. `compile_tariff` does the decimal work once for each model and rule; after that a hold is
integer sums alone, exact, on one common scale. What it is not: the charge (`arithmetic`).
"""

from bisect import bisect_left
from dataclasses import dataclass
from decimal import Decimal

from reseller.domain.pricing.rates import Rates, dearest, list_prices
from reseller.money import EXACT, format_decimal

UNBOUNDED_CAP = 2**31 - 1  # the output cap that any balance can pay where output is free


@dataclass(frozen=True, slots=True)
class HoldTerms:
    """The hold of one call as a function of its output cap: ceil((base + per_token × cap) / scale), at least the minimum."""

    base: int
    per_token: int
    scale: int
    min_cost_nano: int
    band: int = 0  # which price band of the tariff it stands on

    def hold_nano(self, cap: int) -> int:
        """Nano-dollars that are enough for every usage within the bounds of the request with `cap` output tokens a choice."""
        return max(self.min_cost_nano, -(-(self.base + self.per_token * cap) // self.scale))

    def affordable_cap(self, available_nano: int) -> int:
        """The largest output cap whose hold fits into `available_nano`; -1 if not even a cap of 0 does."""
        room = available_nano * self.scale - self.base
        if available_nano < self.min_cost_nano or room < 0:
            return -1
        return min(room // self.per_token, UNBOUNDED_CAP) if self.per_token else UNBOUNDED_CAP


@dataclass(frozen=True, slots=True)
class Band:
    """Integer sell prices of one range of prompt lengths, on the tariff's scale."""

    prompt: int
    prompt_audio: int
    media: int  # a token of an image or file
    image: int  # the fee of one image, beside its tokens
    request: int
    completion: tuple[int, int, int, int]  # [image output asked for + 2 × audio]
    cap: tuple[tuple[str, str], ...]  # the upstream's price cap that matches, USD per million tokens, call or image


@dataclass(frozen=True, slots=True)
class Tariff:
    """All bands of one model under one rule. Band i is for prompts longer than thresholds[i - 1] tokens."""

    scale: int
    min_cost_nano: int
    thresholds: tuple[int, ...]
    bands: tuple[Band, ...]

    def terms(
        self, *, prompt_tokens: int, media_tokens: int, images: int, n: int, wants_image_output: bool, wants_audio: bool
    ) -> HoldTerms:
        """The hold of a request within these bounds. Prompt, output and fees count n times, once for each choice."""
        index = bisect_left(self.thresholds, (prompt_tokens + media_tokens) * n) if self.thresholds else 0
        band = self.bands[index]
        prompt = band.prompt_audio if wants_audio else band.prompt
        base = prompt_tokens * prompt + media_tokens * max(prompt, band.media) + images * band.image + band.request
        return HoldTerms(
            base=base * n,
            per_token=band.completion[wants_image_output + 2 * wants_audio] * n,
            scale=self.scale,
            min_cost_nano=self.min_cost_nano,
            band=index,
        )


def compile_tariff(rates: Rates, *, markup_percent: Decimal, min_cost_nano: int) -> Tariff:
    """The tariff of a model with these rates, sold at this markup and minimum."""
    minimums = {o.min_prompt_tokens for o in rates.overrides if o.min_prompt_tokens is not None}
    thresholds = tuple(sorted(minimums))
    bounds = [0, *(threshold + 1 for threshold in thresholds)]
    tiers = [dearest(rates, bound) for bound in bounds]
    places = max([9, *(_places(price) for tier in tiers for price in _prices(tier))])
    factor_places = _places(markup_percent)
    # (100 + markup) / 100 on prices in 10^-places, wanted in nano-dollars: the divisor is the scale.
    factor = int(EXACT.add(Decimal(100), markup_percent).scaleb(factor_places, EXACT))
    return Tariff(
        scale=10 ** (places - 9 + factor_places + 2),
        min_cost_nano=min_cost_nano,
        thresholds=thresholds,
        bands=tuple(_band(tier, list_prices(rates, bound), places, factor) for tier, bound in zip(tiers, bounds, strict=True)),
    )


def _band(tier: Rates, listed: Rates, places: int, factor: int) -> Band:
    def price(*candidates: Decimal | None) -> int:
        return max(int(c.scaleb(places, EXACT)) if c is not None else 0 for c in candidates) * factor

    text, image, audio = (tier.completion,), (tier.image_output, tier.image_token), (tier.audio_output,)
    return Band(
        prompt=price(tier.prompt),
        prompt_audio=price(tier.prompt, tier.audio, tier.input_audio_cache),
        media=price(tier.prompt, tier.image_token),
        image=price(tier.image),
        # A model that searches by itself bills at least one search; one we did not ask for is not asked for twice.
        request=price(tier.request) + price(tier.web_search),
        completion=(price(*text), price(*text, *image), price(*text, *audio), price(*text, *image, *audio)),
        cap=_price_cap(listed),
    )


def _price_cap(listed: Rates) -> tuple[tuple[str, str], ...]:
    """`provider.max_price`: decimal strings, tokens by the million (OpenRouter docs, guides/routing/provider-selection, 2026-08)."""
    cap = {
        "prompt": _per_million(listed.prompt),
        "completion": _per_million(listed.completion),
        "request": format_decimal(listed.request or Decimal(0)),
        "image": format_decimal(listed.image or Decimal(0)),
    }
    return tuple(cap.items())


def _per_million(rate: Decimal | None) -> str:
    return format_decimal((rate or Decimal(0)).scaleb(6, EXACT))


def _prices(rates: Rates) -> list[Decimal]:
    values = (rates.prompt, rates.completion, rates.request, rates.image, rates.image_token, rates.image_output)
    sound = (rates.audio, rates.audio_output, rates.input_audio_cache)
    return [price for price in values + sound if price is not None]


def _places(value: Decimal) -> int:
    """Digits after the point that the exact value is written with."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"not a finite number: {value}")
    return max(0, -exponent)
