"""What is for sale, as anybody may read it: sell prices, searched and put in order. Nothing of cost or margin.

Pure, from the price book in memory; the lines of a book are made once for all who pay the same.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from reseller.domain.pricing import PRICE_FIELDS, Offer, Override, marked_up
from reseller.domain.pricing.trial import PER_PIECE
from reseller.money import to_usd

MAX_QUERY_CHARACTERS = 200
PRICE_WORDS = {
    "prompt": "Input", "completion": "Output", "request": "Each call", "image": "Each image sent", "image_token": "Image tokens",
    "image_output": "Image output", "input_cache_read": "Input read from a cache", "input_cache_write": "Input written to a cache",
    "input_cache_write_1h": "Input written to a cache for an hour", "internal_reasoning": "Reasoning", "audio": "Audio input",
    "audio_output": "Audio output", "input_audio_cache": "Audio input from a cache", "web_search": "Each web search",
}  # fmt: skip
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SANDBOX = "sandbox"
PLURALS = {"image": "images", "file": "files", "audio": "sound", "video": "videos"}


@dataclass(frozen=True, slots=True)
class Price:
    """One price of a model: per token, or per piece."""

    name: str
    words: str
    is_per_piece: bool
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """Prices that hold under a condition, in words."""

    when: str
    prices: tuple[Price, ...]


@dataclass(frozen=True, slots=True)
class PricedModel:
    """One model with its sell prices."""

    slug: str
    name: str
    maker: str
    description: str
    kind: str
    context_length: int
    max_completion_tokens: int | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: tuple[str, ...]
    is_free: bool
    minimum_usd: Decimal
    since: datetime | None
    prices: tuple[Price, ...]
    steps: tuple[Step, ...]
    offer: Offer = field(repr=False, compare=False)

    def price(self, name: str) -> Decimal | None:
        """Dollars for one unit; None where the model has no such price."""
        return next((price.usd for price in self.prices if price.name == name), None)

    @property
    def is_test(self) -> bool:
        """Whether it answers by itself and thinks nothing."""
        return self.slug.startswith(f"{SANDBOX}/")

    @property
    def modalities(self) -> tuple[str, ...]:
        """What it reads besides text, and what it gives besides text."""
        reads = [f"reads {PLURALS.get(what, what)}" for what in self.inputs if what != "text"]
        gives = [
            "embeddings" if self.kind == "embedding" else f"makes {PLURALS.get(what, what)}" for what in self.outputs if what != "text"
        ]
        return tuple(dict.fromkeys((*reads, *gives)))


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody looks for. Nothing in it can be wrong: what is not understood is left out."""

    query: str = ""
    maker: str = ""
    modality: str = ""
    context: int = 0
    order: str = "slug"
    is_descending: bool = False

    @classmethod
    def read(cls, asked: Callable[[str], str]) -> "Wish":
        """The wish in the fields of a form."""
        context, order = asked("context"), asked("sort")
        name = order.removeprefix("-")
        return cls(
            query=asked("q")[:MAX_QUERY_CHARACTERS].strip(),
            maker=asked("maker")[:MAX_QUERY_CHARACTERS],
            modality=asked("modality") if asked("modality") in MODALITIES else "",
            context=int(context) if context in CONTEXTS else 0,
            order=name if name in ORDERS else "slug",
            is_descending=order.startswith("-") and name in ORDERS,
        )

    @property
    def is_open(self) -> bool:
        """Whether it lets everything through."""
        return not (self.query or self.maker or self.modality or self.context)

    def sort(self, name: str) -> str:
        """The word that puts this column in order, and the other way round when it is already."""
        return f"-{name}" if self.order == name and not self.is_descending else name

    def direction(self, name: str) -> str | None:
        """How the column is ordered now, as assistive technology calls it."""
        if self.order != name:
            return None
        return "descending" if self.is_descending else "ascending"


MODALITIES: dict[str, tuple[str, Callable[[PricedModel], bool]]] = {
    "text": ("Text only", lambda model: not model.modalities),
    "image-in": ("Reads images", lambda model: "image" in model.inputs),
    "file-in": ("Reads files", lambda model: "file" in model.inputs),
    "audio-in": ("Reads sound", lambda model: "audio" in model.inputs),
    "image-out": ("Makes images", lambda model: "image" in model.outputs),
    "embeddings": ("Embeddings", lambda model: model.kind == "embedding"),
    "free": ("Free", lambda model: model.is_free),
}
"""What a filter is called, and which models it lets through."""

CONTEXTS = {"32000": "32 thousand", "128000": "128 thousand", "200000": "200 thousand", "1000000": "1 million"}
_LAST = (1, Decimal(0))

ORDERS: dict[str, Callable[[PricedModel], Any]] = {
    "slug": lambda model: model.slug,
    "context": lambda model: model.context_length,
    "input": lambda model: _or_last(model.price("prompt")),
    "output": lambda model: _or_last(model.price("completion")),
    "cached": lambda model: _or_last(model.price("input_cache_read")),
    "since": lambda model: model.since.timestamp() if model.since else 0,
}


def _or_last(price: Decimal | None) -> tuple[int, Decimal]:
    return _LAST if price is None else (0, price)


def priced(offers: Iterable[Offer]) -> list[PricedModel]:
    """The offers as anybody may read them."""
    return [priced_model(offer) for offer in offers]


def priced_model(offer: Offer) -> PricedModel:
    plain, markup = offer.rates.plain(), offer.markup_percent
    known = [(name, getattr(plain, name)) for name in PRICE_FIELDS]
    return PricedModel(
        slug=offer.model,
        name=offer.name,
        maker=offer.model.partition("/")[0].lstrip("~"),
        description=offer.description,
        kind=offer.kind,
        context_length=offer.context_length,
        max_completion_tokens=offer.max_completion_tokens,
        inputs=offer.input_modalities,
        outputs=offer.output_modalities,
        parameters=tuple(sorted(offer.supported_parameters)),
        is_free=offer.is_free and offer.min_cost_nano == 0,
        minimum_usd=to_usd(offer.min_cost_nano),
        since=offer.priced_at,
        prices=tuple(_price(name, marked_up(rate, markup)) for name, rate in known if rate is not None and _is_worth_telling(name, rate)),
        steps=tuple(_step(offer, override) for override in offer.rates.overrides),
        offer=offer,
    )


def _is_worth_telling(name: str, rate: Decimal) -> bool:
    """A fee of nothing is no news; neither is a reasoning price of 0, by which catalogues mean that of any output."""
    return bool(rate) or name in ("prompt", "completion")


def _price(name: str, usd: Decimal) -> Price:
    return Price(name, PRICE_WORDS[name], name in PER_PIECE, usd)


def _step(offer: Offer, override: Override) -> Step:
    changed = {name for name, _ in override.prices}
    plain = offer.rates.plain([override])
    prices = ((name, getattr(plain, name)) for name in PRICE_FIELDS if name in changed)
    return Step(
        _condition(override), tuple(_price(name, marked_up(rate, offer.markup_percent)) for name, rate in prices if rate is not None)
    )


def _condition(override: Override) -> str:
    words = []
    if override.min_prompt_tokens is not None:
        words.append(f"prompts of more than {override.min_prompt_tokens:,} tokens")
    if override.utc_start is not None or override.utc_end is not None:
        words.append(f"{_clock(override.utc_start or 0)} to {_clock(2400 if override.utc_end is None else override.utc_end)} UTC")
    if override.utc_days is not None:
        words.append(", ".join(WEEKDAYS[day] for day in override.utc_days))
    return "; ".join(words) or "always"


def _clock(hhmm: int) -> str:
    return f"{hhmm // 100:02}:{hhmm % 100:02}"


def makers(models: Sequence[PricedModel]) -> list[str]:
    """Whose models there are, by name."""
    return sorted({model.maker for model in models})


def matching(models: Iterable[PricedModel], wish: Wish) -> list[PricedModel]:
    """The models that the wish lets through, in its order."""
    words = wish.query.casefold().split()
    fits = MODALITIES[wish.modality][1] if wish.modality else None
    found = [
        model
        for model in models
        if all(word in f"{model.slug} {model.name}".casefold() for word in words)
        and (not wish.maker or model.maker == wish.maker)
        and (not wish.context or model.context_length >= wish.context)
        and (fits is None or fits(model))
    ]
    return sorted(found, key=ORDERS[wish.order], reverse=wish.is_descending)
