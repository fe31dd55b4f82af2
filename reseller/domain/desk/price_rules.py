"""Pricing rules as staff look at them: what each says, since when, by whom, and how many models it prices now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from reseller.database import transaction
from reseller.domain.desk.actors import names_of
from reseller.domain.desk.naming import names_of_accounts
from reseller.domain.pricing import Fees, PriceBook, PricingRule, is_below_break_even
from reseller.errors import NotFound


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule. `wins` is None for a retired one; `is_losing` says that its markup is below break-even."""

    id: UUID
    pattern: str
    markup_percent: Decimal
    min_cost_usd: Decimal
    priority: int
    account_id: UUID | None
    account_name: str | None
    effective_from: datetime
    created_at: datetime
    by: str
    is_active: bool
    superseded_at: datetime | None
    superseded_by_id: UUID | None
    wins: int | None
    is_losing: bool

    @property
    def scope(self) -> str:
        return "everybody" if self.account_id is None else self.account_name or str(self.account_id)


def rules(
    where: Sequence[ColumnElement[bool]], book: PriceBook, fees: Fees, *, after: UUID | None = None, limit: int
) -> tuple[RuleLine, ...]:
    """Rules that pass, the newest first."""
    query = select(PricingRule).where(*where).order_by(PricingRule.id.desc()).limit(limit)
    if after is not None:
        query = query.where(PricingRule.id < after)
    with transaction() as session:
        return _lines(session, session.scalars(query).all(), book, fees)


def rule(rule_id: UUID, book: PriceBook, fees: Fees) -> RuleLine:
    """One rule, retired ones too. Raises NotFound."""
    with transaction() as session:
        row = session.get(PricingRule, rule_id)
        if row is None:
            raise NotFound("There is no such pricing rule.")
        return _lines(session, [row], book, fees)[0]


def _lines(session: Session, rows: Sequence[PricingRule], book: PriceBook, fees: Fees) -> tuple[RuleLine, ...]:
    names = names_of_accounts(row.account_id for row in rows)
    actors = names_of(row.created_by for row in rows)
    return tuple(
        RuleLine(
            id=row.id,
            pattern=row.model_pattern,
            markup_percent=row.markup_percent,
            min_cost_usd=row.min_cost_usd,
            priority=row.priority,
            account_id=row.account_id,
            account_name=None if row.account_id is None else names.get(row.account_id),
            effective_from=row.effective_from,
            created_at=row.created_at,
            by=actors[row.created_by],
            is_active=row.is_active,
            superseded_at=row.superseded_at,
            superseded_by_id=row.superseded_by_id,
            wins=len(book.won_by(row.id)) if row.is_active else None,
            is_losing=row.is_active and is_below_break_even(row.markup_percent, fees),
        )
        for row in rows
    )
