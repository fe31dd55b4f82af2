"""A person, their account, its balance and its limits come into being together or not at all."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import delete, select

from reseller.clock import new_id, now
from reseller.database import lock_name, transaction
from reseller.domain import accounts, alerts, staff
from reseller.domain.accounts import Account, MemberRole, Membership, Person, Role, User, hash_password, normal_email, one_line
from reseller.domain.identity import SecondFactor, linked, links, recovery_codes, sessions
from reseller.domain.ledger import Balance
from reseller.domain.limits import RateLimit, RequestCounter
from reseller.errors import Conflict


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who wants in. `email` is normalised by `register`. Without a password they sign in through a provider, until they set one.

    `password_hash`: the password, hashed already. Doors hash beside the hub.
    """

    email: str
    password: str | None = field(default=None, repr=False)
    full_name: str = ""
    company: str = ""
    role: Role = Role.CUSTOMER
    is_verified: bool = False
    password_hash: str | None = field(default=None, repr=False)


def register(newcomer: Newcomer, *, actor: str | None = None) -> Person:
    """The person exists with an account of their own, an empty balance and the default limits, in one transaction.

    `actor`: who did it; None for themselves. An address that nobody has verified yet belongs to nobody: whoever registers it
    anew takes the place of who did before, whose password is worth nothing from then on.
    Raises Conflict if the address is somebody's, InvalidRequest if it or the password cannot be used.
    """
    email = normal_email(newcomer.email)
    password_hash = newcomer.password_hash if newcomer.password is None else hash_password(newcomer.password)
    with transaction() as session:
        lock_name(f"address:{email}")  # somebody may register it at the same instant
        user = session.scalar(select(User).where(User.email == email).with_for_update().execution_options(populate_existing=True))
        if user is not None and user.email_verified_at is not None:
            raise Conflict(f"{email} is already registered")
        action = "user.create" if user is None else "user.register_anew"
        person = _new(email) if user is None else _anew(user)
        user = session.get_one(User, person.user_id)
        name, company = one_line(newcomer.full_name), one_line(newcomer.company)
        user.full_name, user.password_hash = name, password_hash
        user.role = newcomer.role
        user.email_verified_at = now() if newcomer.is_verified else None
        account = session.get_one(Account, person.account_id)
        account.name, account.company = company or name or email, company
        account.tax_id = account.billing_address = ""  # what somebody before wrote under an address that was not theirs
        staff.record(
            actor or staff.actor_of(person.user_id),
            action,
            "user",
            person.user_id,
            account_id=person.account_id,
            changes={"role": [None, newcomer.role]},
        )
    return person


def _new(email: str) -> Person:
    account_id, user_id = new_id(), new_id()
    with transaction() as session:
        session.add_all([User(id=user_id, email=email), Account(id=account_id, name=email)])
        session.flush()
        _furnish(account_id, user_id)
    return Person(user_id=user_id, account_id=account_id, email=email)


def _anew(user: User) -> Person:
    """Whoever registered the address before has no way in any more."""
    account_id = accounts.home_of(user.id)
    if account_id is None:
        raise Conflict(f"{user.email} is already registered")
    with transaction() as session:
        user.claim(None)
        sessions.end_all(user.id)
        linked.discard(user.id)
        links.void(user.id)
        recovery_codes.discard(user.id)
        session.execute(delete(SecondFactor).where(SecondFactor.user_id == user.id))
    return Person(user_id=user.id, account_id=account_id, email=user.email)


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
        alerts.furnish(account_id)
