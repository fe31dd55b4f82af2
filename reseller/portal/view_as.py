"""The end of a viewing as a customer. (It begins in the back office, on the customer's page.)"""

from flask import Blueprint, flash, redirect, url_for
from werkzeug.wrappers import Response

from reseller.domain.identity import viewings
from reseller.portal import acting
from reseller.web.signed_in import person, to_sign_in

view_as = Blueprint("view_as", __name__, template_folder="templates")


@view_as.post("/viewing/end")
@acting.anonymous
def end() -> Response:
    """Back to the customer's page; also where the time was over already."""
    who = person()
    if who is None:
        return to_sign_in()
    account_id = viewings.end(who.session_id, who.user_id)
    if account_id is None:
        return redirect("/")
    flash("The viewing is over.", "success")
    return redirect(url_for("customers.show", account_id=account_id))
