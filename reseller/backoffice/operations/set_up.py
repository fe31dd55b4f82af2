"""The set-up list: what must be true before selling to strangers, what is, and what to do about the rest."""

from typing import Any

from flask import flash, redirect, request, url_for

from reseller import buyer
from reseller.backoffice import reasons
from reseller.backoffice.access import ADMINS, STAFF, Page, exposed, me, pages
from reseller.domain.desk import readiness, set_up
from reseller.domain.desk.readiness import Deployment, Point, PointState
from reseller.web.kinds import has_page
from reseller.wiring import wiring

WHERE = {
    "catalogue": "upstreams.index",
    "second_factors": "people.index_view",
    "approvers": "people.index_view",
    "worker": "jobs.index",
    "mail": "jobs.index",
    "jobs": "jobs.index",
    "ledger": "proof.index",
    "supplier": "supplier.index",
    "pricing_rules": "prices.index_view",
}
"""Points that a page of the back office helps with."""

SHOWN_FIRST = (PointState.OPEN, PointState.ADVISED, PointState.DONE)


def deployment() -> Deployment:
    """What this process knows of its environment."""
    settings = wiring().settings
    return Deployment(
        is_production=settings.is_production,
        secret_characters=len(settings.secret_key.get_secret_value()),
        public_url=settings.base_url,
        has_stripe=wiring().cashier.is_open,
        takes_real_money=wiring().cashier.takes_real_money,
        has_mail=bool(settings.mail_url.get_secret_value()),
        trusted_proxies=settings.trusted_proxies,
        watches_upstream=buyer.is_on(settings),
    )


def _link(point: Point) -> str | None:
    endpoint = WHERE.get(point.name)
    return url_for(endpoint) if endpoint and has_page(endpoint) else None


class SetUp(Page):
    access = pages(STAFF, "index") | pages(ADMINS, "confirm", "withdraw")

    @exposed("/")
    def index(self) -> str:
        points = readiness.points(deployment())
        groups = {state.value: [(point, _link(point)) for point in points if point.state == state] for state in SHOWN_FIRST}
        return str(self.render("operations/set_up.html", groups=groups, total=len(points)))

    @exposed("/confirm/", methods=("POST",))
    def confirm(self) -> Any:
        set_up.confirm(request.form.get("name", ""), user_id=me().user_id, note=reasons.reason_given())
        flash("Confirmed.", "success")
        return redirect(self.get_url(".index"))

    @exposed("/withdraw/", methods=("POST",))
    def withdraw(self) -> Any:
        set_up.withdraw_confirmation(request.form.get("name", ""), user_id=me().user_id, reason=reasons.reason_given())
        flash("Open again.", "success")
        return redirect(self.get_url(".index"))
