"""/settings/notifications: what a person is told by letter. Offered is what is sent, and nothing else."""

from flask import flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reseller.domain import notices, staff
from reseller.domain.notices import Choices
from reseller.money import format_decimal
from reseller.portal import acting
from reseller.portal.forms import NoticesForm
from reseller.portal.settings.blueprint import settings
from reseller.web.typed import typed_usd


@settings.get("/settings/notifications")
@acting.personal
def show_notifications() -> str:
    chosen = notices.choices_of(acting.me().user_id)
    line = chosen.low_balance_usd
    return _page(
        NoticesForm(
            data={
                "tells_low_balance": line is not None,
                "low_balance_usd": format_decimal(notices.DEFAULT_LOW_BALANCE_USD if line is None else line),
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
    line = typed_usd(form.low_balance_usd.data) if form.tells_low_balance.data else None
    seen = form.seen_version()
    version = notices.choices_of(me.user_id).version if seen is None else seen
    notices.choose(me.user_id, Choices(line, bool(form.tells_key_expiry.data), version), actor=staff.actor_of(me.user_id))
    flash("Saved.", "success")
    return redirect(url_for("settings.show_notifications"))


def _page(form: NoticesForm) -> str:
    return render_template("settings/notifications.html", form=form, email=acting.me().email)
