"""Ways in that somebody had once and must not get back: for a database that went back in time."""

from uuid import UUID

from sqlalchemy import delete, select

from reseller.database import transaction
from reseller.domain import accounts
from reseller.domain.accounts import User
from reseller.domain.identity import links, recovery_codes, sessions
from reseller.domain.identity.tables import Identity, SecondFactor
from reseller.errors import Conflict


def forget_ways_in(user_id: UUID, *, actor: str, reason: str) -> str | None:
    """The person has no password, authenticator, recovery codes, links and sessions; their address, None if they are nobody.

    A provider that vouches for them still does.
    """
    with transaction() as session:
        user = session.get(User, user_id, with_for_update=True)
        if user is None:
            return None
        user.password_hash = None
        session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))
        recovery_codes.discard(user_id)
        links.void(user_id)
        sessions.end_all(user_id)
        accounts.record(actor, "user.forget_ways_in", user_id, reason=reason)
        return user.email


def unlink_issuer(user_id: UUID, issuer: str, *, actor: str, reason: str) -> str | None:
    """The person signs in through nobody of this issuer; their address, None if they did not."""
    with transaction() as session:
        gone = session.execute(delete(Identity).where(Identity.user_id == user_id, Identity.issuer == issuer))
        if not gone.rowcount:  # type: ignore[attr-defined]
            return None
        sessions.end_all(user_id)
        accounts.record(actor, "user.unlink_identity", user_id, reason=reason, changes={"identity": [issuer, None]})
        return session.scalar(select(User.email).where(User.id == user_id))


def readdress(user_id: UUID, email: str, *, actor: str, reason: str) -> str | None:
    """The person has this address, and no link sent to the old one works; None if they are nobody, or have it.

    Raises Conflict if it is somebody else's.
    """
    with transaction() as session:
        user = session.get(User, user_id, with_for_update=True)
        if user is None or user.email == email:
            return None
        if session.scalar(select(User.id).where(User.email == email)) is not None:
            raise Conflict(f"{email} is somebody else's here; {user.email} is kept")
        old, user.email = user.email, email
        user.claim(None)
        links.void(user_id)
        accounts.record(actor, "user.change_address", user_id, reason=reason, changes={"email": [old, email]})
        return email
