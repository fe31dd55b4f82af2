"""The money of one account, read for its page."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, func, select, text, type_coerce
from sqlalchemy.orm import Session, aliased

from reseller.domain.accounts import Account, User
from reseller.domain.desk.customer.parts import AdjustmentRow, EntryRow
from reseller.domain.ledger import Adjustment, AdjustmentState, EntryKind, LedgerEntry
from reseller.domain.usage import UsageLog
from reseller.money import to_usd

_ENTRY = (
    LedgerEntry.id,
    LedgerEntry.created_at,
    LedgerEntry.kind,
    LedgerEntry.amount_usd,
    LedgerEntry.balance_after_usd,
    LedgerEntry.reason,
    LedgerEntry.reference,
    LedgerEntry.actor,
)


def entries_of(session: Session, account_id: UUID, *, limit: int) -> tuple[EntryRow, ...]:
    """The newest entries of the ledger with the balance after each."""
    query = select(*_ENTRY).where(LedgerEntry.account_id == account_id).order_by(LedgerEntry.sequence.desc()).limit(limit)
    return tuple(EntryRow(*row) for row in session.execute(query))


def topped_up(session: Session, account_id: UUID) -> Decimal:
    """What the customer has ever paid in."""
    query = select(func.sum(type_coerce(LedgerEntry.amount_usd, BigInteger))).where(
        LedgerEntry.account_id == account_id, LedgerEntry.kind == EntryKind.TOP_UP
    )
    return to_usd(int(session.scalar(query) or 0))


def overage_of(session: Session, account_id: UUID) -> tuple[Decimal, int]:
    """What calls have ever cost above their hold and what was left, and how many calls did."""
    loss = type_coerce(UsageLog.overage_loss_usd, BigInteger)
    query = select(func.sum(loss), func.count()).where(UsageLog.account_id == account_id, text("overage_loss_nano > 0"))
    total, calls = session.execute(query).one()
    return to_usd(int(total or 0)), calls


def adjustments_of(
    session: Session, account_id: UUID | None, *, state: AdjustmentState | None, limit: int, before: UUID | None = None
) -> tuple[AdjustmentRow, ...]:
    """Adjustments with names, newest first: of one account or of all, in one state or in any."""
    asked, decided = aliased(User), aliased(User)
    query = (
        select(
            Adjustment.id,
            Adjustment.account_id,
            Account.name,
            Adjustment.created_at,
            Adjustment.amount_usd,
            Adjustment.reason,
            Adjustment.state,
            Adjustment.requested_by_id,
            asked.email,
            decided.email,
            Adjustment.decided_at,
            Adjustment.decision_note,
        )
        .join(Account, Account.id == Adjustment.account_id)
        .join(asked, asked.id == Adjustment.requested_by_id)
        .outerjoin(decided, decided.id == Adjustment.decided_by_id)
    )
    if account_id is not None:
        query = query.where(Adjustment.account_id == account_id)
    if state is not None:
        query = query.where(Adjustment.state == state)
    if before is not None:
        query = query.where(Adjustment.id < before)
    rows: Any = session.execute(query.order_by(Adjustment.id.desc()).limit(limit))
    return tuple(AdjustmentRow(*row) for row in rows)
