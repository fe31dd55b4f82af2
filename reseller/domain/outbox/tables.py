"""The table of events that have happened."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from reseller.database import Base, Created, Identified


class Event(Identified, Created, Base):
    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_undispatched", "position", postgresql_where="dispatched_at IS NULL"),
        Index("ix_outbox_account_id_id", "account_id", "id"),
    )

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))  # ids of one millisecond have no order
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"))  # None: for every account, or for the operator
    name: Mapped[str] = mapped_column(Text)  # of EVENTS
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)  # the fields that EVENTS names
    dispatched_at: Mapped[datetime | None]  # when it was handed on to all who listen
