"""Who signs in with a password. Hashing takes 30 ms of a processor: callers do it between two verbs, with no transaction open."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from reseller.database import transaction
from reseller.domain import accounts, letters, staff
from reseller.domain.accounts import User, hash_password, normal_email, password_matches, random_password
from reseller.domain.identity import links, sessions, throttle
from reseller.domain.letters import LetterKind
from reseller.errors import InvalidRequest, NotFound

NOBODYS_HASH = hash_password(random_password())
"""Compared with where there is no password, so that an unknown address costs the same work as a known one."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Whoever an address could belong to, and what their password has to match."""

    user_id: UUID | None
    password_hash: str = field(repr=False)
    is_verified: bool = True  # their address is

    def proved_by(self, password: str) -> UUID | None:
        """The person, if this is their password. The same work for everybody, known or not."""
        matches = password_matches(self.password_hash, password)
        return self.user_id if matches else None


def candidate(email: str) -> Candidate:
    """The person to be proved; somebody whom no password proves where the address is unknown, or signs in without one."""
    try:
        address = normal_email(email)
    except InvalidRequest:
        return Candidate(None, NOBODYS_HASH)
    with transaction() as session:
        row = session.execute(select(User.id, User.password_hash, User.email_verified_at).where(User.email == address)).first()
    if row is None or not row.password_hash:
        return Candidate(None, NOBODYS_HASH)
    return Candidate(row.id, row.password_hash, is_verified=row.email_verified_at is not None)


def candidate_of(user_id: UUID) -> Candidate:
    """The same for somebody who is signed in and shall prove it again."""
    with transaction() as session:
        known = session.scalar(select(User.password_hash).where(User.id == user_id))
    return Candidate(user_id, known) if known else Candidate(None, NOBODYS_HASH)


def has_one(user_id: UUID) -> bool:
    """Whether the person has a password; who has none signs in through a provider."""
    with transaction() as session:
        return session.scalar(select(User.password_hash).where(User.id == user_id)) is not None


def change(user_id: UUID, password_hash: str, *, actor: str, reason: str = "", keep: UUID | None = None) -> int:
    """The person has a new password and a letter about it; how many of their sessions that ended, all but `keep` (R26). Raises NotFound."""
    with transaction() as session:
        user = session.get(User, user_id, with_for_update=True)
        if user is None:
            raise NotFound("There is no such person.")
        user.password_hash = password_hash
        accounts.record(actor, "user.set_password", user_id, reason=reason)
        throttle.forgive(user.email)
        links.void(user_id)  # of every purpose: whoever had the old password may have asked for one
        letters.write(LetterKind.PASSWORD_CHANGED, user.email, facts={"address": staff.acting_address()})
        accounts.tell_of_member(user_id, "password")
        return sessions.end_all(user_id, but=keep)
