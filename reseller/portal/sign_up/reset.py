"""/reset: a new password by a letter. The answer is the same whether the address is known or not; nobody is signed in by it."""

from flask import flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from reseller.domain import accounts
from reseller.domain.identity import links
from reseller.domain.identity.links import Opened, Purpose
from reseller.domain.registration import resets
from reseller.errors import NotFound
from reseller.portal import hashing
from reseller.portal.letter_pages import LETTER_TO, address_in, gone, of_link, sent_page, trial
from reseller.portal.sign_up.forms import ChosenForm, WhoForm
from reseller.web import signed_in


def show() -> str:
    """The form that asks for the address."""
    return _form(WhoForm())


def ask() -> Response | str:
    """A letter is on its way to the address."""
    form = WhoForm(request.form)
    email = address_in(form, _form)
    if isinstance(email, Response):
        return email
    resets.ask(email)
    session[LETTER_TO] = email
    return redirect(url_for("sign_up.reset_sent"))


def sent() -> str:
    """What to do now."""
    return sent_page("We have sent you a letter", "The link in it leads to a new password. It works for an hour.")


def choose(token: str) -> Response:
    """The form for the new password. Nothing has changed."""
    try:
        return _page(links.look(token, Purpose.RESET), ChosenForm())
    except NotFound as refusal:
        return _gone(refusal)


def finish(token: str) -> Response:
    """The new password holds, and every browser is signed out."""
    form = ChosenForm(request.form)
    try:
        opened = links.look(token, Purpose.RESET)
        if not form.validate():
            return _page(opened, form, 400)
        resets.finish(token, hashing.aside(accounts.hash_password, form.password.data), trial=trial())
    except NotFound as refusal:
        return _gone(refusal)
    signed_in.forget()
    flash("Your new password holds from now on. Sign in with it.", "success")
    return redirect(url_for("sign_in.show"))


def _form(form: WhoForm, problem: str = "") -> str:
    return render_template("portal/reset.html", form=form, problem=problem)


def _page(opened: Opened, form: ChosenForm, status: int = 200) -> Response:
    return of_link(render_template("portal/new_password.html", email=opened.email, form=form), status)


def _gone(refusal: NotFound) -> Response:
    return gone(refusal, onwards=url_for("sign_up.reset"), words="Ask for another letter")
