"""One entry of an upstream's model list, read and bounded: untrusted text becomes facts or a stated problem.

Pure. Shape: OpenRouter's `/models` (docs, guides/overview/models and OpenAPI `Model`, 2026-08).
Its prices are decimal strings; "-1" has been listed for routers, and floats are not prices.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from reseller.domain.pricing.rates import PRICE_FIELDS, WEEKDAYS, Override, Rates
from reseller.domain.pricing.tables import ModelKind

MAX_RATE_USD = Decimal(1_000)
MAX_TOKENS = 1_000_000_000
MAX_OVERRIDES = 50
MAX_NAME_CHARACTERS = 200
MAX_DESCRIPTION_CHARACTERS = 4_000
MAX_WORDS = 100

_SLUG = re.compile(r"[~A-Za-z0-9][~A-Za-z0-9._:/@+-]{0,199}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_MAX_PLACES = 40
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listing:
    """What an upstream says of one model. `problem` says why its prices cannot be used; bad ones are None in `rates`."""

    slug: str
    name: str
    description: str
    kind: ModelKind
    context_length: int | None
    max_completion_tokens: int | None
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    supported_parameters: tuple[str, ...]
    expires_on: date | None
    rates: Rates
    problem: str | None


def read_listing(entry: object) -> Listing:
    """The entry as facts. Raises ValueError when it does not even name a model."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str) or not _SLUG.fullmatch(entry["id"]):
        raise ValueError("no usable model id")
    architecture, provider = _mapping(entry.get("architecture")), _mapping(entry.get("top_provider"))
    outputs = _words(architecture.get("output_modalities"))
    kind = ModelKind.EMBEDDING if "embeddings" in outputs or "embedding" in outputs else ModelKind.CHAT
    reader = _PriceReader(kind)
    rates = reader.read(entry.get("pricing"))
    return Listing(
        slug=entry["id"],
        name=_text(entry.get("name"), MAX_NAME_CHARACTERS) or entry["id"],
        description=_text(entry.get("description"), MAX_DESCRIPTION_CHARACTERS),
        kind=kind,
        context_length=_tokens(entry.get("context_length")) or _tokens(provider.get("context_length")),
        max_completion_tokens=_tokens(provider.get("max_completion_tokens")),
        input_modalities=_words(architecture.get("input_modalities")),
        output_modalities=outputs,
        supported_parameters=_words(entry.get("supported_parameters")),
        expires_on=_date(entry.get("expiration_date")),
        rates=rates,
        problem=reader.problem,
    )


class _PriceReader:
    """Reads a pricing object and remembers the first thing that is wrong with it."""

    def __init__(self, kind: ModelKind) -> None:
        self.problem: str | None = None
        self._required = ("prompt",) if kind is ModelKind.EMBEDDING else ("prompt", "completion")

    def read(self, pricing: object) -> Rates:
        if not isinstance(pricing, Mapping):
            self._complain("there are no prices")
            return Rates()
        prices = self._prices(pricing)
        for name in self._required:
            if name not in prices:
                self._complain(f"{name} price is missing")
        return Rates(**prices, discount=self._discount(pricing.get("discount")), overrides=self._overrides(pricing.get("overrides")))

    def _prices(self, pricing: Mapping[str, Any]) -> dict[str, Decimal]:
        prices = {}
        for name in PRICE_FIELDS:
            price = self._number(name, pricing.get(name), maximum=MAX_RATE_USD)
            if price is not None:
                prices[name] = price
        return prices

    def _discount(self, value: object) -> Decimal | None:
        return self._number("discount", value, maximum=Decimal(1)) or None

    def _number(self, name: str, value: object, *, maximum: Decimal) -> Decimal | None:
        """The exact value, or None when there is none or it cannot be a price."""
        if value is None:
            return None
        number = exact_number(value)
        if number is None:
            self._complain(f"{name} price is not a finite decimal number")
        elif number < 0:
            self._complain(f"{name} price is negative")
        elif number > maximum:
            self._complain(f"{name} price is too large to be true")
        else:
            return number
        return None

    def _overrides(self, value: object) -> tuple[Override, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > MAX_OVERRIDES:
            self._complain("price overrides cannot be read")
            return ()
        read = [self._override(item) for item in value]
        return tuple(override for override in read if override is not None)

    def _override(self, item: object) -> Override | None:
        if not isinstance(item, Mapping):
            self._complain("a price override cannot be read")
            return None
        prices = self._prices(item)
        return Override(
            prices=tuple(prices.items()),
            min_prompt_tokens=self._whole("min_prompt_tokens", item, MAX_TOKENS),
            utc_start=self._clock("utc_start", item),
            utc_end=self._clock("utc_end", item),
            utc_days=self._days(item.get("utc_days")),
        )

    def _clock(self, name: str, item: Mapping[str, Any]) -> int | None:
        hhmm = self._whole(name, item, 2400)
        if hhmm is not None and hhmm % 100 > 59:
            self._complain(f"{name} of a price override is no time of day")
        return hhmm

    def _whole(self, name: str, item: Mapping[str, Any], maximum: int) -> int | None:
        """A whole number of 0 to `maximum`, written as number or string ("0130")."""
        value = item.get(name)
        if value is None:
            return None
        number = exact_number(value)
        if number is None or not 0 <= number <= maximum or number % 1:
            self._complain(f"{name} of a price override cannot be read")
            return None
        return int(number)

    def _days(self, value: object) -> tuple[int, ...] | None:
        if value is None:
            return None
        if not isinstance(value, list) or any(day not in WEEKDAYS for day in value):
            self._complain("utc_days of a price override cannot be read")
            return None
        return tuple(sorted({WEEKDAYS.index(day) for day in value}))

    def _complain(self, problem: str) -> None:
        self.problem = self.problem or problem


def exact_number(value: object) -> Decimal | None:
    """The value of a decimal string, Decimal or int of reasonable length; None for all else, floats and booleans included."""
    if isinstance(value, bool) or not isinstance(value, str | Decimal | int):
        return None
    text = str(value)
    if not _NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    return number if isinstance(exponent, int) and -_MAX_PLACES <= exponent <= 12 else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object, maximum: int) -> str:
    """Text the database can hold: no NUL, no lone surrogates, bounded."""
    if not isinstance(value, str):
        return ""
    return value[:maximum].encode("utf-8", "replace").decode().replace("\x00", "").strip()


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(word for word in (_text(item, 64) for item in value[:MAX_WORDS]) if word)


def _tokens(value: object) -> int | None:
    number = exact_number(value) if not isinstance(value, str) else None
    return int(number) if number is not None and 0 < number <= MAX_TOKENS and number % 1 == 0 else None


def _date(value: object) -> date | None:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
