"""Adjustments above somebody's cap: what waits, and what became of the others. Another person approves or rejects."""

from typing import Any
from uuid import UUID

from flask import flash, redirect, request

from reseller.backoffice import reasons
from reseller.backoffice.access import MONEY, STAFF, Page, exposed, me, pages
from reseller.backoffice.customers.actions import reason_given
from reseller.database import transaction
from reseller.domain.desk import customer as desk
from reseller.domain.ledger import AdjustmentState, adjustments
from reseller.errors import InsufficientBalance, NotFound
from reseller.money import display_usd

PAGE_ROWS = 50
STATES = tuple(str(state) for state in AdjustmentState)


class Adjustments(Page):
    """Everybody of staff sees what waits and may take back their own; finance and admins decide, with the second factor again."""

    access = pages(STAFF, "index", "withdraw") | pages(MONEY, "approve", "reject")
    confirmed = frozenset({"approve"})

    def __init__(self) -> None:
        super().__init__(name="Adjustments", category="Books", endpoint="adjustments", url="/admin/adjustments")

    @exposed("/")
    def index(self) -> Any:
        state = request.args.get("state", "waiting")
        chosen = AdjustmentState(state) if state in STATES else None
        after = request.args.get("after") or None
        with transaction() as session:
            rows = desk.adjustments_of(session, None, state=chosen, limit=PAGE_ROWS + 1, before=_key(after))
        older = str(rows[PAGE_ROWS - 1].id) if len(rows) > PAGE_ROWS else None
        return self.render(
            "customers/adjustments.html",
            rows=rows[:PAGE_ROWS],
            state=state if chosen else "",
            states=STATES,
            after=after,
            older=older,
            own_id=me().user_id,
            may_decide=self.may("approve"),
        )

    @exposed("/<uuid:adjustment_id>/approve/", methods=("POST",))
    def approve(self, adjustment_id: UUID) -> Any:
        try:
            made = adjustments.approve(adjustment_id, me().user_id, note=reasons.note_given())
        except InsufficientBalance as refusal:
            flash(f"Not approved: {refusal.message}. It goes on waiting.", "conflict")
            return redirect(self.get_url(".index"))
        flash(f"Approved. {display_usd(made.amount_usd)} is in the books; the customer can see it.", "success")
        return redirect(self.get_url(".index"))

    @exposed("/<uuid:adjustment_id>/reject/", methods=("POST",))
    def reject(self, adjustment_id: UUID) -> Any:
        adjustments.reject(adjustment_id, me().user_id, note=reason_given())
        flash("Rejected. Nothing has moved.", "success")
        return redirect(self.get_url(".index"))

    @exposed("/<uuid:adjustment_id>/withdraw/", methods=("POST",))
    def withdraw(self, adjustment_id: UUID) -> Any:
        adjustments.withdraw(adjustment_id, me().user_id, note=reason_given())
        flash("Taken back. Nothing has moved.", "success")
        return redirect(self.get_url(".index"))


def _key(after: str | None) -> UUID | None:
    try:
        return None if after is None else UUID(after)
    except ValueError:
        raise NotFound("There is no such page of this list.") from None
