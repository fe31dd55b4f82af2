"""The clock's jobs: what each last did, and running one now."""

from typing import Any

from flask import flash, redirect, request

from reseller.backoffice import reasons
from reseller.backoffice.access import ADMINS, STAFF, Page, actor, exposed, pages
from reseller.backoffice.cells import span
from reseller.clock import now
from reseller.domain import jobs


class Jobs(Page):
    access = pages(STAFF, "index") | pages(ADMINS, "run")

    @exposed("/")
    def index(self) -> str:
        return str(self.render("operations/jobs.html", jobs=jobs.all_jobs(), now=now(), span=span))

    @exposed("/run/", methods=("POST",))
    def run(self) -> Any:
        name = request.form.get("name", "")
        jobs.request_run(name, actor=actor(), reason=reasons.reason_given())
        flash(f"“{name}” runs as soon as a worker takes it, within seconds. Reload this page to see what came of it.", "success")
        return redirect(self.get_url(".index"))
