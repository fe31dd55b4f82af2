"""Limit presets: named sets of limits that are given to customers on their page."""

import re
from typing import Any, ClassVar

from flask import request
from wtforms import IntegerField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from reseller.backoffice import reasons
from reseller.backoffice.access import ADMINS, STAFF, actor, edits, pages
from reseller.backoffice.editing import EditableTable, VersionedForm
from reseller.backoffice.tables import Formatter
from reseller.domain import limits
from reseller.domain.limits.changes import MOST
from reseller.domain.limits.presets import MAX_NAME_CHARACTERS
from reseller.errors import Conflict

FIGURES = {
    "requests_per_minute": "Requests per minute",
    "requests_per_hour": "Requests per hour",
    "requests_per_day": "Requests per day",
    "max_tokens_per_request": "Output tokens per request",
    "concurrent_requests": "Requests at once",
}
_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)


class WholeNumber(IntegerField):  # type: ignore[misc]
    """Plain digits only: `int` would also take "1_000" and digits of other scripts."""

    def process_formdata(self, valuelist: list[str]) -> None:
        text = valuelist[0].strip() if valuelist else ""
        if text and not _DIGITS.fullmatch(text):
            self.data = None
            raise ValueError("Digits only, please.")
        self.data = int(text) if text else None


def _limit(label: str) -> WholeNumber:
    return WholeNumber(
        label, [Optional(), NumberRange(1, MOST)], description="Empty: no limit.", render_kw={"min": 1, "inputmode": "numeric"}
    )


class PresetForm(VersionedForm):
    name = StringField("Name", [InputRequired("Give it a name."), Length(max=MAX_NAME_CHARACTERS)])
    requests_per_minute = _limit(FIGURES["requests_per_minute"])
    requests_per_hour = _limit(FIGURES["requests_per_hour"])
    requests_per_day = _limit(FIGURES["requests_per_day"])
    max_tokens_per_request = _limit(FIGURES["max_tokens_per_request"])
    concurrent_requests = _limit(FIGURES["concurrent_requests"])
    reason = TextAreaField("Reason", [InputRequired("Say why; the audit log keeps it."), Length(max=500)], render_kw={"rows": 2})

    def figures(self) -> dict[str, int | None]:
        return {column: self._fields[column].data for column in FIGURES}


def _figure(column: str) -> Formatter:
    def shown(row: Any) -> str:
        value = getattr(row, column)
        return "no limit" if value is None else f"{value:,}"

    return shown


class Presets(EditableTable):
    access = pages(STAFF, "index_view") | pages(ADMINS, "export") | edits(ADMINS)
    can_view_details = False
    edit_template = create_template = "operations/preset.html"
    form = PresetForm
    intro = "Giving a preset to a customer copies its figures; what happens to the preset afterwards changes no customer."
    empty = "No preset yet."
    column_list = ("name", *FIGURES, "created_at")
    labels: ClassVar = FIGURES | {"created_at": "Made"}
    numeric = frozenset(FIGURES)
    cells: ClassVar[dict[str, Formatter]] = {column: _figure(column) for column in FIGURES}

    def add(self, form: Any) -> None:
        limits.add_preset(form.name.data, form.figures(), actor=actor(), reason=form.reason.data)

    def change(self, row: Any, form: Any) -> None:
        seen = form.seen_version()
        limits.change_preset(row.id, form.name.data, form.figures(), seen_version=seen, actor=actor(), reason=form.reason.data)

    def remove(self, row: Any) -> None:
        version = request.form.get("version", "")
        if not _DIGITS.fullmatch(version):
            raise Conflict("The form does not say which version you looked at. Open the page again.")
        limits.remove_preset(row.id, seen_version=int(version), actor=actor(), reason=reasons.reason_given())
