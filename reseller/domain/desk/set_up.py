"""What an operator has confirmed by hand before selling, such as an agreement with the upstream.

Written by `confirm` and `withdraw_confirmation`. What can be looked up instead of confirmed is in `readiness`.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, transaction
from reseller.domain import staff
from reseller.domain.accounts import User
from reseller.errors import Conflict, InvalidRequest, NotFound

AGREEMENT = "upstream_agreement"
BACKUP = "backup"
CONFIRMABLE = frozenset({AGREEMENT, BACKUP})
MAX_NOTE_CHARACTERS = 500


class Confirmation(Base):
    __tablename__ = "confirmations"

    name: Mapped[str] = mapped_column(Text, primary_key=True)  # which point of the set-up list
    confirmed_by_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    confirmed_at: Mapped[datetime] = mapped_column(default=now)
    note: Mapped[str] = mapped_column(Text, default="")


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Who confirmed a point, when, and what they noted."""

    name: str
    email: str
    confirmed_at: datetime
    note: str


def confirm(name: str, *, user_id: UUID, note: str) -> None:
    """This person has confirmed the point. Raises NotFound for no such point, InvalidRequest without a note, Conflict the second time."""
    note = note.strip()
    if name not in CONFIRMABLE:
        raise NotFound("There is no such point to confirm.")
    if not 0 < len(note) <= MAX_NOTE_CHARACTERS:
        raise InvalidRequest(f"Say what was agreed, in 1 to {MAX_NOTE_CHARACTERS} characters.", param="reason")
    with transaction() as session:
        if session.get(Confirmation, name, with_for_update=True) is not None:
            raise Conflict("Somebody has confirmed this already.")
        session.add(Confirmation(name=name, confirmed_by_id=user_id, note=note))
        staff.record(staff.actor_of(user_id), "set_up.confirm", "set_up_point", name, reason=note, changes={"confirmed": [False, True]})
        session.flush()


def withdraw_confirmation(name: str, *, user_id: UUID, reason: str) -> None:
    """The point is open again. Raises NotFound if nobody had confirmed it, InvalidRequest without a reason."""
    if not reason.strip():
        raise InvalidRequest("Say why it holds no more.", param="reason")
    with transaction() as session:
        row = session.get(Confirmation, name, with_for_update=True)
        if row is None:
            raise NotFound("Nobody has confirmed this.")
        session.delete(row)
        staff.record(
            staff.actor_of(user_id),
            "set_up.withdraw",
            "set_up_point",
            name,
            reason=reason.strip(),
            changes={"confirmed": [True, False]},
        )


def confirmations() -> dict[str, Confirmed]:
    """Every confirmed point by its name."""
    with transaction() as session:
        rows = session.execute(select(Confirmation, User.email).join(User, User.id == Confirmation.confirmed_by_id))
        return {row.name: Confirmed(row.name, email, row.confirmed_at, row.note) for row, email in rows}
