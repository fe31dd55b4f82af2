"""What a customer may ask for: for a while by anybody of staff, for good by finance and admins.

Support raises a limit while a customer launches, and it goes back by itself; what stays is a matter of the contract.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import flash, redirect, request
from wtforms import IntegerField, SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, NumberRange, Optional

from reseller.backoffice.access import MONEY, Page, actor, exposed, me
from reseller.backoffice.customers.actions import MAX_REASON_CHARACTERS, must_exist
from reseller.backoffice.editing import VersionedForm, put_on_form
from reseller.clock import now
from reseller.database import transaction
from reseller.domain import limits
from reseller.domain.desk import customer as desk
from reseller.domain.limits import LIMIT_COLUMNS, RateLimit
from reseller.errors import Conflict, InvalidRequest, NotFound

FOR_GOOD = "good"
SPANS = {"1": "an hour", "24": "a day", "168": "7 days", "720": "30 days", FOR_GOOD: "for good"}  # hours
MOST = 2_000_000_000


class WholeNumberField(IntegerField):  # type: ignore[misc]
    """Plain digits only: `int()` would also take underscores and digits of other scripts."""

    def process_formdata(self, valuelist: list[str]) -> None:
        text = valuelist[0].strip() if valuelist else ""
        if text and not (text.isascii() and text.isdigit()):
            self.data = None
            raise ValueError("A whole number above zero, or nothing for no limit.")
        super().process_formdata(valuelist)


def _figure(label: str) -> WholeNumberField:
    return WholeNumberField(
        label, validators=[Optional(), NumberRange(1, MOST, "A whole number above zero, or nothing for no limit.")], render_kw={"min": 1}
    )


class LimitsForm(VersionedForm):
    """Figures, or a preset instead of them; for how long; why."""

    rpm, rph, rpd = (_figure(desk.LABELS[name]) for name in ("rpm", "rph", "rpd"))
    concurrent, max_tokens = (_figure(desk.LABELS[name]) for name in ("concurrent", "max_tokens"))
    preset = SelectField("Preset", default="", description="A preset's figures replace those above.")
    span = SelectField("For how long")
    reason = TextAreaField(
        "Reason",
        validators=[DataRequired("Say why."), Length(max=MAX_REASON_CHARACTERS)],
        render_kw={"rows": 2},
        description="Staff read it.",
    )

    def figures(self) -> dict[str, int | None]:
        return {name: self[name].data for name in LIMIT_COLUMNS}


class ChangeLimits(Page):
    @exposed("/<uuid:account_id>/limits/", methods=("GET", "POST"))
    def limits(self, account_id: UUID) -> Any:
        name = must_exist(account_id)
        with transaction():
            row, presets = limits.limits_of(account_id), limits.all_presets()
        form, status = LimitsForm(request.form if request.method == "POST" else None), 200
        form.preset.choices = [SelectChoice("", "own figures"), *(SelectChoice(str(preset.id), preset.name) for preset in presets)]
        form.span.choices = [SelectChoice(value, words) for value, words in SPANS.items() if value != FOR_GOOD or me().role in MONEY]
        if request.method != "POST":
            _fill(form, row)
        elif not form.validate():
            status = 400
        else:
            try:
                return self._save(account_id, form)
            except Conflict as conflict:
                flash(conflict.message, "conflict")
                status = 409
            except (InvalidRequest, NotFound) as refusal:
                put_on_form(form, refusal)
                status = 400
        return self.render("customers/limits.html", form=form, account_id=account_id, name=name, row=row), status

    def _save(self, account_id: UUID, form: LimitsForm) -> Any:
        reverts_at = None if form.span.data == FOR_GOOD else now() + timedelta(hours=int(form.span.data))
        terms: dict[str, Any] = {
            "actor": actor(),
            "reason": form.reason.data.strip(),
            "seen_version": form.seen_version(),
            "reverts_at": reverts_at,
        }
        if form.preset.data:
            limits.give(account_id, UUID(form.preset.data), **terms)
        else:
            limits.change(account_id, form.figures(), **terms)
        flash("The new limits hold from now on" + ("." if reverts_at is None else " and go back by themselves."), "success")
        return redirect(self.get_url(".show", account_id=account_id, _anchor="limits"))


def _fill(form: LimitsForm, row: RateLimit) -> None:
    for name, column in LIMIT_COLUMNS.items():
        form[name].data = getattr(row, column)
    form.version.data = str(row.version)
