"""Audit rows as they leave the database, and the sums that tell how much traffic lies between two instants."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, func, literal, select, text
from sqlalchemy.orm import Session

from reseller.clock import first_id, now
from reseller.domain.journal.kinds import LISTED, REPLAYED
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


_COLUMNS = (
    StaffAction.id,
    StaffAction.created_at,
    StaffAction.actor,
    StaffAction.action,
    StaffAction.subject_kind,
    StaffAction.subject_id,
    StaffAction.account_id,
    StaffAction.reason,
    StaffAction.changes,
)
"""In the order of a Line's fields."""

# As `is_among` has it.
_MATTERS = StaffAction.action.in_(sorted(REPLAYED | LISTED)) | func.concat(func.split_part(StaffAction.action, ".", 1), ".*").in_(
    sorted(each for each in REPLAYED | LISTED if each.endswith(".*"))
)

_SUMS = text(
    """SELECT (SELECT coalesce(sum(calls), 0) FROM api_keys) AS calls,
              (SELECT coalesce(sum(total_nano), 0) FROM api_keys) AS charged_nano,
              (SELECT coalesce(sum(entries_nano), 0) FROM balances) AS entries_nano"""
)


def lines_since(session: Session, since: datetime) -> list[Line]:
    """Audit rows from that instant on that a restore would do something about, the oldest first."""
    return _lines(session, _MATTERS & (StaffAction.id >= first_id(since)))


def ids_since(session: Session, since: datetime) -> set[UUID]:
    """The same rows, by their ids alone: whoever has told most of them need not read those again."""
    return set(session.scalars(select(StaffAction.id).where(_MATTERS, StaffAction.id >= first_id(since))))


def lines_of(session: Session, ids: Collection[UUID]) -> list[Line]:
    """The rows of these ids, the oldest first."""
    return _lines(session, StaffAction.id == any_(literal(list(ids), ARRAY(Uuid)))) if ids else []


def _lines(session: Session, which: ColumnElement[bool]) -> list[Line]:
    return [Line(*row) for row in session.execute(select(*_COLUMNS).where(which).order_by(StaffAction.id))]


def sums_now(session: Session) -> Sums:
    """As they are now."""
    found = session.execute(_SUMS).mappings().one()
    return Sums(now(), int(found["calls"]), int(found["charged_nano"]), int(found["entries_nano"]))
