"""The second step: a code of the authenticator or a recovery code, at sign-in and again before what matters."""

from collections.abc import Callable

from flask import flash, make_response, render_template, request
from werkzeug.wrappers import Response

from reseller.domain.identity import entrance, passwords, recovery_codes, second_factor, throttle
from reseller.errors import TooManyFailures
from reseller.portal import acting, hashing, known_browsers
from reseller.portal.forms import AgainForm, CodeForm
from reseller.portal.sign_in.onwards import onwards, wanted
from reseller.web import signed_in
from reseller.web.error_pages import with_wait
from reseller.web.formats import counted
from reseller.web.signed_in import SignedIn

NO_CODE = "That code is not right. A code works once, for half a minute; wait for the next one."
NO_PASSWORD = "That is not your password."  # noqa: S105 - words, no secret


def ask() -> Response | str:
    """The form, for whoever has proved a password and owes a code."""
    who = signed_in.arriving()
    return _form(CodeForm()) if who is not None and who.is_enrolled else onwards()


def check() -> Response | str:
    """The session has shown its second factor."""
    who = signed_in.arriving()
    return _checked(who, CodeForm(request.form), _shown) if who is not None and who.is_enrolled else onwards()


def ask_again() -> Response | str:
    """The form, for whoever is signed in already."""
    who = signed_in.person()
    return onwards() if who is None else _form(CodeForm() if who.is_enrolled else AgainForm())


def check_again() -> Response | str:
    """The session has shown again what it was opened with."""
    who = signed_in.person()
    if who is None:
        return onwards()
    if who.is_enrolled:
        return _checked(who, CodeForm(request.form), _shown)
    return _checked(who, AgainForm(request.form), _proved)


def _checked(who: SignedIn, form: CodeForm | AgainForm, check_: Callable[[SignedIn, str], str | None]) -> Response:
    """The same for every proof: counted, looked at, and the session's new token in the cookie."""
    if not form.validate():
        return make_response(_form(form), 400)
    brakes = throttle.code_brakes(who.user_id, known_browsers.known(who.email))
    try:
        throttle.attempt(brakes)
    except TooManyFailures as refusal:
        return with_wait(make_response(_form(form, refusal.message), 429), refusal)
    token = check_(who, next(iter(form)).data)
    if token is None:
        return make_response(_form(form, NO_CODE if isinstance(form, CodeForm) else NO_PASSWORD), 403)
    throttle.succeed(brakes)
    signed_in.remember(token)
    _mention_recovery_codes(who)
    return known_browsers.remember(onwards(), who.email)


def _shown(who: SignedIn, code: str) -> str | None:
    return entrance.show_second_factor(who.session_id, who.user_id, code, seal=acting.seal(second_factor.PURPOSE))


def _proved(who: SignedIn, password: str) -> str | None:
    user_id = hashing.aside(passwords.candidate_of(who.user_id).proved_by, password)
    return None if user_id is None else entrance.confirm(who.session_id, user_id)


def _mention_recovery_codes(who: SignedIn) -> None:
    left = recovery_codes.left(who.user_id)
    if who.is_enrolled and left < recovery_codes.HOW_MANY // 2:
        flash(f"{counted(left, 'recovery code')} {'is' if left == 1 else 'are'} left. You can make new ones in your settings.", "info")


def _form(form: CodeForm | AgainForm, problem: str = "") -> str:
    who = signed_in.person()
    return render_template(
        "portal/second_step.html",
        form=form,
        problem=problem,
        is_recovery=request.args.get("with") == "recovery",
        has_password=who is None or passwords.has_one(who.user_id),
        next=wanted("") or None,
    )
