"""Where somebody goes after a step of signing in: to the next step, or to where they wanted."""

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from reseller.web.signed_in import SignedIn, arriving, own_path, person, to_sign_in


def wanted(default: str) -> str:
    """The path of ours that `next` in the address names."""
    return own_path(request.args.get("next"), default)


def home_of(who: SignedIn) -> str:
    """Staff live in the back office, customers on their overview."""
    return url_for("admin.index") if who.is_staff else url_for("overview.show")


def onwards(path: str | None = None) -> Response:
    """The way on for whoever is at the browser: in the end to this path of ours, or to the one that `next` in the address names."""
    asked = wanted("") if path is None else own_path(path, "")
    here = person()
    if here is not None:
        return redirect(asked or home_of(here))
    half = arriving()
    if half is None:
        return to_sign_in()
    return redirect(url_for("sign_in.code" if half.is_enrolled else "sign_in.enrol", next=asked or None))
