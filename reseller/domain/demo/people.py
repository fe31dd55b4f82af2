"""The demo's people, their accounts, keys and limits, made with the product's own verbs and then dated back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from reseller.database import db
from reseller.domain import accounts, keys, limits
from reseller.domain.accounts import Account, Membership, Person, Role, User
from reseller.domain.demo import cast
from reseller.domain.demo.cast import Customer
from reseller.domain.demo.traffic import Attempt
from reseller.domain.keys import ApiKey, SpendPeriod
from reseller.domain.registration import Newcomer, register

MONTHLY_LIMIT = (Decimal(50), SpendPeriod.MONTH)
OLD_KEY_DAYS = 25  # after joining, a key was given up
LOT_OF_REPORTS = 85  # attempts whose lot is this or higher come from the key for reports


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Which of an account's keys makes which attempts."""

    live: UUID
    test: UUID
    reports: UUID | None = None
    old: UUID | None = None
    old_until: datetime | None = None

    def key_for(self, attempt: Attempt) -> UUID:
        if attempt.is_test:
            return self.test
        if self.old is not None and self.old_until is not None and attempt.ended_at < self.old_until:
            return self.old
        return self.reports if self.reports is not None and attempt.lot >= LOT_OF_REPORTS else self.live


@dataclass(frozen=True, slots=True)
class Resident:
    """A customer who has moved in."""

    customer: Customer
    account_id: UUID
    user_id: UUID
    joined_at: datetime
    ring: KeyRing


def hire(passwords: Mapping[str, str], *, at: datetime, actor: str) -> None:
    """The staff exist, with these passwords by address."""
    for staffer in cast.STAFF:
        newcomer = Newcomer(staffer.email, passwords[staffer.email], full_name=staffer.full_name, role=staffer.role, is_verified=True)
        _date_back(db.session(), register(newcomer, actor=actor), at=at)


def move_in(customer: Customer, *, password: str, joined_at: datetime, actor: str) -> tuple[Resident, str, str]:
    """The customer exists with account, keys and limits; also the texts of the live and the test key."""
    newcomer = Newcomer(
        customer.email, password, full_name=customer.full_name, company=customer.company, role=Role.CUSTOMER, is_verified=True
    )
    person = register(newcomer, actor=actor)
    live, live_key = keys.mint(person.account_id, name="Production", actor=actor)
    test, test_key = keys.mint(person.account_id, name="Development", actor=actor, is_test=True)
    ring = KeyRing(live_key.id, test_key.id)
    if customer is cast.CUSTOMER:
        ring = _more_keys(ring, person, joined_at=joined_at, actor=actor)
    if customer.limits:
        limits.change(person.account_id, dict(customer.limits), actor=actor, reason="agreed with the customer")
    if customer.suspended_because:
        accounts.suspend(person.account_id, reason=customer.suspended_because, actor=actor)
    _date_back(db.session(), person, at=joined_at)
    return Resident(customer, person.account_id, person.user_id, joined_at, ring), live, test


def _more_keys(ring: KeyRing, person: Person, *, joined_at: datetime, actor: str) -> KeyRing:
    """One key with a monthly limit, and one that was used first and is revoked."""
    _, reports = keys.mint(person.account_id, name="Nightly reports", actor=actor, spend=MONTHLY_LIMIT)
    _, old = keys.mint(person.account_id, name="Old laptop", actor=actor)
    keys.revoke(str(old.id), actor=actor)
    given_up_at = joined_at + timedelta(days=OLD_KEY_DAYS)
    db.session.execute(update(ApiKey).where(ApiKey.id == old.id).values(revoked_at=given_up_at))
    return KeyRing(ring.live, ring.test, reports=reports.id, old=old.id, old_until=given_up_at)


def _date_back(session: Session, person: Person, *, at: datetime) -> None:
    session.flush()
    session.execute(update(User).where(User.id == person.user_id).values(created_at=at, email_verified_at=at))
    session.execute(update(Account).where(Account.id == person.account_id).values(created_at=at))
    session.execute(update(Membership).where(Membership.user_id == person.user_id).values(created_at=at))
    session.execute(update(ApiKey).where(ApiKey.account_id == person.account_id).values(created_at=at))
