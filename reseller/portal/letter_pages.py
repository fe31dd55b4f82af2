"""What the pages of letters share: which browser it is, where letters are in development, and answers that leave no trace of a token."""

import secrets
from collections.abc import Callable
from typing import Any

from flask import make_response, render_template, session
from werkzeug.wrappers import Response

from reseller.domain import accounts
from reseller.domain.identity import throttle
from reseller.domain.identity.sealing import Seal
from reseller.domain.letters import SEALED_FOR
from reseller.domain.registration import Trial
from reseller.errors import InvalidRequest, Refusal, TooManyFailures
from reseller.portal import acting, known_browsers
from reseller.web.error_pages import with_wait
from reseller.wiring import wiring

BROWSER = "browser"
LETTER_TO = "letter_to"


def browser() -> str:
    """A secret of this browser, made now if it has none: a link that it asked for knows it again by this."""
    if BROWSER not in session:
        session[BROWSER] = secrets.token_urlsafe(32)
    return str(session[BROWSER])


def letter_seal() -> Seal:
    """What closes the token of a link until its letter is written."""
    return acting.seal(SEALED_FOR)


def trial() -> Trial:
    """What whoever verifies an address now would get."""
    return Trial(wiring().settings.trial_credit_usd, acting.address())


def letters_folder() -> str | None:
    """Where letters lie instead of going out; in development alone."""
    settings = wiring().settings
    is_here = settings.reseller_env == "development" and not settings.mail_url.get_secret_value()
    return f"{settings.instance_path}/mail" if is_here else None


def address_in(form: Any, page: Callable[[Any, str], str]) -> str | Response:
    """The address that a form asks a letter for, counted as asked for; or the answer to a form that asks for none.

    `page`: the form again, with what is wrong.
    """
    if not form.validate():
        return make_response(page(form, ""), 400)
    try:
        email = accounts.normal_email(form.email.data)
        throttle.ask_letter(email, acting.address(), known_browsers.known(email))
    except InvalidRequest:
        form.email.errors = ["That is not an e-mail address."]
        return make_response(page(form, ""), 400)
    except TooManyFailures as refusal:
        return with_wait(make_response(page(form, refusal.message), 429), refusal)
    return email


def sent_page(title: str, words: str) -> str:
    """A letter is on its way, to whatever address was typed."""
    return render_template("portal/letter_sent.html", title=title, words=words, to=session.get(LETTER_TO, ""), folder=letters_folder())


def of_link(page: str, status: int = 200) -> Response:
    """The page of a link: no address of it goes anywhere, and nothing keeps it."""
    answer = make_response(page, status)
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def gone(refusal: Refusal, *, onwards: str, words: str, hint: str = "", status: int = 404) -> Response:
    """The page of a link that does not work, with the way to a new one."""
    page = render_template("portal/link_gone.html", problem=refusal.message, onwards=onwards, words=words, hint=hint)
    return of_link(page, status)
