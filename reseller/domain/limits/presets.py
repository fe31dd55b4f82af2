"""Named sets of limits that staff give to accounts. Giving copies the figures, so what happens to a preset changes no account."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.limits.changes import MOST
from reseller.domain.limits.tables import LIMIT_COLUMNS, LimitPreset
from reseller.errors import Conflict, InvalidRequest, NotFound

MAX_NAME_CHARACTERS = 80

_COLUMNS = tuple(LIMIT_COLUMNS.values())


def all_presets() -> list[LimitPreset]:
    """All of them, by name."""
    with transaction() as session:
        found = list(session.scalars(select(LimitPreset).order_by(LimitPreset.name)))
        session.expunge_all()
        return found


def add_preset(name: str, values: Mapping[str, int | None], *, actor: str, reason: str) -> UUID:
    """A preset of this name has these limits, by the columns of its table; None lifts one. Its id.

    Raises InvalidRequest for a name or figure that cannot be or without a reason, Conflict for a name that is taken.
    """
    name, figures, reason = _name(name), _figures(values), _reason(reason)
    with transaction() as session:
        row = LimitPreset(name=name, **figures)
        session.add(row)
        _flush(session, name)
        changes = {"name": [None, name], **{column: [None, value] for column, value in figures.items()}}
        staff.record(actor, "limit_preset.add", "limit_preset", row.id, reason=reason, changes=changes)
        return row.id


def change_preset(
    preset_id: UUID, name: str, values: Mapping[str, int | None], *, seen_version: int | None, actor: str, reason: str
) -> None:
    """The preset is this from now on; accounts that it was given to keep theirs.

    Raises NotFound, and as `add_preset`; Conflict also if somebody else changed it since `seen_version`.
    """
    name, figures, reason = _name(name), _figures(values), _reason(reason)
    with transaction() as session:
        row = _locked(preset_id)
        row.claim(seen_version)
        wanted = {"name": name, **figures}
        changes = {column: [getattr(row, column), value] for column, value in wanted.items() if getattr(row, column) != value}
        for column, value in wanted.items():
            setattr(row, column, value)
        _flush(session, name)
        staff.record(actor, "limit_preset.change", "limit_preset", preset_id, reason=reason, changes=changes)


def remove_preset(preset_id: UUID, *, seen_version: int | None, actor: str, reason: str) -> None:
    """The preset is gone. Raises NotFound, InvalidRequest without a reason, Conflict if it was changed since `seen_version`."""
    reason = _reason(reason)
    with transaction() as session:
        row = _locked(preset_id)
        row.claim(seen_version)
        changes = {column: [getattr(row, column), None] for column in ("name", *_COLUMNS)}
        session.delete(row)
        staff.record(actor, "limit_preset.remove", "limit_preset", preset_id, reason=reason, changes=changes)


def _locked(preset_id: UUID) -> LimitPreset:
    with transaction() as session:
        row = session.get(LimitPreset, preset_id, with_for_update=True, populate_existing=True)
        if row is None:
            raise NotFound("There is no such preset; somebody may have deleted it.")
        return row


def _flush(session: Session, name: str) -> None:
    """The row is in the transaction. The table itself says whether its name is free: two people may have chosen it at once."""
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(f"There is a preset named “{name}” already.", param="name") from None


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not 0 < len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
        raise InvalidRequest(f"A name has 1 to {MAX_NAME_CHARACTERS} printable characters.", param="name")
    return name


def _figures(values: Mapping[str, int | None]) -> dict[str, int | None]:
    for column, value in values.items():
        if value is not None and not 0 < value <= MOST:
            raise InvalidRequest("A limit is a whole number above zero; leave it empty for none.", param=column)
    return {column: values.get(column) for column in _COLUMNS}


def _reason(text: str) -> str:
    if not text.strip():
        raise InvalidRequest("Say why; the audit log keeps it.", param="reason")
    return text.strip()
