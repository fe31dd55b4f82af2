"""The audit log, to be read: rows are added by the verbs they tell of and by nothing else."""

from typing import Any, ClassVar

from flask import url_for
from markupsafe import Markup
from sqlalchemy import ColumnElement

from reseller.backoffice import cells
from reseller.backoffice.access import ADMINS, STAFF, pages
from reseller.backoffice.filters import AccountIs, ActorIs, ListFilter, begins, between_days, equals
from reseller.backoffice.tables import Formatter, TableView
from reseller.domain.desk import audit_log
from reseller.domain.desk.audit_log import NOTHING, AuditLine
from reseller.domain.desk.change_words import Change
from reseller.domain.staff import StaffAction


def _is_action(words: str) -> ColumnElement[bool]:
    """`limit_preset` finds everything done to presets, `limit_preset.change` only changes; "limit preset" will do, too."""
    action = words.strip().replace(" ", "_")
    return equals(StaffAction.action)(action) if "." in action else begins(StaffAction.action)(action)


def _subject(line: AuditLine) -> Any:
    if line.subject_kind == "account":
        return None  # it has a column of its own
    href = url_for("audit_log.index_view", subject=line.subject_id)
    return cells.ident(line.subject_id, href)


def _changes(line: AuditLine) -> Any:
    """What something came to be, or from → to."""
    return Markup("<br>").join(_change(change) for change in line.changes) or None


def _change(change: Change) -> Markup:
    if not change.before:
        return Markup('<span class="muted">{}</span> <strong>{}</strong>').format(change.field, change.after)
    return Markup('<span class="muted">{}</span> {} → <strong>{}</strong>').format(change.field, change.before, change.after or NOTHING)


class AuditLog(TableView):
    access = pages(STAFF, "index_view", "details_view") | pages(ADMINS, "export")
    intro = "Who did what in the back office, on the command line and by the clock. Rows are written with the change they tell of."
    empty = "Nothing has been done yet."
    column_list = ("created_at", "actor_name", "what", "subject_id", "account_name", "changes", "reason", "address")
    column_details_list = (
        "created_at",
        "actor_name",
        "actor",
        "what",
        "action",
        "subject_id",
        "account_name",
        "changes",
        "reason",
        "address",
    )
    column_export_list = (
        "created_at", "actor", "actor_name", "action", "what", "subject_kind", "subject_id", "account_id", "account_name", "changes_text",
        "reason", "address", "id",
    )  # fmt: skip
    labels: ClassVar = {
        "created_at": "Time",
        "actor": "Actor",
        "actor_name": "Who",
        "what": "What",
        "action": "Action",
        "subject_kind": "Kind of subject",
        "subject_id": "Subject",
        "account_id": "Account id",
        "account_name": "Account",
        "changes": "From → to",
        "changes_text": "From → to",
        "reason": "Why",
        "address": "From where",
        "id": "Entry",
    }
    cells: ClassVar[dict[str, Formatter]] = {
        "subject_id": _subject,
        "account_name": lambda line: cells.account(line.account_id, line.account_name),
        "changes": _changes,
    }
    exports: ClassVar[dict[str, Formatter]] = {"subject_id": lambda line: line.subject_id}
    column_filters = (
        ActorIs(StaffAction.actor, label="Who"),
        ListFilter("action", "What", _is_action),
        AccountIs(StaffAction.account_id),
        ListFilter("subject", "Subject", equals(StaffAction.subject_id)),
        *between_days(StaffAction.id, StaffAction.created_at),
    )

    def shown(self, rows: list[Any]) -> list[Any]:
        return audit_log.lines(rows)
