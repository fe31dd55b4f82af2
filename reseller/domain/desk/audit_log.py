"""The audit log as people read it: who did what to what, from what to what, why, and from which address (R37)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from reseller.domain.desk.actors import names_of
from reseller.domain.desk.change_words import Change, changes_told
from reseller.domain.desk.naming import names_of_accounts
from reseller.domain.staff import StaffAction

NOTHING = "–"

_PAST = {
    "accept": "accepted", "add": "added", "approve": "approved", "change": "changed", "confirm": "confirmed", "create": "created",
    "end": "ended", "enrol": "enrolled", "give": "gave", "grant": "granted", "halt": "halted", "issue": "issued", "link": "linked",
    "mint": "made", "register": "registered", "reject": "rejected", "remove": "removed", "replace": "replaced", "request": "asked for",
    "reset": "reset", "restore": "restored", "resume": "resumed", "retire": "retired", "revert": "reverted", "revoke": "revoked",
    "show": "showed", "suspend": "suspended", "switch": "switched", "unlink": "unlinked", "withdraw": "withdrew", "write": "wrote",
}  # fmt: skip
_WHOLE = {"user.sign_in": "signed in", "user.sign_out": "signed out"}


@dataclass(frozen=True, slots=True)
class AuditLine:
    id: UUID
    created_at: datetime
    actor: str
    actor_name: str
    action: str
    what: str
    subject_kind: str
    subject_id: str
    account_id: UUID | None
    account_name: str | None
    changes: tuple[Change, ...]
    changes_text: str
    reason: str
    address: str


def lines(rows: Sequence[StaffAction]) -> list[AuditLine]:
    """The actions in their order; two queries more, however many they are."""
    actors = names_of(row.actor for row in rows)
    accounts = names_of_accounts(row.account_id for row in rows)
    return [_line(row, actors[row.actor], accounts.get(row.account_id) if row.account_id else None) for row in rows]


def words_of(action: str) -> str:
    """`limit_preset.change` → "changed limit preset"; `user.change_role` → "changed role of user"."""
    if action in _WHOLE:
        return _WHOLE[action]
    noun, _, verb = action.replace("_", " ").rpartition(".")
    first, _, rest = verb.partition(" ")
    done = _PAST.get(first, first)
    return f"{done} {rest} of {noun}" if rest else f"{done} {noun}"


def _line(row: StaffAction, actor_name: str, account_name: str | None) -> AuditLine:
    changes = changes_told(row.changes)
    return AuditLine(
        id=row.id,
        created_at=row.created_at,
        actor=row.actor,
        actor_name=actor_name,
        action=row.action,
        what=words_of(row.action),
        subject_kind=row.subject_kind,
        subject_id=row.subject_id,
        account_id=row.account_id,
        account_name=account_name,
        changes=changes,
        changes_text="; ".join(f"{change.field}: {change.before or NOTHING} → {change.after or NOTHING}" for change in changes),
        reason=row.reason,
        address=row.address,
    )
