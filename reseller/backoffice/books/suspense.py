"""Suspense: money, or news of money, that nobody could book as it came; somebody looks and says what became of it (R18)."""

from typing import Any, ClassVar
from uuid import UUID

from flask import flash, redirect, request

from reseller.backoffice import cells
from reseller.backoffice.access import MONEY, STAFF, actor, exposed, pages
from reseller.backoffice.books.payments import href_of
from reseller.backoffice.filters import Choice, ListFilter
from reseller.backoffice.tables import Formatter, TableView
from reseller.domain.payments import SuspenseItem, suspense
from reseller.domain.payments.suspense import Why

WORDS = {
    Why.FOREIGN: "no order of ours",
    Why.WRONG_AMOUNT: "another amount",
    Why.WRONG_CURRENCY: "another currency",
    Why.WRONG_MODE: "test and live mixed",
    Why.WRONG_SESSION: "another session",
    Why.UNKNOWN_MONEY: "went back in another currency",
    Why.NOT_PAID: "credited, and not paid at Stripe",
    Why.UNREADABLE: "what Stripe says cannot be used",
}


def _is_in(state: str) -> Any:
    return SuspenseItem.resolved_at.is_(None) if state == "open" else SuspenseItem.resolved_at.is_not(None)


class Suspense(TableView):
    access = pages(STAFF, "index_view") | pages(MONEY, "export", "resolve")
    can_view_details = False
    list_template = "books/suspense.html"
    intro = (
        "Money that somebody must look at. For what fits no order nothing was credited; of a payment that went back in another currency all"
        " that was left was taken; what was credited and is not paid at Stripe stays credited until you take it off. Look at Stripe, put it"
        " right there or by an adjustment, and write down how. Credit that you give by an adjustment is not taken back by itself if such"
        " money goes back later."
    )
    empty = "Nothing is in suspense."
    column_list = ("created_at", "kind", "amount_usd", "words", "subject", "payment_id", "resolution")
    column_export_list = ("id", *column_list, "event_id", "resolved_at", "resolved_by")
    labels: ClassVar = {
        "created_at": "Since",
        "kind": "Why",
        "amount_usd": "Amount",
        "words": "What does not fit",
        "subject": "At Stripe",
        "payment_id": "Order",
    }
    numeric = frozenset({"amount_usd"})
    cells: ClassVar[dict[str, Formatter]] = {
        "kind": lambda item: cells.tag(WORDS[Why(item.kind)], "quiet" if item.resolved_at else "bad"),
        "amount_usd": lambda item: None if item.amount_usd is None else cells.money(item.amount_usd),
        "subject": lambda item: cells.ident(item.subject),
        "payment_id": lambda item: item.payment_id and cells.link(href_of(item.payment_id), "the order"),
    }
    column_filters: ClassVar[tuple[ListFilter, ...]] = (
        Choice("state", "State", _is_in, options=[("open", "open"), ("resolved", "resolved")]),
        Choice("kind", "Why", lambda kind: SuspenseItem.kind == kind, options=list(WORDS.items())),
        ListFilter("subject", "At Stripe", lambda words: SuspenseItem.subject == words),
    )

    @exposed("/<uuid:item_id>/resolve/", methods=("POST",))
    def resolve(self, item_id: UUID) -> Any:
        """The item is resolved, with words and a name."""
        suspense.resolve(item_id, actor=actor(), resolution=request.form.get("reason", ""))
        flash("Resolved.", "success")
        return redirect(self.get_url(".index_view"))
