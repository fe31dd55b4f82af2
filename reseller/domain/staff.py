"""Who changed what, why, from what to what: one row for each privileged or money action (R37).

Rows are only added, and always inside the transaction of the change itself, so neither can
exist without the other. Secrets never enter `changes`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from reseller.database import Base, Created, Identified, db

_address: ContextVar[str] = ContextVar("address", default="")


@contextmanager
def acting_from(address: str) -> Iterator[None]:
    """Audit rows written inside say from which network address."""
    token = _address.set(address)
    try:
        yield
    finally:
        _address.reset(token)


def acting_address() -> str:
    """The network address of whoever acts; "" for commands and jobs."""
    return _address.get()


def actor_of(user_id: UUID) -> str:
    """How a person is named in audit rows and ledger entries."""
    return f"user:{user_id}"


def person_of(actor: str) -> UUID | None:
    """The person whom an actor's name means; None for commands and jobs."""
    kind, _, name = actor.partition(":")
    try:
        return UUID(name) if kind == "user" else None
    except ValueError:
        return None


class StaffAction(Identified, Created, Base):
    __tablename__ = "staff_actions"
    __table_args__ = (
        Index("ix_staff_actions_actor_id", "actor", "id"),
        Index("ix_staff_actions_action_id", "action", "id"),
        Index("ix_staff_actions_subject_id_id", "subject_id", "id"),
    )

    actor: Mapped[str] = mapped_column(Text)  # "cli:<os user>", "user:<id>", "system:<job>"
    action: Mapped[str] = mapped_column(Text)  # noun.verb
    subject_kind: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID | None] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    address: Mapped[str] = mapped_column(Text, default="", server_default="")  # network address of who did it; "" for commands and jobs
    changes: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)  # field → [before, after]


def record(
    actor: str,
    action: str,
    subject_kind: str,
    subject_id: object,
    *,
    account_id: UUID | None = None,
    reason: str = "",
    changes: dict[str, Any] | None = None,
) -> None:
    """An audit row is part of the caller's transaction."""
    db.session.add(
        StaffAction(
            actor=actor,
            action=action,
            subject_kind=subject_kind,
            subject_id=str(subject_id),
            account_id=account_id,
            reason=reason,
            address=_address.get(),
            changes=changes or {},
        )
    )
