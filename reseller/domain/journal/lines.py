"""Audit rows as they leave the database, and the sums that tell how much traffic lies between two instants."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from reseller.clock import first_id, now
from reseller.domain.journal.kinds import LISTED, REPLAYED, is_among
from reseller.domain.staff import StaffAction


@dataclass(frozen=True, slots=True)
class Line:
    """One audit row."""

    id: UUID
    at: datetime
    actor: str
    action: str
    subject_kind: str
    subject_id: str
    account_id: UUID | None
    reason: str
    changes: dict[str, Any]

    def after(self, field: str) -> Any:
        """What a field was changed to; None if it was not."""
        change = self.changes.get(field)
        return change[1] if isinstance(change, list) and len(change) == 2 else None


@dataclass(frozen=True, slots=True)
class Sums:
    """Of all accounts together, ever; money in nano-dollars."""

    at: datetime
    calls: int
    charged_nano: int
    entries_nano: int


_SUMS = text(
    """SELECT (SELECT coalesce(sum(calls), 0) FROM api_keys) AS calls,
              (SELECT coalesce(sum(total_nano), 0) FROM api_keys) AS charged_nano,
              (SELECT coalesce(sum(entries_nano), 0) FROM balances) AS entries_nano"""
)


def lines_since(session: Session, since: datetime) -> list[Line]:
    """Audit rows from that instant on that a restore would do something about, the oldest first."""
    rows = session.scalars(select(StaffAction).where(StaffAction.id >= first_id(since)).order_by(StaffAction.id))
    return [
        Line(
            id=row.id,
            at=row.created_at,
            actor=row.actor,
            action=row.action,
            subject_kind=row.subject_kind,
            subject_id=row.subject_id,
            account_id=row.account_id,
            reason=row.reason,
            changes=row.changes,
        )
        for row in rows
        if is_among(row.action, REPLAYED) or is_among(row.action, LISTED)
    ]


def sums_now(session: Session) -> Sums:
    """As they are now."""
    found = session.execute(_SUMS).mappings().one()
    return Sums(now(), int(found["calls"]), int(found["charged_nano"]), int(found["entries_nano"]))
