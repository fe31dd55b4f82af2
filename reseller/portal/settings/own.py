"""/settings: one's own profile, password, authenticator and sessions. For everybody who is signed in, staff too."""

from uuid import UUID

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reseller.domain import accounts, staff
from reseller.domain.identity import entrance, passwords, recovery_codes, second_factor, sessions, throttle
from reseller.portal import acting, hashing, known_browsers
from reseller.portal.devices import device_of
from reseller.portal.forms import NewPasswordForm, ProfileForm
from reseller.portal.settings.blueprint import settings
from reseller.web import signed_in
from reseller.web.formats import TIME_ZONES


@settings.get("/settings")
@acting.personal
def show() -> str:
    return _page()


@settings.get("/account")
@acting.personal
def moved() -> Response:
    """The page's address of before, in bookmarks."""
    return redirect(url_for("settings.show"), 301)


@settings.post("/settings/profile")
@acting.personal
def change_profile() -> Response | str:
    form = ProfileForm(request.form)
    if not form.validate():
        return make_response(_page(profile=form), 400)
    me = acting.me()
    accounts.change_profile(
        me.user_id,
        full_name=form.full_name.data or "",
        time_zone=form.time_zone.data or "",
        seen_version=form.seen_version(),
        actor=staff.actor_of(me.user_id),
    )
    return _done("Your profile is saved.")


@settings.post("/settings/password")
@acting.personal
def change_password() -> Response | str:
    form = NewPasswordForm(request.form)
    if not form.validate():
        return make_response(_page(password=form), 400)
    me = acting.me()
    brakes = throttle.code_brakes(me.user_id, known_browsers.known(me.email))
    throttle.attempt(brakes)
    if hashing.aside(passwords.candidate_of(me.user_id).proved_by, form.current.data) is None:
        form.current.errors = ["That is not your password."]
        return make_response(_page(password=form), 403)
    throttle.succeed(brakes)
    new_hash = hashing.aside(accounts.hash_password, form.new.data)
    ended = passwords.change(me.user_id, new_hash, actor=staff.actor_of(me.user_id), keep=me.session_id)
    signed_in.remember(sessions.renew(me.session_id))
    return _done(f"Your password is changed. {_signed_out(ended)}")


@settings.post("/settings/recovery-codes")
@acting.personal
def issue_recovery_codes() -> Response | str:
    me = acting.me()
    if not me.is_enrolled:
        abort(404)
    signed_in.require_confirmation()
    codes = recovery_codes.issue(me.user_id, actor=staff.actor_of(me.user_id))
    return render_template("portal/recovery_codes.html", codes=codes, onwards=url_for("settings.show"), is_new=False)


@settings.post("/settings/authenticator/remove")
@acting.personal
def remove_authenticator() -> Response:
    me = acting.me()
    signed_in.require_confirmation()
    ended = second_factor.give_up(me.user_id, keep=me.session_id)
    return _done(f"Your authenticator is removed; your password alone opens your account. {_signed_out(ended)}")


@settings.post("/settings/sessions/<session_id>/end")
@acting.personal
def end_session(session_id: str) -> Response:
    try:
        which = UUID(session_id)
    except ValueError:
        abort(404)
    if not entrance.end_session(which, acting.me().user_id):
        flash("That session was over already.", "info")
        return redirect(url_for("settings.show"))
    return _done("That browser is signed out.")


@settings.post("/settings/sessions/end-others")
@acting.personal
def end_other_sessions() -> Response:
    me = acting.me()
    return _done(_signed_out(entrance.end_others(me.session_id, me.user_id)))


@settings.post("/settings/sessions/end-all")
@acting.personal
def end_all_sessions() -> Response:
    """Everywhere, here too: for somebody who no longer trusts any of their browsers."""
    me = acting.me()
    entrance.end_others(me.session_id, me.user_id)
    signed_in.forget()
    flash("You are signed out everywhere.", "success")
    return redirect(url_for("sign_in.show"))


def _page(*, profile: ProfileForm | None = None, password: NewPasswordForm | None = None) -> str:
    me = acting.me()
    return render_template(
        "settings/own.html",
        me=me,
        profile=profile or ProfileForm(data={"full_name": me.full_name, "time_zone": me.time_zone, "version": me.version}),
        password=password or NewPasswordForm(),
        time_zones=TIME_ZONES,
        has_password=passwords.has_one(me.user_id),
        codes_left=recovery_codes.left(me.user_id) if me.is_enrolled else 0,
        sessions=[(row, device_of(row.user_agent)) for row in sessions.sessions_of(me.user_id)],
    )


def _done(words: str) -> Response:
    flash(words, "success")
    return redirect(url_for("settings.show"))


def _signed_out(ended: int) -> str:
    return {0: "You were signed in nowhere else.", 1: "One other browser is signed out."}.get(
        ended, f"{ended} other browsers are signed out."
    )
