"""What the demo's customers have bought: models with their rates, and the terms they were sold on.

The sandbox lists its own models. The others are an invented list in the shape of a real one, entered
under `openrouter` only where nothing real is known yet, and at once withdrawn as models that are not
listed any more: history explains itself, nobody is offered what cannot be served, and the upstream's
true list takes them over when it comes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reseller.database import transaction
from reseller.domain import pricing
from reseller.domain.calls import PriceTerms
from reseller.domain.demo import cast
from reseller.domain.pricing import Model, ModelKind, PricingRule, Rates, RuleTerms, Upstream, UpstreamKind
from reseller.domain.pricing.catalogue import VANISHED
from reseller.errors import Conflict, NotForSale

OPENROUTER = "openrouter"
OPENROUTER_URL = "https://openrouter.ai/api/v1"

# Dollars per token, close to what such models cost, so that a true list does not look like a jump in price (R7).
_INVENTED = (
    (cast.MINI, "text", 128_000, {"prompt": "0.00000015", "completion": "0.0000006", "input_cache_read": "0.000000075"}),
    (cast.GPT, "text", 128_000, {"prompt": "0.0000025", "completion": "0.00001", "input_cache_read": "0.00000125"}),
    (cast.SONNET, "text", 200_000, {"prompt": "0.000003", "completion": "0.000015", "input_cache_read": "0.0000003"}),
    (cast.FLASH, "text", 1_048_576, {"prompt": "0.0000003", "completion": "0.0000025"}),
    (cast.DEEPSEEK, "text", 163_840, {"prompt": "0.0000003", "completion": "0.0000012"}),
    (cast.LLAMA, "text", 131_072, {"prompt": "0.0000001", "completion": "0.0000003"}),
    (cast.EMBED, "embeddings", 8_192, {"prompt": "0.00000002", "completion": "0"}),
)


@dataclass(frozen=True, slots=True)
class Good:
    """One model on the terms of the newest price version."""

    slug: str
    upstream: str
    is_embedding: bool
    rates: Rates
    terms: PriceTerms


def stock(lists: Mapping[str, Sequence[Any]], rules: Sequence[RuleTerms], *, actor: str) -> dict[str, Good]:
    """Models, prices and rules exist, and these goods were for sale, by name.

    `lists` are the catalogues that registered upstreams gave, `rules` are used where there are none. Raises
    Conflict if no rule prices any model.
    """
    with transaction() as session:
        _register_absent(session, actor)
        if session.scalar(select(PricingRule.id).where(PricingRule.is_active).limit(1)) is None:
            pricing.load_rules(rules, actor)
        for name, entries in lists.items():
            pricing.sync(name, entries, actor=actor)
        if session.scalar(select(Model.slug).where(Model.upstream == OPENROUTER).limit(1)) is None:
            _invent(actor)
        goods = _goods(session)
    if not goods:
        raise Conflict("no pricing rule covers any model: add one with `flask prices add`")
    return goods


def _register_absent(session: Session, actor: str) -> None:
    """The upstream of the invented list has a row, also where the environment has no key for it."""
    if session.get(Upstream, OPENROUTER) is None:
        kind = UpstreamKind.OPENROUTER
        pricing.register_upstream(OPENROUTER, kind, base_url=OPENROUTER_URL, key_variable="OPENROUTER_API_KEY", actor=actor)


def _invent(actor: str) -> None:
    report = pricing.sync(OPENROUTER, [_entry(*listed) for listed in _INVENTED], actor=actor)
    for slug in report.added:
        pricing.withdraw(slug, actor, reason=VANISHED)


def _entry(slug: str, output: str, context_length: int, prices: Mapping[str, str]) -> dict[str, Any]:
    maker, _, name = slug.partition("/")
    return {
        "id": slug,
        "name": f"{maker.title()}: {name.replace('-', ' ').title()}",
        "description": "Part of the demo data.",
        "context_length": context_length,
        "architecture": {"input_modalities": ["text"], "output_modalities": [output]},
        "pricing": prices,
        "top_provider": {"context_length": context_length, "max_completion_tokens": None if output == "embeddings" else 16_384},
        "supported_parameters": [] if output == "embeddings" else ["max_tokens", "temperature", "tools", "tool_choice"],
    }


def _goods(session: Session) -> dict[str, Good]:
    session.flush()
    book = pricing.load(session)
    goods = {}
    for model in session.scalars(select(Model).order_by(Model.slug)):
        first = next(iter(book.ranking(model.slug, None)), None)
        if first is None or first.lost_because is not None:
            continue
        try:
            rates = pricing.rates_at(session, book.version, model.slug)
        except NotForSale:
            continue
        rule = first.rule
        terms = PriceTerms(book.version, rule.id, rule.markup_percent, rule.min_cost_nano)
        goods[model.slug] = Good(model.slug, model.upstream, model.kind == ModelKind.EMBEDDING, rates, terms)
    return goods
