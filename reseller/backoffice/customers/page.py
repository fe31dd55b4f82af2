"""The page of one customer: everything that staff need to know, on one screen after another."""

from typing import Any
from uuid import UUID

from flask import request

from reseller.backoffice.access import Page, exposed
from reseller.clock import new_id
from reseller.domain.desk import customer as desk
from reseller.domain.usage import call_id_of
from reseller.domain.webhooks import shown_url


class CustomerPage(Page):
    @exposed("/<uuid:account_id>/")
    def show(self, account_id: UUID) -> Any:
        """`call`, `key` and `entry` in the address mark what a search has found; `before` pages the timeline."""
        before = request.args.get("before") or None
        who = desk.customer(account_id, before=before)
        call_id = call_id_of(request.args.get("call", ""))
        return self.render(
            "customers/show.html",
            who=who,
            before=before,
            found_call=None if call_id is None else desk.call_shown(account_id, call_id),
            asked_call=call_id,
            marked={request.args.get("key"), request.args.get("entry")},
            note_id=new_id(),
            shown_url=shown_url,
        )
