"""Registrations that nobody verified are forgotten after a week, if nothing came of them.

Whoever registers an address that is not theirs leaves somebody's name and address here; the owner never asked for that.
Audit rows stay, and hold neither.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.exc import IntegrityError

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import accounts
from reseller.domain.accounts import Account, Membership, Role, User
from reseller.domain.alerts import AlertRule
from reseller.domain.identity import Link, RecoveryCode, SecondFactor, SignInSession
from reseller.domain.keys import ApiKey
from reseller.domain.ledger import Balance, LedgerEntry
from reseller.domain.limits import RateLimit, RequestCounter
from reseller.domain.notes import AccountNote

KEPT = timedelta(days=7)
AT_A_TIME = 500


def forget_unverified() -> int:
    """Registrations that were left unverified for KEPT are gone; how many were."""
    with transaction() as session:
        has_link = exists().where(Link.user_id == User.id, Link.expires_at > now())
        query = select(User.id).where(
            User.email_verified_at.is_(None), User.role == Role.CUSTOMER, User.created_at < now() - KEPT, ~has_link
        )
        found = list(session.scalars(query.order_by(User.id).limit(AT_A_TIME)))
    return sum(forget(user_id) for user_id in found)


def forget(user_id: UUID) -> bool:
    """The registration is gone, with its account; False if it is verified, or there are keys, money or words of staff about it."""
    with transaction() as session:
        user = session.get(User, user_id, with_for_update=True, populate_existing=True)
        account_id = accounts.home_of(user_id)
        if user is None or account_id is None or user.email_verified_at is not None or _is_touched(account_id):
            return False
        try:
            with session.begin_nested():
                _delete(user_id, account_id)
        except IntegrityError:  # something else refers to it: then something came of it
            return False
        session.expunge(user)
        return True


def _is_touched(account_id: UUID) -> bool:
    with transaction() as session:
        moved = select(Balance.account_id).where(Balance.account_id == account_id, or_(Balance.entry_count > 0, Balance.open_calls > 0))
        kept = [select(table.id).where(table.account_id == account_id) for table in (ApiKey, LedgerEntry, AccountNote)]
        return any(session.execute(query.limit(1)).first() is not None for query in (moved, *kept))


def _delete(user_id: UUID, account_id: UUID) -> None:
    with transaction() as session:
        for person_table in (Link, SignInSession, RecoveryCode, SecondFactor, Membership):
            session.execute(delete(person_table).where(person_table.user_id == user_id))
        for account_table in (RequestCounter, RateLimit, Balance, AlertRule):
            session.execute(delete(account_table).where(account_table.account_id == account_id))
        session.execute(delete(User).where(User.id == user_id))
        session.execute(delete(Account).where(Account.id == account_id))
