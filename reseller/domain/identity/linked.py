"""Identities at providers: who signs in through which. An identity is issuer and subject; its e-mail address proves nothing here."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import accounts, letters, staff
from reseller.domain.accounts import User
from reseller.domain.identity import sessions
from reseller.domain.identity.tables import Identity
from reseller.domain.letters import LetterKind
from reseller.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Vouched:
    """Somebody for whom a provider has vouched just now."""

    issuer: str
    subject: str
    label: str


@dataclass(frozen=True, slots=True)
class Linked:
    """An identity as its person sees it."""

    id: UUID
    issuer: str
    label: str
    created_at: datetime
    used_at: datetime


def find(vouched: Vouched) -> UUID | None:
    """The person whose identity this is, and it was used just now; None if it is nobody's."""
    query = update(Identity).where(Identity.issuer == vouched.issuer, Identity.subject == vouched.subject)
    with transaction() as session:
        return session.scalar(query.values(used_at=now(), label=vouched.label).returning(Identity.user_id))


def link(user_id: UUID, vouched: Vouched, *, actor: str) -> None:
    """The person signs in through this identity, too, and has a letter about it. Raises Conflict if somebody does already."""
    with transaction() as session:
        user = session.get_one(User, user_id, with_for_update=True)
        begin_with(user_id, vouched, actor=actor)
        facts = {"provider": urlsplit(vouched.issuer).netloc, "address": staff.acting_address()}
        letters.write(LetterKind.SIGN_IN_LINKED, user.email, facts=facts)
        accounts.tell_of_member(user_id, "provider")


def begin_with(user_id: UUID, vouched: Vouched, *, actor: str) -> None:
    """A newcomer signs in through this identity. Raises Conflict if somebody does already."""
    with transaction() as session:
        session.add(Identity(user_id=user_id, issuer=vouched.issuer, subject=vouched.subject, label=vouched.label))
        try:
            session.flush()
        except IntegrityError:
            raise Conflict("This sign-in is linked already, to this account or to another one.") from None
        _record(actor, "user.link_identity", user_id, [None, f"{vouched.issuer} {vouched.label}".strip()])


def unlink(identity_id: UUID, user_id: UUID, *, keep: UUID, actor: str) -> int:
    """The person no longer signs in through this identity; how many of their sessions that ended, all but `keep`.

    Raises NotFound if it is none of theirs, Conflict if it is their last way in.
    """
    with transaction() as session:
        user = session.get_one(User, user_id, with_for_update=True)  # two that are removed at once: the second is the last
        row = session.scalar(select(Identity).where(Identity.id == identity_id, Identity.user_id == user_id))
        if row is None:
            raise NotFound("There is no such sign-in. It may have been removed already.")
        ways = session.scalar(select(func.count()).where(Identity.user_id == user_id)) or 0
        if user.password_hash is None and ways == 1:
            raise Conflict("This is your only way to sign in. Set a password first, or link another sign-in.")
        session.delete(row)
        _record(actor, "user.unlink_identity", user_id, [f"{row.issuer} {row.label}".strip(), None])
        accounts.tell_of_member(user_id, "provider")
        return sessions.end_all(user_id, but=keep)


def discard(user_id: UUID) -> None:
    """The person signs in through no provider any more: somebody else has shown that the address is theirs."""
    with transaction() as session:
        session.execute(delete(Identity).where(Identity.user_id == user_id))


def identities_of(user_id: UUID) -> list[Linked]:
    """What the person signs in through, the oldest first."""
    with transaction() as session:
        rows = session.scalars(select(Identity).where(Identity.user_id == user_id).order_by(Identity.created_at, Identity.id))
        return [Linked(row.id, row.issuer, row.label, row.created_at, row.used_at) for row in rows]


def _record(actor: str, action: str, user_id: UUID, change: list[str | None]) -> None:
    accounts.record(actor, action, user_id, changes={"identity": change})
