"""Another e-mail address: asked for by whoever is signed in, changed by a link in a letter to the new one."""

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reseller.domain.identity import links, throttle
from reseller.domain.identity.links import Opened, Purpose
from reseller.domain.registration import addresses
from reseller.errors import Conflict, InvalidRequest, NotFound
from reseller.portal import acting, known_browsers
from reseller.portal.letter_pages import gone, letter_seal, letters_folder, of_link
from reseller.portal.sign_up.forms import AddressForm
from reseller.web import signed_in


def ask() -> Response:
    """A letter is on its way to the new address, whoever it belongs to, and one to the present one."""
    form = AddressForm(request.form)
    if not form.validate():
        flash("Type your new e-mail address.", "error")
        return _home()
    signed_in.require_confirmation()
    throttle.ask_letter(form.email.data, acting.address(), known_browsers.known(form.email.data))
    try:
        email = addresses.ask(acting.me().user_id, form.email.data, seal=letter_seal())
    except InvalidRequest as refusal:
        flash(refusal.message, "error")
        return _home()
    folder = letters_folder()
    where = f" (In development it lies in {folder}/.)" if folder else ""
    flash(f"We have sent a letter to {email}. Your address changes once you open the link in it.{where}", "success")
    return _home()


def show(token: str) -> Response:
    """What would change, and a button. Nothing has changed."""
    try:
        return _page(links.look(token, Purpose.CHANGE_ADDRESS))
    except NotFound as refusal:
        return _gone(refusal)


def finish(token: str) -> Response:
    """The person signs in with the new address from now on."""
    try:
        email = addresses.finish(token)
    except NotFound as refusal:
        return _gone(refusal)
    except Conflict as refusal:
        return gone(refusal, onwards=_home_url(), words="Your settings", status=409)
    flash(f"Your address is {email} from now on. Sign in with it.", "success")
    return _home()


def _page(opened: Opened) -> Response:
    return of_link(render_template("portal/new_address.html", email=opened.email))


def _gone(refusal: NotFound) -> Response:
    return gone(refusal, onwards=_home_url(), words="Your settings")


def _home_url() -> str:
    return url_for("settings.show")


def _home() -> Response:
    return redirect(_home_url())
