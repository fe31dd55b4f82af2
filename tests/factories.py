"""Builders of what tests start from: sensible alone, changed by keyword. Each needs an app context that acts as the operator."""

from decimal import Decimal
from functools import cache
from typing import Any
from unittest.mock import patch
from uuid import UUID

from reseller.clock import new_id
from reseller.database import transaction
from reseller.domain import keys, ledger, limits, pricing, registration
from reseller.domain.accounts import Person, Role, hash_password
from reseller.domain.keys import ApiKey, making
from reseller.domain.pricing import Model, ModelPrice, RuleTerms, Upstream, UpstreamKind
from reseller.domain.pricing.rules import Rule
from reseller.domain.registration import Newcomer

ACTOR = "test"
PASSWORD = "correct horse battery staple"


@cache
def hashed_once() -> str:
    """The hash of PASSWORD. Made anew for each of thousands of people, hashing would be a tenth of the suite."""
    return hash_password(PASSWORD)


def make_person(*, email: str | None = None, role: Role = Role.CUSTOMER, usd: str | None = None, **facts: Any) -> Person:
    """A verified person with an account; with `usd` in it, if given."""
    address = email or f"person-{new_id().hex[-12:]}@example.com"
    person = registration.register(Newcomer(address, password_hash=hashed_once(), role=role, **{"is_verified": True, **facts}), actor=ACTOR)
    if usd is not None:
        grant(person, usd=usd)
    return person


def grant(person: Person, *, usd: str) -> None:
    """The account has this much more, or less."""
    ledger.grant(person.account_id, Decimal(usd), reason="for a test", actor=ACTOR)


def make_key(person: Person, *, name: str = "test key", **terms: Any) -> str:
    """The text of a new key."""
    token, _ = mint_key(person, name=name, **terms)
    return token


def mint_key(person: Person, *, name: str = "test key", **terms: Any) -> tuple[str, ApiKey]:
    """A new key and its row."""
    return keys.mint(person.account_id, name=name, actor=ACTOR, **terms)


def mint_keys(person: Person, count: int) -> list[tuple[str, ApiKey]]:
    """As many new keys, more than a customer may have at once, too."""
    with patch.object(making, "MAX_ACTIVE_KEYS", count + 1):
        return [mint_key(person) for _ in range(count)]


def set_limits(person: Person, **values: int | None) -> None:
    """Limits by the names of the command line: rpm, rph, rpd, max_tokens, concurrent."""
    limits.change(person.account_id, values, actor=ACTOR)


def lift_limits(person: Person) -> None:
    """As many calls at once and in a row as the test likes."""
    set_limits(person, **dict.fromkeys(limits.LIMIT_COLUMNS))


def make_rule(
    *, pattern: str = "*", markup_percent: str = "25", min_cost_usd: str = "0", priority: int = 0, account_id: UUID | None = None
) -> Rule:
    """An active pricing rule, for everybody or for one account."""
    terms = RuleTerms(pattern, Decimal(markup_percent), Decimal(min_cost_usd), priority, account_id)
    return pricing.add_rule(terms, ACTOR, reason="for a test")


def make_upstream(*, name: str = "openrouter", kind: UpstreamKind = UpstreamKind.OPENROUTER) -> None:
    """The upstream has its row; again is fine."""
    pricing.register_upstream(name, kind, base_url="https://upstream.example/api/v1", key_variable="OPENROUTER_API_KEY")


def make_model(*, slug: str = "acme/one", upstream: str = "openrouter", prices: dict[str, str] | None = None, **facts: Any) -> Model:
    """A model for sale at these upstream prices (decimal strings per unit), of an upstream that is made if it is missing."""
    rates = {"prompt": "0.000001", "completion": "0.000002", **(prices or {})}
    defaults: dict[str, Any] = {
        "upstream_model": slug,
        "name": slug,
        "context_length": 128_000,
        "max_completion_tokens": 4_096,
        "input_modalities": ["text"],
        "output_modalities": ["text"],
        "supported_parameters": ["max_tokens"],
    }
    with transaction() as session:
        if session.get(Upstream, upstream) is None:
            make_upstream(name=upstream)
        model = Model(slug=slug, upstream=upstream, **(defaults | facts))
        session.add(model)
        session.flush()
        version = pricing.bump(f"model {slug} for a test", ACTOR)
        session.add(ModelPrice(model_slug=slug, from_version=version, **{name: Decimal(price) for name, price in rates.items()}))
        session.flush()
        return model
