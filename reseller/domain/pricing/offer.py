"""A model as it is listed, and as one account may buy it. Frozen values; nothing here asks a database.

What it is not: the choice of the rule (`rules`) or the keeping of offers (`book`).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from reseller.domain.pricing.arithmetic import marked_up
from reseller.domain.pricing.catalogue import QUARANTINE
from reseller.domain.pricing.ceiling import HoldTerms, Tariff, compile_tariff
from reseller.domain.pricing.rates import PRICE_FIELDS, Rates
from reseller.domain.pricing.rules import Rule
from reseller.domain.pricing.tables import Model
from reseller.metering import FILE_TOKENS, IMAGE_TOKENS
from reseller.money import format_decimal

ASSUMED_CONTEXT_TOKENS = 1_048_576
"""For a model that does not tell its context: a bound on what usage can be believed, never a promise."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model with its price in force, before any rule."""

    slug: str
    upstream: str
    upstream_model: str
    kind: str
    name: str
    description: str
    context_length: int
    max_completion_tokens: int | None
    supported_parameters: tuple[str, ...]
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    first_seen_at: datetime
    quarantine_ends_at: datetime | None
    rates: Rates
    priced_at: datetime | None = None  # since when the upstream asks this


@dataclass(frozen=True, slots=True)
class Offer:
    """A model as one account may buy it at one price version: what admission fixes (promise R7)."""

    model: str
    upstream: str
    upstream_model: str
    kind: str
    name: str
    description: str
    price_version: int
    rule_id: UUID
    markup_percent: Decimal
    min_cost_nano: int
    rates: Rates
    context_length: int
    max_completion_tokens: int | None
    supported_parameters: tuple[str, ...]
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    first_seen_at: datetime
    tariff: Tariff
    priced_at: datetime | None = None  # since when it sells for this: the later of the upstream's price and our rule

    @property
    def created(self) -> int:
        """When we first saw it, in seconds since 1970, as the OpenAI API writes it."""
        return int(self.first_seen_at.timestamp())

    @property
    def is_free(self) -> bool:
        """Whether no use of it costs anything upstream, at any hour and length."""
        return not any(price for name in PRICE_FIELDS for price in self.rates.values_of(name))

    def hold_terms(
        self,
        *,
        prompt_tokens: int,
        images: int = 0,
        files: int = 0,
        n: int = 1,
        wants_image_output: bool = False,
        wants_audio: bool = False,
    ) -> HoldTerms:
        """The hold of a request as a function of its output cap: an upper bound of its charge (promise R6).

        `prompt_tokens` is `PromptSize.tokens`; `wants_audio` is sound in the request or asked for
        in the answer. Attachments together never count more than the model's whole context.
        """
        media = min(images * IMAGE_TOKENS + files * FILE_TOKENS, self.context_length)
        return self.tariff.terms(
            prompt_tokens=prompt_tokens,
            media_tokens=media,
            images=images,
            n=n,
            wants_image_output=wants_image_output,
            wants_audio=wants_audio,
        )

    def price_cap(self, terms: HoldTerms | None = None) -> dict[str, str]:
        """`provider.max_price` that matches what these terms assume; without terms, for the longest prompts."""
        return dict(self.tariff.bands[-1 if terms is None else terms.band].cap)

    def sell_price(self, name: str) -> Decimal | None:
        """What the customer pays for one unit of this kind; None where the model has none."""
        price = getattr(self.rates.plain(), name)
        return None if price is None else marked_up(price, self.markup_percent)

    def sell_prices(self) -> dict[str, str]:
        """What the customer pays for each unit, as decimal strings: list price, discount off, markup on."""
        return self._prices(self.markup_percent)

    def list_prices(self) -> dict[str, str]:
        """What the upstream asks for each unit, as decimal strings, discount off."""
        return self._prices(Decimal(0))

    def _prices(self, markup_percent: Decimal) -> dict[str, str]:
        plain = self.rates.plain()
        prices = ((name, getattr(plain, name)) for name in PRICE_FIELDS)
        return {name: format_decimal(marked_up(price, markup_percent)) for name, price in prices if price is not None}


def listed_model(row: Model, rates: Rates, priced_at: datetime | None = None) -> ListedModel:
    """The row with its price in force."""
    return ListedModel(
        slug=row.slug,
        upstream=row.upstream,
        upstream_model=row.upstream_model,
        kind=row.kind,
        name=row.name,
        description=row.description,
        context_length=row.context_length or ASSUMED_CONTEXT_TOKENS,
        max_completion_tokens=row.max_completion_tokens,
        supported_parameters=tuple(row.supported_parameters),
        input_modalities=tuple(row.input_modalities),
        output_modalities=tuple(row.output_modalities),
        first_seen_at=row.first_seen_at,
        quarantine_ends_at=row.quarantined_at + QUARANTINE if row.quarantined_at else None,
        rates=rates,
        priced_at=priced_at,
    )


def offer_of(model: ListedModel, rule: Rule, version: int) -> Offer:
    """The model under this rule, its integers worked out."""
    return Offer(
        model=model.slug,
        upstream=model.upstream,
        upstream_model=model.upstream_model,
        kind=model.kind,
        name=model.name,
        description=model.description,
        price_version=version,
        rule_id=rule.id,
        markup_percent=rule.markup_percent,
        min_cost_nano=rule.min_cost_nano,
        rates=model.rates,
        context_length=model.context_length,
        max_completion_tokens=model.max_completion_tokens,
        supported_parameters=model.supported_parameters,
        input_modalities=model.input_modalities,
        output_modalities=model.output_modalities,
        first_seen_at=model.first_seen_at,
        tariff=compile_tariff(model.rates, markup_percent=rule.markup_percent, min_cost_nano=rule.min_cost_nano),
        priced_at=None if model.priced_at is None else max(model.priced_at, rule.effective_from),
    )
