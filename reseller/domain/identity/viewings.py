"""Staff look at the portal as one customer sees it: read-only, for a short while, with a reason that stays in the audit log.

A viewing belongs to one session of one member of staff. It is open while nobody ended it, its time is not over and the
session is there; whoever signs out or gets another role has lost it with the session. The operator's own: no account sees it.
Written by the verbs below alone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, or_, select, text
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import new_id, now
from reseller.database import Base, Created, Identified, transaction
from reseller.domain import staff
from reseller.domain.accounts import Account, Role, User
from reseller.domain.identity.tables import SignInSession
from reseller.errors import Forbidden, InvalidRequest, NotFound

LASTS = timedelta(minutes=30)
LEFT_ALONE = timedelta(hours=1)
"""So long after its time a viewing waits for its viewer, who is told that it is over; then its end is written down all the same."""

MAX_REASON_CHARACTERS = 500


class Viewing(Identified, Created, Base):
    __tablename__ = "viewings"
    __table_args__ = (Index("ix_viewings_open", "session_id", unique=True, postgresql_where=text("ended_at IS NULL")),)

    session_id: Mapped[UUID]  # no foreign key: sessions go when they are over, viewings stay
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    reason: Mapped[str] = mapped_column(Text)
    until: Mapped[datetime]
    ended_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Look:
    """Whose account is looked at, and how long yet."""

    id: UUID
    account_id: UUID
    account_name: str
    until: datetime

    @property
    def is_over(self) -> bool:
        """Whether its time has passed."""
        return self.until <= now()


def begin(session_id: UUID, user_id: UUID, account_id: UUID, *, reason: str) -> None:
    """This session sees the portal of the account for LASTS; another viewing of the session is over.

    Raises InvalidRequest without a reason, Forbidden for somebody who is not of staff, NotFound for no account or session.
    """
    words = reason.strip()
    if not words or len(words) > MAX_REASON_CHARACTERS:
        raise InvalidRequest(f"Say why, in at most {MAX_REASON_CHARACTERS} characters.", param="reason")
    with transaction() as session:
        role = session.scalar(
            select(User.role)
            .join(SignInSession, SignInSession.user_id == User.id)
            .where(SignInSession.id == session_id, User.id == user_id)
            .with_for_update(of=SignInSession)  # pressed twice at once: one viewing after the other
        )
        if role is None or session.get(Account, account_id) is None:
            raise NotFound("There is no such customer, or the session is over.")
        if role == Role.CUSTOMER:
            raise Forbidden("Only staff view as a customer.")
        end(session_id, user_id)
        until = now() + LASTS
        viewing_id = new_id()
        session.add(Viewing(id=viewing_id, session_id=session_id, user_id=user_id, account_id=account_id, reason=words, until=until))
        staff.record(
            staff.actor_of(user_id),
            "viewing.begin",
            "viewing",
            viewing_id,
            account_id=account_id,
            reason=words,
            changes={"ends_at": [None, until.isoformat()]},
        )


def end(session_id: UUID, user_id: UUID) -> UUID | None:
    """The session views nobody any more; the account it did view, if it did."""
    with transaction() as session:
        query = select(Viewing).where(Viewing.session_id == session_id, Viewing.user_id == user_id, Viewing.ended_at.is_(None))
        viewing = session.scalar(query.with_for_update())
        if viewing is None:
            return None
        _close(viewing, actor=staff.actor_of(user_id))
        session.flush()
        return viewing.account_id


def of(session_id: UUID) -> Look | None:
    """What this session views, or did until its time passed and nobody has said so yet; None for nothing."""
    query = select(Viewing.id, Viewing.account_id, Account.name, Viewing.until).join(Account, Account.id == Viewing.account_id)
    with transaction() as session:
        row = session.execute(query.where(Viewing.session_id == session_id, Viewing.ended_at.is_(None))).first()
    return None if row is None else Look(*row)


def still_open(ids: Collection[UUID]) -> set[UUID]:
    """Those of the viewings that are not over: for pages that stay open."""
    query = select(Viewing.id).join(SignInSession, SignInSession.id == Viewing.session_id)
    with transaction() as session:
        return set(session.scalars(query.where(Viewing.id.in_(ids), Viewing.ended_at.is_(None), Viewing.until > now())))


def close_over() -> int:
    """Viewings whose time or session is over have their end in the audit log too; how many had none."""
    with transaction() as session:
        query = select(Viewing).outerjoin(SignInSession, SignInSession.id == Viewing.session_id).where(Viewing.ended_at.is_(None))
        is_over = or_(Viewing.until <= now() - LEFT_ALONE, SignInSession.id.is_(None))
        over = list(session.scalars(query.where(is_over).with_for_update(of=Viewing, skip_locked=True)))
        for viewing in over:
            _close(viewing, actor="system:viewings", reason="its time was over" if viewing.until <= now() else "its session was over")
        return len(over)


def _close(viewing: Viewing, *, actor: str, reason: str = "") -> None:
    viewing.ended_at = now()
    staff.record(actor, "viewing.end", "viewing", viewing.id, account_id=viewing.account_id, reason=reason)
