"""Upstreams: who answers our customers' calls, whether their models are for sale, and whether this process can reach them."""

import os
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, request
from flask_admin.form import BaseForm
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Regexp

from reseller.backoffice import reasons
from reseller.backoffice.access import ADMINS, STAFF, Page, actor, exposed, pages
from reseller.backoffice.editing import put_on_form
from reseller.domain import jobs, pricing
from reseller.domain.pricing import UpstreamKind, UpstreamState
from reseller.errors import Conflict, InvalidRequest
from reseller.wiring import wiring

SYNC = "sync catalogue"  # the job's name in the worker's schedule


class UpstreamForm(BaseForm):  # type: ignore[misc]
    name = StringField("Name", [InputRequired("Give it a name."), Length(max=40)], description="Small letters, digits, hyphens.")
    base_url = StringField(
        "Address",
        [InputRequired("Where does it answer?"), Length(max=300)],
        description="Up to and with the version: https://api.example.com/v1",
    )
    key_variable = StringField(
        "Environment variable of its key",
        [Length(max=100)],
        description="Its name, never the key: UPSTREAM_ACME_KEY. Set it for every process and restart them. Empty: it needs no key.",
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    priority = StringField(
        "Priority", [Regexp(r"-?[0-9]{1,7}\Z", message="A whole number, please.")], default="0", description="The highest is asked first."
    )
    reason = TextAreaField("Reason", [InputRequired("Say why; the audit log keeps it."), Length(max=500)], render_kw={"rows": 2})


@dataclass(frozen=True, slots=True)
class Reach:
    """How one upstream looks from this process."""

    state: UpstreamState
    has_key: bool
    breaker: str  # closed, open, none


def _reach(state: UpstreamState) -> Reach:
    client = wiring().upstreams.get(state.name)
    needs_none = state.kind == UpstreamKind.SANDBOX or not state.key_variable
    has_key = needs_none or client is not None or bool(os.environ.get(state.key_variable))
    breaker = getattr(client, "breaker", None)
    return Reach(state, has_key, "none" if breaker is None else "open" if breaker.is_open else "closed")


class Upstreams(Page):
    access = pages(STAFF, "index") | pages(ADMINS, "add", "switch")
    confirmed = frozenset({"add", "switch"})

    @exposed("/")
    def index(self) -> str:
        upstreams = [_reach(state) for state in pricing.upstream_states()]
        return str(self.render("operations/upstreams.html", upstreams=upstreams, sync=jobs.state_of(SYNC)))

    @exposed("/new/", methods=("GET", "POST"))
    def add(self) -> Any:
        form = UpstreamForm(request.form if request.method == "POST" else None)
        if request.method != "POST":
            return self.render("operations/upstream.html", form=form)
        if not form.validate():
            return self.render("operations/upstream.html", form=form), 400
        try:
            pricing.add_upstream(
                form.name.data.strip(),
                base_url=form.base_url.data,
                key_variable=(form.key_variable.data or "").strip(),
                priority=int(form.priority.data),
                actor=actor(),
                reason=form.reason.data,
            )
        except (InvalidRequest, Conflict) as refusal:
            put_on_form(form, refusal)
            return self.render("operations/upstream.html", form=form), 409 if isinstance(refusal, Conflict) else 400
        flash("Added and switched on. Its models are for sale once the catalogue is synced and a rule prices them.", "success")
        return redirect(self.get_url(".index"))

    @exposed("/switch/", methods=("POST",))
    def switch(self) -> Any:
        form = request.form
        name, wanted, version = form.get("name", ""), form.get("to", ""), form.get("version", "")
        if wanted not in ("on", "off") or not (version.isascii() and version.isdigit() and len(version) < 10):
            raise InvalidRequest("The form is not complete. Open the page again.")
        reason = reasons.reason_given()
        pricing.set_upstream_active(name, wanted == "on", actor=actor(), reason=reason, seen_version=int(version))
        flash(f"{name} is {wanted}.", "success")
        return redirect(self.get_url(".index"))
