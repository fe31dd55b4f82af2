"""/sign-up: the form, and a letter. The answer and its work are the same whether the address is known or not."""

from flask import redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from reseller.domain import accounts, registration
from reseller.domain.registration import Newcomer
from reseller.portal import hashing
from reseller.portal.letter_pages import LETTER_TO, address_in, browser, letter_seal, sent_page
from reseller.portal.sign_in.onwards import onwards
from reseller.portal.sign_up.forms import SignUpForm
from reseller.web import signed_in
from reseller.wiring import wiring


def show() -> Response | str:
    """The form, for strangers; everybody else goes on."""
    if signed_in.person() is not None or signed_in.arriving() is not None:
        return onwards()
    return _form(SignUpForm())


def register() -> Response | str:
    """A letter is on its way to the address."""
    form = SignUpForm(request.form)
    email = address_in(form, _form)
    if isinstance(email, Response):
        return email
    password_hash = hashing.aside(accounts.hash_password, form.password.data)
    newcomer = Newcomer(email, password_hash=password_hash, full_name=form.full_name.data or "", company=form.company.data or "")
    registration.sign_up(newcomer, browser=browser(), seal=letter_seal())
    session[LETTER_TO] = email
    return redirect(url_for("sign_up.sent"))


def sent() -> str:
    """What to do now."""
    return sent_page("We have sent you a letter", "Open the link in it to confirm your address. It works for a day.")


def _form(form: SignUpForm, problem: str = "") -> str:
    return render_template("portal/sign_up.html", form=form, problem=problem, terms=wiring().settings.brand_terms_url)
