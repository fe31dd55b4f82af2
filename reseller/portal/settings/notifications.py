"""/settings/notifications: what a person is told by letter. Offered is what is sent, and nothing else."""

from flask import flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reseller.domain import notices, staff
from reseller.domain.notices import Choices
from reseller.portal import acting
from reseller.portal.forms import NoticesForm
from reseller.portal.settings.blueprint import settings


@settings.get("/settings/notifications")
@acting.personal
def show_notifications() -> str:
    chosen = notices.choices_of(acting.me().user_id)
    return _page(
        NoticesForm(
            data={
                "tells_alerts": chosen.tells_alerts,
                "tells_key_expiry": chosen.tells_key_expiry,
                "version": chosen.version,
            }
        )
    )


@settings.post("/settings/notifications")
@acting.personal
def choose_notifications() -> Response | str:
    form = NoticesForm(request.form)
    if not form.validate():
        return make_response(_page(form), 400)
    me = acting.me()
    seen = form.seen_version()
    version = notices.choices_of(me.user_id).version if seen is None else seen
    wanted = Choices(bool(form.tells_alerts.data), bool(form.tells_key_expiry.data), version)
    notices.choose(me.user_id, wanted, actor=staff.actor_of(me.user_id))
    flash("Saved.", "success")
    return redirect(url_for("settings.show_notifications"))


def _page(form: NoticesForm) -> str:
    return render_template("settings/notifications.html", form=form, email=acting.me().email)
