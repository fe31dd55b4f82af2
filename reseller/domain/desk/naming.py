"""From what people type to what rows hold, and back: accounts by id or address, actors by address."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.accounts import Account, Membership, User


def names_of_accounts(account_ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Account → its name. One query for all."""
    wanted = {account_id for account_id in account_ids if account_id is not None}
    if not wanted:
        return {}
    with transaction() as session:
        rows = session.execute(select(Account.id, Account.name).where(Account.id.in_(wanted)))
        return {row.id: row.name for row in rows}


def accounts_named(text: str) -> list[UUID]:
    """The account with this id, or those that somebody with this e-mail address is in; none for anything else."""
    try:
        return [UUID(text)]
    except ValueError:
        with transaction() as session:
            members = select(Membership.account_id).join(User, User.id == Membership.user_id).where(User.email == text.lower())
            return list(session.scalars(members))


def actor_named(text: str) -> str:
    """The actor of the person with this e-mail address; text that is no address of ours stands for itself."""
    with transaction() as session:
        user_id = session.scalar(select(User.id).where(User.email == text.lower()))
        return text if user_id is None else staff.actor_of(user_id)
