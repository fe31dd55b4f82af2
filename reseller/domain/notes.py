"""What staff write down about a customer, for each other. Never shown to the customer. Rows are only added."""

from uuid import UUID

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from reseller.database import Base, Created, Identified


class AccountNote(Identified, Created, Base):
    __tablename__ = "account_notes"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    author: Mapped[str] = mapped_column(Text)  # actor, as in audit rows
    body: Mapped[str] = mapped_column(Text)
