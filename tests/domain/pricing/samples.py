"""Entries and terms as tests need them: sensible alone, changed by keyword."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from reseller.clock import new_id
from reseller.domain.pricing.offer import ListedModel
from reseller.domain.pricing.rates import Rates
from reseller.domain.pricing.rules import Rule

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)  # a Sunday


def make_entry(slug: str = "acme/one", **pricing: Any) -> dict[str, Any]:
    """As OpenRouter's /models lists it (docs, guides/overview/models, 2026-08). A price of None is left out."""
    prices = {"prompt": "0.000001", "completion": "0.000002"} | pricing
    return {
        "id": slug,
        "name": "Acme One",
        "description": "A model",
        "context_length": 8192,
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "top_provider": {"context_length": 8192, "max_completion_tokens": 4096},
        "supported_parameters": ["max_tokens"],
        "pricing": {name: price for name, price in prices.items() if price is not None},
    }


def make_rates(**prices: Any) -> Rates:
    """Rates with prices given as decimal strings."""
    plain = {"prompt": "0.000001", "completion": "0.000002"} | prices
    return Rates(**{name: Decimal(price) if isinstance(price, str) else price for name, price in plain.items()})


def make_rule(pattern: str = "*", **terms: Any) -> Rule:
    defaults: dict[str, Any] = {
        "id": new_id(),
        "markup_percent": Decimal(25),
        "min_cost_nano": 0,
        "priority": 0,
        "effective_from": NOON,
        "created_at": NOON,
    }
    return Rule(model_pattern=pattern, **(defaults | terms))


def make_listed(slug: str = "acme/one", **facts: Any) -> ListedModel:
    defaults: dict[str, Any] = {
        "upstream": "openrouter",
        "upstream_model": slug,
        "kind": "chat",
        "name": "Acme One",
        "description": "",
        "context_length": 8192,
        "max_completion_tokens": 4096,
        "supported_parameters": (),
        "input_modalities": ("text",),
        "output_modalities": ("text",),
        "first_seen_at": NOON,
        "quarantine_ends_at": None,
        "rates": make_rates(),
    }
    return ListedModel(slug=slug, **(defaults | facts))


SOMEBODY = UUID("01930000-0000-7000-8000-000000000001")
SOMEBODY_ELSE = UUID("01930000-0000-7000-8000-000000000002")
