"""/settings/password/first: a password for somebody who signs in through a provider alone."""

from flask import flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reseller.domain import accounts, staff
from reseller.domain.identity import passwords, sessions
from reseller.portal import acting, hashing
from reseller.portal.forms import FirstPasswordForm
from reseller.portal.settings.blueprint import settings
from reseller.web import signed_in


@settings.get("/settings/password/first")
@acting.personal
def choose_password() -> Response | str:
    """The form, for whoever has no password and has just shown that it is them."""
    if passwords.has_one(acting.me().user_id):
        return redirect(url_for("settings.show"))
    signed_in.require_confirmation()
    return _page(FirstPasswordForm())


@settings.post("/settings/password/first")
@acting.personal
def set_password() -> Response | str:
    """The person has a password; one that they have meanwhile is changed only by whoever knows it."""
    me = acting.me()
    if passwords.has_one(me.user_id):
        return redirect(url_for("settings.show"))
    signed_in.require_confirmation()
    form = FirstPasswordForm(request.form)
    if not form.validate():
        return make_response(_page(form), 400)
    new_hash = hashing.aside(accounts.hash_password, form.new.data)
    passwords.change(me.user_id, new_hash, actor=staff.actor_of(me.user_id), keep=me.session_id)
    signed_in.remember(sessions.renew(me.session_id))
    flash("You have a password. It opens your account from now on, too.", "success")
    return redirect(url_for("settings.show"))


def _page(form: FirstPasswordForm) -> str:
    return render_template("settings/first_password.html", form=form)
