"""Everything that an account has once, in one row of one query."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reseller.domain.accounts import Account
from reseller.domain.ledger import Balance
from reseller.domain.limits import RateLimit, RequestCounter


class AccountRows(NamedTuple):
    """As they are now; `at` is the database's instant, as windows want it (R39)."""

    account: Account
    balance: Balance
    limits: RateLimit
    counter: RequestCounter
    at: datetime


def rows_of(session: Session, account_id: UUID) -> AccountRows | None:
    """Those of this account; None if there is none."""
    query = (
        select(Account, Balance, RateLimit, RequestCounter, func.clock_timestamp())
        .join(Balance, Balance.account_id == Account.id)
        .join(RateLimit, RateLimit.account_id == Account.id)
        .join(RequestCounter, RequestCounter.account_id == Account.id)
        .where(Account.id == account_id)
        .execution_options(populate_existing=True)
    )
    row = session.execute(query).first()
    return None if row is None else AccountRows(*row)
