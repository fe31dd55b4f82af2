"""The catalogue: models with their prices, one model with the history of its price, and the queue of prices that wait.

Who decides (R24): support reads; finance and admins accept or refuse what an upstream lists, withdraw and restore
models. That takes over or leaves a supplier's price and is due within 24 h, so it is not the admins' alone; what *we* ask
on top of it (rules) is.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import flash, redirect, request
from sqlalchemy import or_

from reseller.backoffice.access import MONEY, STAFF, actor, exposed, pages
from reseller.backoffice.filters import Choice, Id, ListFilter, contains, equals
from reseller.backoffice.prices import current
from reseller.backoffice.reasons import reason_given
from reseller.backoffice.tables import TableView
from reseller.domain import pricing
from reseller.domain.desk import catalogue as desk
from reseller.domain.pricing import Model, ModelStatus
from reseller.errors import Conflict

DECISIONS = ("accept", "reject", "withdraw", "restore")


class Catalogue(TableView):
    """Models by name."""

    access = pages(STAFF, "index_view", "export", "show", "queue") | pages(MONEY, *DECISIONS)
    confirmed = frozenset(DECISIONS)
    can_view_details = False  # a model has a page of its own
    order_key = "slug"
    is_ascending = True
    column_list = (
        "slug", "name", "upstream", "status", "kind", "context_length", "prompt_usd", "completion_usd", "sell_prompt_usd",
        "sell_completion_usd", "markup_percent", "kept_percent", "rule_id",
    )  # fmt: skip
    list_template = "catalogue/list.html"
    intro = "What the upstreams list, and what everybody without a rule of their own pays for it."
    empty = "The catalogue is empty: “flask catalog sync” asks the upstreams."
    column_filters = (
        ListFilter("text", "Name has", lambda text: or_(contains(Model.slug)(text), contains(Model.name)(text))),
        Choice("status", "Status", equals(Model.status), options=[(status.value, status.value) for status in ModelStatus]),
        ListFilter("upstream", "Upstream", equals(Model.upstream)),
        Id("rule", "Priced by the rule (id)", lambda rule_id: Model.slug.in_(current.book().won_by(rule_id))),
    )

    def rows(self, filters: Mapping[str, str], *, after: str | None, limit: int) -> list[Any]:
        return list(desk.lines(super().rows(filters, after=after, limit=limit), current.book(), current.fees()))

    def list_extras(self, rows: list[Any]) -> dict[str, Any]:  # noqa: ARG002 - the queue is about all models
        return {"waiting": desk.queue()}

    @exposed("/model/<path:slug>/")
    def show(self, slug: str) -> str:
        """One model, withdrawn ones too."""
        fees = current.fees()
        return str(self.render("catalogue/show.html", model=desk.page(slug, current.book(), fees), fees=fees))

    @exposed("/queue/")
    def queue(self) -> str:
        """Prices that wait for a decision."""
        return str(self.render("catalogue/queue.html", waiting=desk.queue()))

    @exposed("/accept/", methods=("POST",))
    def accept(self) -> Any:
        """The price that was looked at is in force."""
        slug = _slug()
        pricing.accept(slug, actor(), reason=reason_given(), seen=_seen_price())
        return self._done(slug, "Accepted: the new price holds from the next call on.")

    @exposed("/reject/", methods=("POST",))
    def reject(self) -> Any:
        """The price that was looked at is refused, also when it is listed again."""
        slug = _slug()
        pricing.reject(slug, actor(), reason=reason_given(), seen=_seen_price())
        return self._done(slug, "Rejected: the old price stays. The upstream may bill the new one all the same.")

    @exposed("/withdraw/", methods=("POST",))
    def withdraw(self) -> Any:
        """The model is not for sale."""
        slug = _slug()
        pricing.withdraw(slug, actor(), reason=reason_given(), seen=request.form.get("status", ""))
        return self._done(slug, "Withdrawn: nobody can buy it until it is restored.")

    @exposed("/restore/", methods=("POST",))
    def restore(self) -> Any:
        """The model is for sale again."""
        slug = _slug()
        pricing.restore(slug, actor(), reason=reason_given(), seen=request.form.get("status", ""))
        return self._done(slug, "Restored at its price in force.")

    def _done(self, slug: str, message: str) -> Any:
        flash(message, "success")
        return redirect(self.get_url(".show", slug=slug))


def _slug() -> str:
    return request.form.get("slug", "")[:200].replace("\x00", "")


def _seen_price() -> UUID:
    try:
        return UUID(request.form.get("price_id", ""))
    except ValueError:
        raise Conflict("The form does not say which price was looked at. Open the page again.") from None
