"""What was told and is not told again: for events that somebody finds by looking, again and again, at what is so.

A mark is written in the transaction that announces, so of two who look at once one tells.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ForeignKey, Text, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, transaction


class EventMark(Base):
    __tablename__ = "event_marks"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)  # of EVENTS
    subject: Mapped[str] = mapped_column(Text, primary_key=True)  # what of the account it is about; "" for all of it
    told_at: Mapped[datetime]


def first_told(name: str, account_id: UUID, subject: str = "", *, again_after: timedelta | None = None) -> bool:
    """Whether this was not told so far, or not within `again_after`; from now on it was. In the transaction that announces it."""
    at, key = now(), ("account_id", "name", "subject")
    row = insert(EventMark).values(account_id=account_id, name=name, subject=subject, told_at=at)
    if again_after is None:
        query = row.on_conflict_do_nothing(index_elements=key)
    else:
        query = row.on_conflict_do_update(index_elements=key, set_={"told_at": at}, where=EventMark.told_at <= at - again_after)
    with transaction() as session:
        return session.execute(query.returning(EventMark.account_id)).first() is not None


def told_no_more(name: str, account_ids: Iterable[UUID]) -> None:
    """These accounts are told of it again when it is so again."""
    with transaction() as session:
        session.execute(delete(EventMark).where(EventMark.name == name, EventMark.account_id.in_(list(account_ids))))
