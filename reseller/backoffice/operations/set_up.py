"""The set-up list: what must be true before selling to strangers, what is, and what to do about the rest."""

from typing import Any

from flask import flash, redirect, request

from reseller.backoffice.access import ADMINS, STAFF, Page, exposed, me, pages
from reseller.domain.desk import set_up


class SetUp(Page):
    access = pages(STAFF, "index") | pages(ADMINS, "confirm", "withdraw")

    @exposed("/")
    def index(self) -> str:
        return str(self.render("operations/set_up.html", confirmations=set_up.confirmations()))

    @exposed("/confirm/", methods=("POST",))
    def confirm(self) -> Any:
        set_up.confirm(request.form.get("name", ""), user_id=me().user_id, note=request.form.get("reason", ""))
        flash("Confirmed.", "success")
        return redirect(self.get_url(".index"))

    @exposed("/withdraw/", methods=("POST",))
    def withdraw(self) -> Any:
        set_up.withdraw_confirmation(request.form.get("name", ""), user_id=me().user_id, reason=request.form.get("reason", ""))
        flash("Open again.", "success")
        return redirect(self.get_url(".index"))
