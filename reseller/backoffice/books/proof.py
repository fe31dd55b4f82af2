"""The proof that the books add up: what the last one said, whom it stopped, and another one now."""

from typing import Any

from flask import flash, redirect

from reseller.backoffice import reasons
from reseller.backoffice.access import MONEY, STAFF, Page, actor, exposed, pages
from reseller.backoffice.cells import span
from reseller.domain.desk import proof


class ProofOfBooks(Page):
    access = pages(STAFF, "index") | pages(MONEY, "run")

    @exposed("/")
    def index(self) -> str:
        found = proof.last_proof()
        return str(self.render("books/proof.html", proof=found, took=span(found.job.duration) if found.job else None))

    @exposed("/run/", methods=("POST",))
    def run(self) -> Any:
        proof.request_proof(actor=actor(), reason=reasons.reason_given())
        flash("A worker proves the books within seconds. Reload this page to see what it says.", "success")
        return redirect(self.get_url(".index"))
