"""A person, their account, its balance and its limits come into being together or not at all."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from reseller.clock import new_id, now
from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.accounts import Account, MemberRole, Membership, Person, Role, User, hash_password, normal_email
from reseller.domain.ledger import Balance
from reseller.domain.limits import RateLimit, RequestCounter
from reseller.errors import Conflict


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who wants in. `email` is normalised by `register`."""

    email: str
    password: str
    full_name: str = ""
    company: str = ""
    role: Role = Role.CUSTOMER
    is_verified: bool = False


def register(newcomer: Newcomer, *, actor: str) -> Person:
    """The person exists with an account of their own, an empty balance and the default limits, in one transaction.

    Raises Conflict if the address is taken, InvalidRequest if it or the password cannot be used.
    """
    email = normal_email(newcomer.email)
    password_hash = hash_password(newcomer.password)
    account_id, user_id = new_id(), new_id()
    with transaction() as session:
        if session.scalar(select(User.id).where(User.email == email)) is not None:
            raise Conflict(f"{email} is already registered")
        session.add(
            User(
                id=user_id,
                email=email,
                full_name=newcomer.full_name,
                company=newcomer.company,
                password_hash=password_hash,
                role=newcomer.role,
                email_verified_at=now() if newcomer.is_verified else None,
            )
        )
        session.add(Account(id=account_id, name=newcomer.company or newcomer.full_name or email))
        try:
            session.flush()
        except IntegrityError:  # somebody registered the address at the same instant
            raise Conflict(f"{email} is already registered") from None
        _furnish(account_id, user_id)
        staff.record(actor, "user.create", "user", user_id, account_id=account_id, changes={"role": [None, newcomer.role]})
    return Person(user_id=user_id, account_id=account_id, email=email)


def _furnish(account_id: UUID, user_id: UUID) -> None:
    with transaction() as session:
        session.add_all(
            [
                Membership(account_id=account_id, user_id=user_id, role=MemberRole.OWNER),
                Balance(account_id=account_id),
                RateLimit(account_id=account_id),
                RequestCounter(account_id=account_id),
            ]
        )
