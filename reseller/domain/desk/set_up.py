"""What an operator has confirmed by hand before selling, such as an agreement with the upstream."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base


class Confirmation(Base):
    __tablename__ = "confirmations"

    name: Mapped[str] = mapped_column(Text, primary_key=True)  # which point of the set-up list
    confirmed_by_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    confirmed_at: Mapped[datetime] = mapped_column(default=now)
    note: Mapped[str] = mapped_column(Text, default="")
