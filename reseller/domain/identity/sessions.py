"""Sessions of browsers: a random token in the cookie, its digest in a row. Without the row the cookie is worth nothing.

A privilege gained in a session (second factor) gives it a new token, so a token that somebody planted or saw before
is worth nothing afterwards (promise R26).
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update

from reseller.clock import now
from reseller.database import transaction
from reseller.domain.accounts import Role, User
from reseller.domain.identity.tables import SignInSession

STAFF_LASTS = timedelta(hours=12)
CUSTOMER_LASTS = timedelta(days=14)
STAFF_IDLE = timedelta(hours=2)
TOUCH_EVERY = timedelta(seconds=60)
MAX_AGENT_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Found:
    """Who a session belongs to, and what it has proved."""

    session_id: UUID
    user_id: UUID
    email: str
    full_name: str
    role: Role
    time_zone: str
    second_factor_at: datetime | None
    confirmed_at: datetime | None


def begin(user_id: UUID, *, address: str, user_agent: str) -> str:
    """A new session of this person, opened with the password alone; the token for the cookie. Raises NoResultFound for nobody."""
    token = secrets.token_urlsafe(32)
    with transaction() as session:
        user = session.get_one(User, user_id)
        lasts = CUSTOMER_LASTS if user.role == Role.CUSTOMER else STAFF_LASTS
        session.add(
            SignInSession(
                token_digest=_digest(token),
                user_id=user_id,
                expires_at=now() + lasts,
                address=address,
                user_agent=user_agent[:MAX_AGENT_CHARACTERS],
            )
        )
    return token


def find(token: str) -> Found | None:
    """The session of this token and its person as they are now; None if it is over, revoked or was never one."""
    at = now()
    with transaction() as session:
        row = session.execute(
            select(SignInSession, User).join(User, User.id == SignInSession.user_id).where(SignInSession.token_digest == _digest(token))
        ).first()
        if row is None:
            return None
        opened, user = row
        is_idle = user.role != Role.CUSTOMER and opened.seen_at < at - STAFF_IDLE
        if opened.expires_at <= at or is_idle:
            return None
        if opened.seen_at < at - TOUCH_EVERY:
            session.execute(update(SignInSession).where(SignInSession.id == opened.id).values(seen_at=at))
        return Found(
            opened.id, user.id, user.email, user.full_name, Role(user.role), user.time_zone, opened.second_factor_at, opened.confirmed_at
        )


def raise_to_second_factor(session_id: UUID) -> str:
    """The session has shown its second factor just now and has a new token, which is returned. Raises NoResultFound."""
    token = secrets.token_urlsafe(32)
    with transaction() as session:
        row = session.get_one(SignInSession, session_id, with_for_update=True)
        row.second_factor_at = row.confirmed_at = now()
        row.token_digest = _digest(token)
    return token


def end(session_id: UUID, *, user_id: UUID) -> bool:
    """The session of this person is over; False if it was none of theirs."""
    with transaction() as session:
        ended = session.execute(delete(SignInSession).where(SignInSession.id == session_id, SignInSession.user_id == user_id))
        return ended.rowcount == 1  # type: ignore[attr-defined,no-any-return]


def end_all(user_id: UUID, *, but: UUID | None = None) -> int:
    """Every session of this person is over, save `but`; how many were."""
    with transaction() as session:
        query = delete(SignInSession).where(SignInSession.user_id == user_id)
        if but is not None:
            query = query.where(SignInSession.id != but)
        return int(session.execute(query).rowcount)  # type: ignore[attr-defined]


def sessions_of(user_id: UUID) -> list[SignInSession]:
    """The person's sessions that are not over, the last used first."""
    with transaction() as session:
        query = select(SignInSession).where(SignInSession.user_id == user_id, SignInSession.expires_at > now())
        return list(session.scalars(query.order_by(SignInSession.seen_at.desc())))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
