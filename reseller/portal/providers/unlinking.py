"""A person no longer signs in through a provider."""

from uuid import UUID

from flask import abort, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from reseller.domain import staff
from reseller.domain.identity import linked
from reseller.errors import Conflict
from reseller.portal import acting
from reseller.web import signed_in
from reseller.web.signed_in import own_path


def unlink(identity_id: str) -> Response:
    """The identity opens nothing any more, and nobody is signed in elsewhere; the last way in stays."""
    try:
        which = UUID(identity_id)
    except ValueError:
        abort(404)
    me = acting.me()
    signed_in.require_confirmation()
    back = own_path(request.form.get("next"), url_for("settings.show"))
    try:
        linked.unlink(which, me.user_id, keep=me.session_id, actor=staff.actor_of(me.user_id))
    except Conflict as refusal:
        flash(refusal.message, "conflict")
        return redirect(back)
    flash("That sign-in no longer opens your account. You are signed out everywhere else.", "success")
    return redirect(back)
