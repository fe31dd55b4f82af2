"""Somebody has proved their password and not yet their address: what is missing, and another letter."""

from uuid import UUID

from flask import flash, make_response, redirect, render_template, session, url_for
from werkzeug.wrappers import Response

from reseller.domain import registration
from reseller.domain.identity import links, throttle
from reseller.domain.identity.links import Purpose
from reseller.domain.identity.sealing import Broken
from reseller.errors import TooManyFailures
from reseller.portal import acting, known_browsers
from reseller.portal.letter_pages import browser, letter_seal, letters_folder
from reseller.web.error_pages import with_wait

OWED = "owes_address"


def remember(user_id: UUID, email: str) -> Response:
    """To the page that says what is missing. The browser is not signed in by it."""
    session[OWED] = acting.seal(OWED).close(f"{user_id} {email}")
    return redirect(url_for("sign_in.unverified"))


def show() -> Response | str:
    """What is missing, and a button for another letter."""
    owing = _owing()
    return redirect(url_for("sign_in.show")) if owing is None else _page(owing[1])


def send_again() -> Response | str:
    """Another letter is on its way."""
    owing = _owing()
    if owing is None:
        return redirect(url_for("sign_in.show"))
    user_id, email = owing
    try:
        throttle.ask_letter(email, acting.address(), known_browsers.known(email))
    except TooManyFailures as refusal:
        return with_wait(make_response(_page(email, refusal.message), 429), refusal)
    registration.send_again(user_id, browser=browser(), seal=letter_seal())
    flash("Another letter is on its way. The link in older ones does not work any more.", "success")
    return redirect(url_for("sign_in.unverified"))


def _owing() -> tuple[UUID, str] | None:
    """Who it is, for as long as a link to a new password would work."""
    try:
        user_id, email = acting.seal(OWED).open(session.get(OWED, ""), within=links.LASTS[Purpose.RESET]).split(" ", 1)
    except Broken:
        return None
    return UUID(user_id), email


def _page(email: str, problem: str = "") -> str:
    return render_template("portal/unverified.html", to=email, problem=problem, folder=letters_folder())
