"""/overview: where a customer lands."""

from flask import Blueprint, render_template
from werkzeug.wrappers import Response

from reseller.web import signed_in

overview = Blueprint("overview", __name__, template_folder="templates")


@overview.get("/overview")
def show() -> Response | str:
    if signed_in.person() is None:
        return signed_in.to_sign_in()
    return render_template("portal/overview.html")
