"""Incidents: what staff tell everybody, on the status page and above every page of the portal, while something is wrong."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import flash, redirect, request
from flask_admin.form import BaseForm
from wtforms import SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from reseller.backoffice.access import STAFF, Page, Roles, exposed, me, pages
from reseller.backoffice.editing import VersionedForm, put_on_form
from reseller.domain import uptime
from reseller.domain.accounts import Role
from reseller.domain.uptime import PART_NAMES, Impact, IncidentDraft, IncidentState
from reseller.domain.uptime.incidents import MAX_TITLE_CHARACTERS, MAX_WORDS_CHARACTERS
from reseller.errors import Conflict, InvalidRequest
from reseller.web.service_news import HISTORY, news

TELLERS: Roles = frozenset({Role.SUPPORT, Role.ADMIN})
"""Whoever talks with customers anyway."""
IMPACTS = {
    Impact.MINOR: "minor: some calls or pages fail, or are slow",
    Impact.MAJOR: "major: most do",
    Impact.MAINTENANCE: "planned work",
}
STATES = {
    IncidentState.INVESTIGATING: "we look into it",
    IncidentState.IDENTIFIED: "we know what it is",
    IncidentState.WATCHING: "mended, and watched",
    IncidentState.RESOLVED: "resolved: this closes it",
}


def _choices(words: Mapping[Any, str]) -> list[SelectChoice]:
    return [SelectChoice(value=str(value), label=label) for value, label in words.items()]


def _words(label: str, help_text: str) -> TextAreaField:
    checks = [InputRequired("Say what you know."), Length(max=MAX_WORDS_CHARACTERS)]
    return TextAreaField(label, checks, description=help_text, render_kw={"rows": 4})


class IncidentForm(BaseForm):  # type: ignore[misc]
    title = StringField(
        "Title", [InputRequired("Give it a title."), Length(max=MAX_TITLE_CHARACTERS)], description="Such as: Some calls fail."
    )
    impact = SelectField("How bad", choices=_choices(IMPACTS))
    parts = SelectMultipleField(
        "What is concerned", choices=_choices(PART_NAMES), widget=ListWidget(prefix_label=False), option_widget=CheckboxInput()
    )
    words = _words(
        "What customers should know", "Anybody reads it: what does not work, for whom, since when, and what they can do meanwhile."
    )


class UpdateForm(VersionedForm):
    state = SelectField("How it stands", choices=_choices(STATES))
    impact = SelectField("How bad", choices=_choices(IMPACTS))
    words = _words("What is new", "Anybody reads it. What was written before stays.")


class Incidents(Page):
    access = pages(STAFF, "index", "show") | pages(TELLERS, "add", "update")

    @exposed("/")
    def index(self) -> str:
        return str(self.render("operations/incidents.html", incidents=uptime.recent(HISTORY)))

    @exposed("/new/", methods=("GET", "POST"))
    def add(self) -> Any:
        form = IncidentForm(request.form if request.method == "POST" else None)
        if request.method != "POST":
            return self.render("operations/incident_new.html", form=form)
        try:
            if not form.validate():
                return self.render("operations/incident_new.html", form=form), 400
            draft = IncidentDraft(form.title.data, form.impact.data, form.parts.data or [], form.words.data)
            incident_id = uptime.open_incident(draft, user_id=me().user_id)
        except InvalidRequest as refusal:
            put_on_form(form, refusal)
            return self.render("operations/incident_new.html", form=form), 400
        news().forget()
        flash("Told: it stands on the status page, and above every page of customers within seconds.", "success")
        return redirect(self.get_url(".show", incident_id=incident_id))

    @exposed("/<uuid:incident_id>/")
    def show(self, incident_id: UUID) -> str:
        incident = uptime.one(incident_id)
        form = UpdateForm(data={"state": incident.state, "impact": incident.impact, "version": str(incident.version)})
        return str(self.render("operations/incident.html", incident=incident, form=form))

    @exposed("/<uuid:incident_id>/update/", methods=("POST",))
    def update(self, incident_id: UUID) -> Any:
        form = UpdateForm(request.form)
        status = 400
        if form.validate():
            given = {"state": form.state.data, "impact": form.impact.data, "words": form.words.data}
            try:
                uptime.add_update(incident_id, **given, user_id=me().user_id, seen_version=form.seen_version())
                news().forget()
                flash("Told.", "success")
                return redirect(self.get_url(".show", incident_id=incident_id))
            except (InvalidRequest, Conflict) as refusal:
                put_on_form(form, refusal)
                status = 409 if isinstance(refusal, Conflict) else 400
        incident = uptime.one(incident_id)
        form.version.data = str(incident.version)
        return self.render("operations/incident.html", incident=incident, form=form), status
