"""Sessions of browsers: a random token in the cookie, its digest in a row. Without the row the cookie is worth nothing.

A privilege gained in a session (second factor) gives it a new token, so a token that somebody planted or saw before
is worth nothing afterwards (promise R26).
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.exc import NoResultFound

from reseller.clock import now
from reseller.database import forget_rows, transaction
from reseller.digest import digest_of
from reseller.domain.accounts import Role, User
from reseller.domain.identity.tables import SecondFactor, SignInSession
from reseller.errors import NotFound

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
    version: int  # of the person's row
    is_enrolled: bool  # has an authenticator
    second_factor_at: datetime | None
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A session as its owner sees it in a list."""

    id: UUID
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    user_agent: str
    second_factor_at: datetime | None


def begin(user_id: UUID, *, address: str, user_agent: str) -> str:
    """A new session of this person, opened with the password alone; the token for the cookie. Raises NoResultFound for nobody."""
    token = secrets.token_urlsafe(32)
    with transaction() as session:
        user = session.get_one(User, user_id)
        lasts = CUSTOMER_LASTS if user.role == Role.CUSTOMER else STAFF_LASTS
        session.add(
            SignInSession(
                token_digest=digest_of(token),
                user_id=user_id,
                expires_at=now() + lasts,
                address=address,
                user_agent=user_agent[:MAX_AGENT_CHARACTERS],
            )
        )
    return token


def find(token: str, *, is_use: bool = True) -> Found | None:
    """The session of this token and its person as they are now; None if it is over, revoked or was never one.

    `is_use`: whether somebody is at the browser. A page that refreshes itself must not keep an idle session alive.
    """
    at = now()
    with transaction() as session:
        query = select(SignInSession, User, exists().where(SecondFactor.user_id == User.id)).join(User, User.id == SignInSession.user_id)
        row = session.execute(query.where(SignInSession.token_digest == digest_of(token), ~_is_over())).first()
        if row is None:
            return None
        opened, user, is_enrolled = row
        if is_use and opened.seen_at < at - TOUCH_EVERY:
            session.execute(update(SignInSession).where(SignInSession.id == opened.id).values(seen_at=at))
        return Found(
            session_id=opened.id,
            user_id=user.id,
            email=user.email,
            full_name=user.full_name,
            role=Role(user.role),
            time_zone=user.time_zone,
            version=user.version,
            is_enrolled=is_enrolled,
            second_factor_at=opened.second_factor_at,
            confirmed_at=opened.confirmed_at,
        )


def raise_to_second_factor(session_id: UUID) -> str:
    """The session has shown its second factor just now and has a new token, which is returned. Raises NotFound if it is over."""
    at = now()
    return _renewed(session_id, second_factor_at=at, confirmed_at=at)


def confirm(session_id: UUID) -> str:
    """The session has shown again what it was opened with, and has a new token, which is returned. Raises NotFound if it is over."""
    return _renewed(session_id, confirmed_at=now())


def renew(session_id: UUID) -> str:
    """The session has a new token, which is returned: whoever had seen the old one has nothing. Raises NotFound if it is over."""
    return _renewed(session_id)


def _renewed(session_id: UUID, **proved: datetime) -> str:
    token = secrets.token_urlsafe(32)
    with transaction() as session:
        try:
            row = session.get_one(SignInSession, session_id, with_for_update=True)
        except NoResultFound:
            raise NotFound("This session is over. Sign in again.") from None
        row.token_digest = digest_of(token)
        for name, at in proved.items():
            setattr(row, name, at)
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


def sessions_of(user_id: UUID) -> list[Opened]:
    """The person's sessions that are not over, the last used first."""
    with transaction() as session:
        query = select(SignInSession).join(User, User.id == SignInSession.user_id).where(SignInSession.user_id == user_id, ~_is_over())
        rows = session.scalars(query.order_by(SignInSession.seen_at.desc(), SignInSession.id))
        names = [field.name for field in fields(Opened)]
        return [Opened(**{name: getattr(row, name) for name in names}) for row in rows]


def end_everybodys() -> int:
    """Nobody is signed in any more; how many sessions that ended. For a database that went back in time."""
    with transaction() as session:
        return int(session.execute(delete(SignInSession)).rowcount)  # type: ignore[attr-defined]


def presence_of(user_ids: Collection[UUID]) -> dict[UUID, tuple[int, datetime]]:
    """Person → how many of their sessions are not over, and when they were last there; who never was is left out. One query for all."""
    with transaction() as session:
        query = select(SignInSession.user_id, func.count().filter(~_is_over()), func.max(SignInSession.seen_at))
        query = query.join(User, User.id == SignInSession.user_id).where(SignInSession.user_id.in_(user_ids))
        return {user_id: (opened, seen_at) for user_id, opened, seen_at in session.execute(query.group_by(SignInSession.user_id))}


def forget_old() -> int:
    """Sessions that are over have no row; how many had."""
    over = select(SignInSession.id).join(User, User.id == SignInSession.user_id).where(_is_over())
    return forget_rows(SignInSession, SignInSession.id.in_(over))


def _is_over() -> ColumnElement[bool]:
    """Of a session joined with its person: its time has run out, or it is of staff and nobody was there for a while."""
    at = now()
    return or_(SignInSession.expires_at <= at, and_(User.role != Role.CUSTOMER, SignInSession.seen_at < at - STAFF_IDLE))


def living(ids: Collection[UUID]) -> set[UUID]:
    """Those of the sessions of staff that are not over: for pages that stay open. Does not count as using them."""
    return _open(ids, User.role != Role.CUSTOMER)


def still_open(ids: Collection[UUID]) -> set[UUID]:
    """Those of the sessions of anybody that are not over: for pages that stay open. Does not count as using them."""
    return _open(ids)


def _open(ids: Collection[UUID], *conditions: ColumnElement[bool]) -> set[UUID]:
    query = select(SignInSession.id).join(User, User.id == SignInSession.user_id).where(SignInSession.id.in_(ids), ~_is_over(), *conditions)
    with transaction() as session:
        return set(session.scalars(query))
