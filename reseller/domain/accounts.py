"""Accounts, people and their membership. An account owns money, keys, limits and usage.

Not here: balances (`ledger`), sign-in pages (`portal`). Written by the verbs below and by
`registration`. The state of an account is read inside each admission commit, so suspending
takes effect with the next request of every process (promise R22).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import CheckConstraint, ForeignKey, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified, Versioned, db, transaction
from reseller.domain import outbox, staff
from reseller.errors import Conflict, InvalidRequest, NotFound

HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""OWASP's second choice for Argon2id: 29 ms here, and no stall of the whole process as with the library's default of 64 MiB."""

MIN_PASSWORD_CHARACTERS, MAX_PASSWORD_CHARACTERS = 10, 1_000
MAX_NAME_CHARACTERS = 200


class AccountStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"


class Role(StrEnum):
    """What a person may do in the back office; customers may do nothing there."""

    CUSTOMER = "customer"
    SUPPORT = "support"
    FINANCE = "finance"
    ADMIN = "admin"


class MemberRole(StrEnum):
    """What a person may do inside one account."""

    OWNER = "owner"
    MEMBER = "member"


class Account(Identified, Created, Versioned, Base):
    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint("status IN ('active', 'suspended')", name="status_known"),)

    name: Mapped[str] = mapped_column(Text)
    company: Mapped[str] = mapped_column(Text, default="", server_default="")  # this and the next two: verbs of `company`
    tax_id: Mapped[str] = mapped_column(Text, default="", server_default="")
    billing_address: Mapped[str] = mapped_column(Text, default="", server_default="")  # lines
    status: Mapped[str] = mapped_column(Text, default=AccountStatus.ACTIVE)
    status_reason: Mapped[str | None] = mapped_column(Text)  # shown to staff, never to the customer's programs
    halted_at: Mapped[datetime | None]  # set by the ledger audit on a mismatch; stops admission (R1)
    halted_reason: Mapped[str | None] = mapped_column(Text)


class User(Identified, Created, Versioned, Base):
    __tablename__ = "users"
    __table_args__ = (CheckConstraint("role IN ('customer', 'support', 'finance', 'admin')", name="role_known"),)

    email: Mapped[str] = mapped_column(Text, unique=True)  # lower case
    full_name: Mapped[str] = mapped_column(Text, default="")
    password_hash: Mapped[str | None] = mapped_column(Text)  # Argon2id; None: signs in through a provider only
    role: Mapped[str] = mapped_column(Text, default=Role.CUSTOMER)
    email_verified_at: Mapped[datetime | None]
    time_zone: Mapped[str] = mapped_column(Text, default="UTC", server_default="UTC")  # IANA name; how pages show days to this person


class Membership(Identified, Created, Base):
    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("account_id", "user_id"),
        CheckConstraint("role IN ('owner', 'member')", name="role_known"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    role: Mapped[str] = mapped_column(Text, default=MemberRole.OWNER)


@dataclass(frozen=True, slots=True)
class Person:
    """A person and the account they own, as other floors see them."""

    user_id: UUID
    account_id: UUID
    email: str


def normal_email(text: str) -> str:
    """The address in the one form we store. Raises InvalidRequest if it is not an address."""
    try:
        return validate_email(text, check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError as error:
        raise InvalidRequest(f"{text!r} is not an e-mail address: {error}", param="email") from None


def one_line(text: str) -> str:
    """A name as it is stored: on one line, without what cannot be seen. No direction of writing is turned for what stands after it."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def hash_password(password: str) -> str:
    """An Argon2id hash with its parameters. Raises InvalidRequest for a password that is too short, or endless."""
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise InvalidRequest(f"A password needs {MIN_PASSWORD_CHARACTERS} characters or more.", param="password")
    if len(password) > MAX_PASSWORD_CHARACTERS:
        raise InvalidRequest(f"A password has at most {MAX_PASSWORD_CHARACTERS} characters.", param="password")
    return HASHER.hash(password)


def password_matches(password_hash: str, password: str) -> bool:
    """Whether this password made this hash; takes the same time for any wrong one."""
    try:
        return HASHER.verify(password_hash, password)
    except VerificationError:
        return False


def change_profile(user_id: UUID, *, full_name: str, time_zone: str, seen_version: int | None, actor: str) -> None:
    """The person has this name and sees days of this zone. Raises Conflict if they were changed meanwhile, InvalidRequest, NotFound."""
    name = one_line(full_name)
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidRequest(f"A name has at most {MAX_NAME_CHARACTERS} characters.", param="full_name")
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRequest("There is no such time zone.", param="time_zone") from None
    with transaction() as session:
        user = session.get(User, user_id, with_for_update=True, populate_existing=True)
        if user is None:
            raise NotFound("There is no such person.")
        given = {"full_name": name, "time_zone": time_zone}
        changes = {field: [getattr(user, field), value] for field, value in given.items() if getattr(user, field) != value}
        if not changes:
            return
        user.claim(seen_version)
        user.full_name, user.time_zone = name, time_zone
        record(actor, "user.change_profile", user_id, changes=changes)


def random_password() -> str:
    """A password nobody needs to invent: 144 random bits."""
    return secrets.token_urlsafe(18)


def find_person(email: str) -> Person:
    """The person with this address and the account they own. Raises NotFound."""
    row = db.session.execute(
        select(User.id, Membership.account_id, User.email)
        .join(Membership, Membership.user_id == User.id)
        .where(User.email == normal_email(email), Membership.role == MemberRole.OWNER)
        .order_by(Membership.created_at)
    ).first()
    if row is None:
        raise NotFound(f"nobody here has the address {email}")
    return Person(user_id=row[0], account_id=row[1], email=row[2])


def is_verified(user_id: UUID) -> bool:
    """Whether the person has shown that they read the mailbox of their address."""
    return db.session.scalar(select(User.id).where(User.id == user_id, User.email_verified_at.is_not(None))) is not None


def is_member(user_id: UUID, account_id: UUID) -> bool:
    """Whether the account is this person's own."""
    query = select(Membership.id).where(Membership.user_id == user_id, Membership.account_id == account_id)
    return db.session.scalar(query) is not None


def owners_of(account_id: UUID) -> list[str]:
    """The verified addresses of those who own the account."""
    query = select(User.email).join(Membership, Membership.user_id == User.id)
    is_owner = Membership.account_id == account_id, Membership.role == MemberRole.OWNER, User.email_verified_at.is_not(None)
    return list(db.session.scalars(query.where(*is_owner).order_by(User.id)))


def home_of(user_id: UUID) -> UUID | None:
    """The account that this person owns, the oldest if there are several: where their own doings are found in the audit log."""
    query = select(Membership.account_id).where(Membership.user_id == user_id, Membership.role == MemberRole.OWNER)
    return db.session.scalar(query.order_by(Membership.created_at).limit(1))


def record(actor: str, action: str, user_id: UUID, *, reason: str = "", changes: dict[str, Any] | None = None) -> None:
    """An audit row about a person, found with the account they own, is part of the caller's transaction."""
    staff.record(actor, action, "user", user_id, account_id=home_of(user_id), reason=reason, changes=changes)


def tell_of_member(user_id: UUID, change: str) -> None:
    """Programs of each account that the person belongs to are told what became another: an event of the caller's transaction."""
    with transaction() as session:
        query = select(Membership.account_id, Membership.role, User.email).join(User, User.id == Membership.user_id)
        for account_id, role, email in session.execute(query.where(User.id == user_id).order_by(Membership.account_id)).all():
            outbox.announce("member.changed", account_id, member_id=user_id, email=email, role=role, change=change)


def suspend(account_id: UUID, *, reason: str, actor: str) -> None:
    """The account's keys are refused from the next request on, in every process. Raises Conflict if they are already."""
    _set_status(account_id, AccountStatus.SUSPENDED, reason=reason, actor=actor)


def restore(account_id: UUID, *, actor: str, reason: str = "") -> None:
    """The account's keys work again from the next request on. Raises Conflict if the account is not suspended."""
    _set_status(account_id, AccountStatus.ACTIVE, reason=reason, actor=actor)


def halt(account_id: UUID, *, reason: str) -> None:
    """Admission stops for this account until staff have looked: its books do not add up (R1). No account, nothing to halt."""
    with transaction() as session:
        account = session.get(Account, account_id)
        if account is not None and account.halted_at is None:
            account.halted_at = now()
            account.halted_reason = reason
            staff.record("system:audit", "account.halt", "account", account_id, account_id=account_id, reason=reason)


def resume(account_id: UUID, *, actor: str, reason: str) -> None:
    """Admission goes on after a halt. Raises Conflict if nothing is halted."""
    with transaction() as session:
        account = session.get_one(Account, account_id, with_for_update=True)
        if account.halted_at is None:
            raise Conflict("The account is not halted any more.")
        account.halted_at = None
        account.halted_reason = None
        staff.record(actor, "account.resume", "account", account_id, account_id=account_id, reason=reason)


def _set_status(account_id: UUID, status: AccountStatus, *, reason: str, actor: str) -> None:
    with transaction() as session:
        account = session.get_one(Account, account_id, with_for_update=True)
        before = account.status
        if before == status:
            raise Conflict(f"The account is {status} already.")
        account.status = status
        account.status_reason = reason or None
        staff.record(
            actor,
            f"account.{'suspend' if status == AccountStatus.SUSPENDED else 'restore'}",
            "account",
            account_id,
            account_id=account_id,
            reason=reason,
            changes={"status": [before, status]},
        )
