"""The first step, e-mail and password, and the way out."""

from flask import make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reseller.domain.identity import entrance, passwords, throttle
from reseller.errors import TooManyFailures
from reseller.portal import acting, hashing, known_browsers
from reseller.portal.forms import SignInForm
from reseller.portal.sign_in import unverified
from reseller.portal.sign_in.onwards import onwards
from reseller.web import signed_in
from reseller.web.error_pages import with_wait

NO_MATCH = "That e-mail address and password do not belong together."


def show() -> Response | str:
    """The form, for strangers; everybody else goes on."""
    if signed_in.person() is not None or signed_in.arriving() is not None:
        return onwards()
    return _form(SignInForm())


def check() -> Response | str:
    """Whoever proves a password has a session. The answer and its work are the same whether the address is known or not."""
    form = SignInForm(request.form)
    if not form.validate():
        return make_response(_form(form), 400)
    email = form.email.data
    brakes = throttle.password_brakes(email, acting.address(), known_browsers.known(email))
    try:
        throttle.attempt(brakes)
    except TooManyFailures as refusal:
        return with_wait(make_response(_form(form, refusal.message), 429), refusal)
    candidate = passwords.candidate(email)
    user_id = hashing.aside(candidate.proved_by, form.password.data)
    if user_id is None:
        return make_response(_form(form, NO_MATCH), 403)
    throttle.succeed(brakes)
    if not candidate.is_verified:
        return unverified.remember(user_id, email)
    signed_in.forget()  # whoever was here before
    signed_in.remember(entrance.enter(user_id, address=acting.address(), user_agent=request.user_agent.string))
    who = signed_in.person()
    return onwards() if who is None else known_browsers.remember(onwards(), who.email)


def leave() -> Response:
    """The browser is signed out."""
    signed_in.forget()
    return redirect(url_for("sign_in.show"))


def _form(form: SignInForm, problem: str = "") -> str:
    return render_template("portal/sign_in.html", form=form, problem=problem)
