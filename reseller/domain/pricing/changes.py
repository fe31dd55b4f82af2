"""The verbs by which people change what is sold and for how much: rules and the version.

Every verb is one transaction: the change, its audit row (promise R37) and a new price version.
Upstreams are in `upstreams`; changes that come from an upstream's list are in `catalogue`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.pricing.rules import Rule
from reseller.domain.pricing.tables import PriceVersion, PricingRule
from reseller.errors import Conflict, InvalidRequest, NotFound
from reseller.money import EXACT, ZERO_USD, format_decimal, to_nano

PRICE_LOCK = 0x7072696365  # "price": one change of prices at a time
MAX_MARKUP_PERCENT = Decimal(10_000)
MAX_MARKUP_PLACES = 6
MAX_MIN_COST_USD = Decimal(1_000)
MAX_PATTERN_CHARACTERS = 200
MAX_WILDCARDS = 16


@dataclass(frozen=True, slots=True)
class RuleTerms:
    """What a rule says. An `account_id` of None is everybody, `effective_from` None is at once."""

    model_pattern: str
    markup_percent: Decimal
    min_cost_usd: Decimal = ZERO_USD
    priority: int = 0
    account_id: UUID | None = None
    effective_from: datetime | None = None


def lock_prices() -> None:
    """Until this transaction ends no other changes prices, so versions become visible in their order.

    Without it a version could commit after a greater one, and a process that has seen the
    greater would never load the smaller one's change.
    """
    with transaction() as session:
        session.execute(select(func.pg_advisory_xact_lock(PRICE_LOCK)))


def bump(reason: str, actor: str) -> int:
    """A new price version exists when the caller's transaction commits; every process then reloads its book."""
    with transaction() as session:
        lock_prices()
        row = PriceVersion(reason=reason, actor=actor)
        session.add(row)
        session.flush()
        return row.version


def current_version() -> int:
    """The greatest committed price version; 0 when nothing was ever priced."""
    with transaction() as session:
        return session.scalar(select(func.max(PriceVersion.version))) or 0


def claim_version(seen: int | None) -> None:
    """Raises Conflict if prices have changed since the caller looked at them (`seen`; None: not looked). Nobody changes them meanwhile."""
    with transaction():
        lock_prices()
        current = current_version()
        if seen is not None and seen != current:
            raise Conflict(f"Prices have changed since you looked (version {seen} is now {current}). Nothing was saved; look again.")


def add_rule(terms: RuleTerms, actor: str, *, reason: str = "", seen: int | None = None) -> Rule:
    """A new active rule takes part from its `effective_from` on. Raises InvalidRequest for terms that cannot be.

    Conflict if prices are not of the version `seen` any more: somebody tested a rule against other prices.
    """
    with transaction() as session:
        claim_version(seen)
        row = _new_row(terms, actor)
        session.add(row)
        session.flush()
        staff.record(actor, "pricing_rule.add", "pricing_rule", row.id, account_id=terms.account_id, reason=reason, changes=_changes(terms))
        bump(f"rule added: {terms.model_pattern}", actor)
        return as_rule(row)


def retire_rule(rule_id: UUID, actor: str, *, reason: str = "") -> None:
    """The rule takes part no more. Raises NotFound, or Conflict if it was retired before."""
    with transaction() as session:
        row = _active_row(rule_id)
        row.is_active = False
        row.superseded_at = now()
        staff.record(actor, "pricing_rule.retire", "pricing_rule", row.id, account_id=row.account_id, reason=reason)
        bump(f"rule retired: {row.model_pattern}", actor)
        session.flush()


def replace_rule(rule_id: UUID, terms: RuleTerms, actor: str, *, reason: str = "", seen: int | None = None) -> Rule:
    """The old rule is retired and points to the new one; there is no instant without either. Raises NotFound or Conflict as `add_rule`."""
    with transaction() as session:
        claim_version(seen)
        old = _active_row(rule_id)
        rule = add_rule(terms, actor, reason=reason)
        retire_rule(rule_id, actor, reason=reason)
        old.superseded_by_id = rule.id
        session.flush()
        return rule


def load_rules(terms: Iterable[RuleTerms], actor: str) -> list[Rule]:
    """The rules that were not there yet are added; ones that are active with the same terms are left alone."""
    with transaction() as session:
        lock_prices()
        rows = session.scalars(select(PricingRule).where(PricingRule.is_active)).all()
        known = {_identity(row.model_pattern, row.markup_percent, row.min_cost_usd, row.priority, row.account_id) for row in rows}
        added = []
        for rule in terms:
            identity = _identity(rule.model_pattern, rule.markup_percent, rule.min_cost_usd, rule.priority, rule.account_id)
            if identity not in known:
                added.append(add_rule(rule, actor, reason="price book"))
                known.add(identity)
        return added


def as_rule(row: PricingRule) -> Rule:
    """The row as the domain reasons about it."""
    return Rule(
        id=row.id,
        model_pattern=row.model_pattern,
        markup_percent=row.markup_percent,
        min_cost_nano=to_nano(row.min_cost_usd),
        priority=row.priority,
        effective_from=row.effective_from,
        created_at=row.created_at,
        account_id=row.account_id,
        is_active=row.is_active,
    )


def _active_row(rule_id: UUID) -> PricingRule:
    with transaction() as session:
        row = session.get(PricingRule, rule_id, with_for_update=True)
        if row is None:
            raise NotFound(f"there is no pricing rule {rule_id}")
        if not row.is_active:
            raise Conflict(f"pricing rule {rule_id} is retired already")
        return row


def _new_row(terms: RuleTerms, actor: str) -> PricingRule:
    check(terms)
    instant = now()
    return PricingRule(
        model_pattern=terms.model_pattern,
        markup_percent=terms.markup_percent,
        min_cost_usd=terms.min_cost_usd,
        priority=terms.priority,
        account_id=terms.account_id,
        effective_from=terms.effective_from or instant,
        created_at=instant,
        created_by=actor,
    )


def check(terms: RuleTerms) -> None:
    """Raises InvalidRequest for terms that no rule may have; its `param` names the field."""
    pattern = terms.model_pattern
    if not 0 < len(pattern) <= MAX_PATTERN_CHARACTERS or not pattern.isprintable() or pattern.count("*") > MAX_WILDCARDS:
        limits = f"1 to {MAX_PATTERN_CHARACTERS} printable characters and at most {MAX_WILDCARDS} stars"
        raise InvalidRequest(f"A pattern has {limits}.", param="pattern")
    markup = terms.markup_percent
    if not _lies_within(markup, MAX_MARKUP_PERCENT, MAX_MARKUP_PLACES):
        raise InvalidRequest(f"A markup is 0 to {MAX_MARKUP_PERCENT} percent with at most {MAX_MARKUP_PLACES} places.", param="markup")
    if not _lies_within(terms.min_cost_usd, MAX_MIN_COST_USD, 9):
        raise InvalidRequest(f"A minimum cost is 0 to {MAX_MIN_COST_USD} dollars with at most nine places.", param="min_cost")
    if abs(terms.priority) > 1_000_000:
        raise InvalidRequest("A priority lies between -1000000 and 1000000.", param="priority")


def _lies_within(value: Decimal, maximum: Decimal, places: int) -> bool:
    return value.is_finite() and 0 <= value <= maximum and value.scaleb(places, EXACT) % 1 == 0


def _identity(pattern: str, markup: Decimal, min_cost_usd: Decimal, priority: int, account_id: UUID | None) -> tuple[object, ...]:
    return pattern, markup, min_cost_usd, priority, account_id


def _changes(terms: RuleTerms) -> dict[str, list[str | None]]:
    return {
        "model_pattern": [None, terms.model_pattern],
        "markup_percent": [None, format_decimal(terms.markup_percent)],
        "min_cost_usd": [None, format_decimal(terms.min_cost_usd)],
        "priority": [None, str(terms.priority)],
    }
