"""All customers, newest first, and the one search box."""

from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, request, url_for
from sqlalchemy import ColumnElement

from reseller.backoffice.access import exposed
from reseller.backoffice.filters import Choice, ListFilter
from reseller.backoffice.tables import TableView
from reseller.domain.accounts import Account, AccountStatus
from reseller.domain.desk import customer as desk
from reseller.domain.desk import stripe_strays
from reseller.domain.desk.search import Hit, HitKind, about, search
from reseller.errors import NotFound
from reseller.web.kinds import has_page

STATUSES = (("active", "active"), ("suspended", "suspended"), ("halted", "halted"), ("frozen", "frozen, below zero"))


def _has_status(status: str) -> ColumnElement[bool]:
    if status == "halted":
        return Account.halted_at.is_not(None)
    if status == "frozen":
        condition: ColumnElement[bool] = desk.is_frozen()
        return condition
    return Account.status == AccountStatus(status)


def _of_stripe(stripe_id: str) -> str | None:
    """The list that has what Stripe calls so and no payment is known by; None where none has."""
    match stripe_strays.place_of(stripe_id):
        case stripe_strays.Place.SUSPENSE:
            return url_for("suspense.index_view", subject=stripe_id)
        case stripe_strays.Place.EVENTS:
            return url_for("stripe_events.index_view", id=stripe_id)
    return None


def _is_of(kind: str) -> ColumnElement[bool]:
    return desk.is_of_staff() if kind == "staff" else ~desk.is_of_staff()


class Listing(TableView):
    list_template = "customers/list.html"
    column_list = ("name", "email", "balance_usd", "last_call_at", "status", "created_at")
    column_export_list = ("id", "name", "email", "is_staff", "balance_usd", "available_usd", "last_call_at", "status", "created_at")
    numeric = frozenset({"balance_usd"})
    labels = {  # noqa: RUF012 - a class constant, as in the base
        "name": "Customer",
        "email": "E-mail",
        "balance_usd": "Balance",
        "last_call_at": "Last call",
        "created_at": "Since",
    }
    column_filters = (
        ListFilter("text", "Name, e-mail or company", about),
        Choice("status", "Status", _has_status, options=STATUSES),
        Choice("kind", "Accounts of", _is_of, options=(("customers", "customers"), ("staff", "staff"))),
    )
    empty = "No customers yet. “flask users create” makes one."

    def __init__(self) -> None:
        super().__init__(Account, name="Customers", endpoint="customers", url="/admin/customers")

    def rows(self, filters: Mapping[str, str], *, after: str | None, limit: int) -> list[Any]:
        """One statement for a page; `query()` of the base would load accounts alone."""
        query = desk.customer_lines()
        for each in self.column_filters:
            if each.arg in filters:
                query = each.apply(query, filters[each.arg])
        if after:
            query = query.where(Account.id < self.cursor(after))
        return list(desk.read_lines(query.order_by(Account.id.desc()).limit(limit)))

    @exposed("/details/")
    def details_view(self) -> Any:
        """Where lists of other views lead to: the one page."""
        account = self.get_one(request.args.get("id", ""))
        if account is None:
            raise NotFound("There is no such customer.")
        return redirect(self.get_url(".show", account_id=account.id))

    @exposed("/search")
    def search(self) -> Any:
        """What the text may mean; straight to the one page if it names one thing."""
        found = search(request.args.get("q", ""))
        if found.is_whole_key:
            flash("That was a whole key. Its beginning is enough here; whoever sent it should revoke it and make another.", "conflict")
        if found.exact is not None:
            return redirect(self.href(found.exact))
        stray = None if found.count else _of_stripe(found.asked)
        if stray is not None:
            return redirect(stray)
        return self.render("customers/search.html", found=found, href=self.href)

    def href(self, hit: Hit) -> str:
        """Where to read about what was found."""
        if hit.kind == HitKind.PAYMENT and has_page("payments.details_view"):
            return url_for("payments.details_view", id=hit.id)
        more = {
            HitKind.CALL: {"call": hit.id.hex},
            HitKind.KEY: {"key": str(hit.id), "_anchor": "keys"},
            HitKind.ENTRY: {"entry": str(hit.id), "_anchor": "ledger"},
            HitKind.ADJUSTMENT: {"_anchor": "ledger"},
        }.get(hit.kind, {})
        return str(self.get_url(".show", account_id=hit.account_id, **more))
