"""An authenticator app becomes the second factor: a QR code, a first code, and recovery codes shown once.

The secret that is offered travels sealed in the browser's session, bound to the row of that session, and enters the
database only once a code has shown that the app has it: an enrolment broken off changes nothing.
"""

from datetime import timedelta

import segno
from flask import flash, make_response, redirect, render_template, request, session, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from reseller.domain.identity import second_factor, sessions
from reseller.domain.identity.sealing import Broken
from reseller.portal import acting, known_browsers
from reseller.portal.forms import FirstCodeForm
from reseller.portal.sign_in.onwards import home_of, onwards, wanted
from reseller.web import signed_in
from reseller.web.signed_in import SignedIn
from reseller.wiring import wiring

OFFER = "offer"
OFFERED_FOR = timedelta(minutes=30)
NO_CODE = "That is not the code for this QR code. Wait for the next one and type it within half a minute."


def offer() -> Response | str:
    """The QR code; the same again when the page is reloaded."""
    who = _may_enrol()
    if who is None:
        return onwards()
    secret = _offered(who)
    if secret is None:
        secret = second_factor.new_secret()
        session[OFFER] = acting.seal(OFFER).close(f"{who.session_id} {secret}")
    return _page(who, secret, FirstCodeForm())


def accept() -> Response | str:
    """The authenticator is enrolled, this session has shown it, and the recovery codes are on this page and nowhere else."""
    who = _may_enrol()
    if who is None:
        return onwards()
    secret = _offered(who)
    if secret is None:
        flash("That took too long; here is a new QR code.", "info")
        return redirect(url_for("sign_in.enrol", next=wanted("") or None))
    form = FirstCodeForm(request.form)
    if not form.validate():
        return make_response(_page(who, secret, form), 400)
    codes = second_factor.enrol(who.user_id, secret, form.code.data, seal=acting.seal(second_factor.PURPOSE), replaces=who.is_enrolled)
    if codes is None:
        return make_response(_page(who, secret, form, NO_CODE), 403)
    signed_in.remember(sessions.raise_to_second_factor(who.session_id))
    page = render_template("portal/recovery_codes.html", codes=codes, onwards=wanted(home_of(who)), is_new=True)
    return known_browsers.remember(make_response(page), who.email)


def _may_enrol() -> SignedIn | None:
    """Staff who have no authenticator yet; whoever is signed in and has shown a short while ago that it is them."""
    half = signed_in.arriving()
    if half is not None:
        return None if half.is_enrolled else half
    who = signed_in.person()
    if who is not None:
        signed_in.require_confirmation()
    return who


def _offered(who: SignedIn) -> str | None:
    try:
        whose, secret = acting.seal(OFFER).open(session.get(OFFER, ""), within=OFFERED_FOR).split(" ")
    except Broken:
        return None
    return secret if whose == str(who.session_id) else None


def _page(who: SignedIn, secret: str, form: FirstCodeForm, problem: str = "") -> str:
    uri = second_factor.uri_of(secret, email=who.email, issuer=wiring().settings.brand_name)
    picture = segno.make(uri, error="m").svg_inline(
        scale=5, dark="#000", light="#fff", title="QR code for the authenticator app", omitsize=True
    )
    return render_template(
        "portal/enrol.html",
        form=form,
        problem=problem,
        picture=Markup(picture),  # noqa: S704 - made of numbers by segno
        secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        replaces=who.is_enrolled,
    )
