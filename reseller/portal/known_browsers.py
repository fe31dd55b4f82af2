"""A browser in which somebody has signed in before is known by a sealed cookie. It opens nothing: the brakes on guessing
count it for itself, so that strangers' failures at the same address do not keep its owner out."""

import secrets

from flask import current_app, request
from werkzeug.wrappers import Response

from reseller.domain.identity import throttle
from reseller.domain.identity.sealing import Broken
from reseller.portal import acting

PURPOSE = "known browser"
KEPT_SECONDS = 400 * 86_400  # the longest that browsers keep a cookie


def known(email: str) -> str | None:
    """The name of this browser if the person with this address has signed in here before."""
    try:
        whose, name = acting.seal(PURPOSE).open(request.cookies.get(_cookie(), "")).split(" ")
    except (Broken, ValueError):
        return None
    return name if whose == throttle.mailbox_of(email) else None


def remember(response: Response, email: str) -> Response:
    """The browser is known from now on as one of the person with this address."""
    name = known(email) or secrets.token_hex(16)
    response.set_cookie(
        _cookie(),
        acting.seal(PURPOSE).close(f"{throttle.mailbox_of(email)} {name}"),
        max_age=KEPT_SECONDS,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
    return response


def _cookie() -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}-known"
