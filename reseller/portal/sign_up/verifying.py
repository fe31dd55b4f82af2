"""/verify/…: an address is confirmed. In the browser that signed up, one click signs in; in any other the password is asked for too.

Otherwise somebody who registers a stranger's address, with a password of his own, would get a verified account from the
stranger's click.
"""

from flask import flash, render_template, request, session, url_for
from werkzeug.wrappers import Response

from reseller.domain import registration
from reseller.domain.identity import entrance, links, passwords, throttle
from reseller.domain.identity.links import Opened, Purpose
from reseller.errors import NotFound, TooManyFailures
from reseller.portal import acting, hashing, known_browsers
from reseller.portal.letter_pages import BROWSER, gone, of_link, trial
from reseller.portal.sign_in.onwards import onwards
from reseller.portal.sign_up.forms import OwnPasswordForm
from reseller.web import signed_in
from reseller.web.error_pages import with_wait

NO_MATCH = (
    "That is not the password this address was registered with last. If you did not choose it, sign up again: "
    "your own password takes the place of the other one."
)


def show(token: str) -> Response:
    """A button, and the password in another browser. Nothing has changed."""
    try:
        opened = links.look(token, Purpose.VERIFY)
    except NotFound as refusal:
        return _gone(refusal)
    return _page(opened, OwnPasswordForm())


def finish(token: str) -> Response:
    """The address is verified and its owner is signed in."""
    try:
        opened = links.look(token, Purpose.VERIFY)
        refused = None if opened.is_of(session.get(BROWSER)) else _without_password(opened)
        if refused is not None:
            return refused
        user_id = registration.verify(token, trial=trial())
    except NotFound as refusal:
        return _gone(refusal)
    signed_in.forget()  # whoever was here before
    signed_in.remember(entrance.enter(user_id, address=acting.address(), user_agent=request.user_agent.string))
    flash("Your address is confirmed. Welcome!", "success")
    return known_browsers.remember(onwards(), opened.email)


def _without_password(opened: Opened) -> Response | None:
    """The answer to somebody in another browser whose password is not right; None if it is."""
    form = OwnPasswordForm(request.form)
    if not form.validate():
        return _page(opened, form, status=400)
    brakes = throttle.code_brakes(opened.user_id, None)
    try:
        throttle.attempt(brakes)
    except TooManyFailures as refusal:
        return with_wait(_page(opened, form, problem=refusal.message, status=429), refusal)
    if hashing.aside(passwords.candidate_of(opened.user_id).proved_by, form.password.data) is None:
        return _page(opened, form, problem=NO_MATCH, status=403)
    throttle.succeed(brakes)
    return None


def _page(opened: Opened, form: OwnPasswordForm, *, problem: str = "", status: int = 200) -> Response:
    is_same = opened.is_of(session.get(BROWSER))
    return of_link(render_template("portal/verify.html", email=opened.email, form=form, is_same=is_same, problem=problem), status)


def _gone(refusal: NotFound) -> Response:
    hint = "If you have used it already, all is well. If your address still waits, sign in: you can have another letter sent."
    is_in = signed_in.person() is not None
    return gone(refusal, onwards=url_for("sign_in.show"), words="Go on" if is_in else "Sign in", hint=hint)
