"""The list of all customers: one statement for a page of them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, func, select

from reseller.database import transaction
from reseller.domain.accounts import Account, MemberRole, Membership, Role, User
from reseller.domain.keys import ApiKey
from reseller.domain.ledger import Balance


@dataclass(frozen=True, slots=True)
class CustomerLine:
    """One account as the list shows it."""

    id: UUID
    name: str
    email: str
    is_staff: bool  # one of us is in it
    balance_usd: Decimal
    available_usd: Decimal
    last_call_at: datetime | None
    status: str  # active, suspended, halted, frozen: the most serious one
    created_at: datetime


def customer_lines() -> Select[Any]:
    """What makes the lines; add conditions on Account and Balance, an order and a limit."""
    email = (
        select(User.email)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.account_id == Account.id)
        .order_by(case((Membership.role == MemberRole.OWNER, 0), else_=1), Membership.created_at)
        .limit(1)
        .scalar_subquery()
    )
    last_call_at = select(func.max(ApiKey.last_used_at)).where(ApiKey.account_id == Account.id).scalar_subquery()
    status = case((Account.halted_at.is_not(None), "halted"), (is_frozen(), "frozen"), else_=Account.status)
    return select(
        Account.id,
        Account.name,
        func.coalesce(email, ""),
        is_of_staff(),
        Balance.settled_usd,
        Balance.held_usd,
        last_call_at,
        status,
        Account.created_at,
    ).join(Balance, Balance.account_id == Account.id)


def is_of_staff() -> ColumnElement[bool]:
    """Somebody with a role in the back office is in the account."""
    people = select(Membership.id).join(User, User.id == Membership.user_id)
    return people.where(Membership.account_id == Account.id, User.role != Role.CUSTOMER).exists()


def is_frozen() -> Any:
    """Below zero after a refund or dispute."""
    return Balance.settled_usd < Balance.held_usd


def read_lines(query: Select[Any]) -> list[CustomerLine]:
    """The lines of such a query."""
    with transaction() as session:
        return [
            CustomerLine(row[0], row[1], row[2], row[3], row[4], row[4] - row[5], row[6], row[7], row[8])
            for row in session.execute(query).all()
        ]
