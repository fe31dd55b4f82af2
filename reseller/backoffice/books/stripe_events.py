"""What Stripe told, newest first: what of it waits, why, and another try (R17)."""

from datetime import datetime
from typing import Any, ClassVar

from flask import flash, redirect

from reseller.backoffice import cells
from reseller.backoffice.access import MONEY, STAFF, actor, exposed, pages
from reseller.backoffice.books.event_states import TONES, WORDS
from reseller.backoffice.books.payments import check_open, href_of
from reseller.backoffice.filters import Choice, ListFilter
from reseller.backoffice.tables import Formatter, TableView
from reseller.clients.stripe_api import StripeDown
from reseller.domain.payments import EventState, StripeEvent, events
from reseller.errors import NotFound
from reseller.wiring import wiring


class StripeEvents(TableView):
    access = pages(STAFF, "index_view") | pages(MONEY, "export", "try_again")
    can_view_details = False
    list_template = "books/stripe_events.html"
    order_key = "received_at"
    intro = (
        "Stored before anything is done about them. One that waits could not be used yet: Stripe did not answer, or said something else"
        " than its reference. It is tried again, less and less often; Stripe itself repeats it for three days."
    )
    empty = "Stripe has told nothing yet."
    column_list = ("received_at", "type", "state", "problem", "handled_at", "payment_id", "id")
    column_export_list = ("id", "type", "is_live", "happened_at", "received_at", "handled_at", "state", "problem", "payment_id")
    labels: ClassVar = {
        "received_at": "Received",
        "handled_at": "Last tried",
        "problem": "Why it waits",
        "payment_id": "Payment",
        "id": "At Stripe",
    }
    cells: ClassVar[dict[str, Formatter]] = {
        "state": lambda event: cells.tag(WORDS[EventState(event.state)], TONES[EventState(event.state)]),
        "payment_id": lambda event: event.payment_id and cells.link(href_of(event.payment_id), "the payment"),
        "id": lambda event: cells.ident(event.id),
    }
    column_filters: ClassVar[tuple[ListFilter, ...]] = (
        Choice("state", "State", lambda state: StripeEvent.state == state, options=list(WORDS.items())),
        ListFilter("type", "Type", lambda words: StripeEvent.type == words),
        ListFilter("id", "At Stripe", lambda words: StripeEvent.id == words),
    )

    def cursor(self, text: str) -> Any:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            raise NotFound("There is no such page of this list.")
        return at

    def list_extras(self, rows: list[Any]) -> dict[str, Any]:
        return {"waiting": [row for row in rows if row.state == EventState.RECEIVED]}

    @exposed("/<string:event_id>/try-again/", methods=("POST",))
    def try_again(self, event_id: str) -> Any:
        """The event is in the books, or waits on and says why."""
        check_open()
        heard = events.ask_again(event_id, actor=actor())
        try:
            problem = wiring().cashier.try_again(heard)
        except StripeDown as error:
            problem = str(error)
        if problem:
            flash(f"It waits on: {problem}", "error")
        else:
            flash("Done: it waits no more.", "success")
        return redirect(self.get_url(".index_view", state=EventState.RECEIVED))
