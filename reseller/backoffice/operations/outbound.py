"""What customers' programs are told: their endpoints, each delivery with its tries, sending again, switching off and on.

Nobody of staff sees a secret, a signature, or the whole of an address: its path may be a token of the owner.
"""

from typing import Any, ClassVar
from uuid import UUID

from flask import flash, redirect, request, url_for
from markupsafe import Markup

from reseller.backoffice import cells, reasons
from reseller.backoffice.access import MONEY, STAFF, actor, exposed, pages
from reseller.backoffice.filters import AccountIs, Choice, Id, ListFilter, between_days, equals
from reseller.backoffice.tables import Formatter, TableView
from reseller.domain import webhooks
from reseller.domain.desk import delivery_lines
from reseller.domain.desk.naming import names_of_accounts
from reseller.domain.outbox import EVENTS
from reseller.domain.webhooks import DeliveryState, OffBecause, WebhookDelivery, WebhookEndpoint
from reseller.errors import NotFound
from reseller.web.formats import next_try
from reseller.web.typed import typed_id

OFF_WORDS = {
    OffBecause.BY_OWNER: "switched off by its owner",
    OffBecause.BY_STAFF: "switched off by staff",
    OffBecause.GONE: "answered 410: never again",
    OffBecause.FAILING: "nothing got through for three days",
    OffBecause.REMOVED: "removed by its owner",
}
EVENT_OPTIONS = [(name, name) for name in EVENTS]


class Deliveries(TableView):
    access = pages(STAFF, "index_view", "details_view", "redeliver") | pages(MONEY, "export")
    details_template = "webhooks/delivery.html"
    order_key = "position"
    intro = "What was sent to programs of customers, newest first. A delivery is tried for three days; then it is given up."
    empty = "Nothing has been sent yet: it takes an endpoint of a customer, and an event that it wants to hear of."
    column_list = (
        "created_at", "account_name", "address", "event_name", "state", "attempts", "last_status", "last_error", "next_try_at",
    )  # fmt: skip
    column_export_list = (
        "id", "created_at", "account_id", "account_name", "endpoint_id", "address", "event_name", "is_test", "state", "attempts",
        "last_status", "last_error", "next_try_at", "ended_at",
    )  # fmt: skip
    labels: ClassVar = {
        "created_at": "Queued",
        "account_name": "Account",
        "address": "Endpoint",
        "event_name": "Event",
        "attempts": "Tries",
        "last_status": "Answer",
        "last_error": "Trouble",
        "next_try_at": "Next try",
    }
    numeric = frozenset({"attempts"})
    cells: ClassVar[dict[str, Formatter]] = {
        "account_name": lambda line: cells.account(line.account_id, line.account_name) or line.account_name,
        "address": lambda line: cells.link(endpoint_href(line.endpoint_id), line.address, css_class="host"),
        "event_name": lambda line: f"{line.event_name} (test)" if line.is_test else line.event_name,
        "state": lambda line: cells.status(line.state),
        "last_status": lambda line: line.last_status and cells.tag(str(line.last_status), tone_of(line.last_status)),
        "next_try_at": lambda line: next_try(line.next_try_at),
    }
    column_filters: ClassVar[tuple[ListFilter, ...]] = (
        AccountIs(WebhookDelivery.account_id),
        Id("endpoint_id", "Endpoint", equals(WebhookDelivery.endpoint_id)),
        Choice("event", "Event", equals(WebhookDelivery.event_name), options=EVENT_OPTIONS),
        Choice("state", "State", equals(WebhookDelivery.state), options=[(state, state.replace("_", " ")) for state in DeliveryState]),
        *between_days(WebhookDelivery.id, WebhookDelivery.created_at),
    )

    def shown(self, rows: list[Any]) -> list[Any]:
        return delivery_lines.deliveries(rows)

    def cursor(self, text: str) -> Any:
        if not (text.isascii() and text.isdecimal() and len(text) < 19):
            raise NotFound("There is no such page of this list.")
        return int(text)

    @exposed("/details/")
    def details_view(self) -> Any:
        """One delivery from its event to its last try."""
        return self._page(_id_given())

    @exposed("/<uuid:delivery_id>/redeliver/", methods=("POST",))
    def redeliver(self, delivery_id: UUID) -> Any:
        """The same message is sent again, under the same id."""
        webhooks.redeliver(delivery_id, account_id=None, actor=actor(), reason=reasons.reason_given())
        flash("It is sent again now, under the same id. Reload this page to see what came of it.", "success")
        return redirect(self.get_url(".details_view", id=delivery_id))

    def _page(self, delivery_id: UUID) -> Any:
        story = webhooks.story_of(delivery_id, None)
        return self.render(
            self.details_template,
            story=story,
            account=_account(story.account_id),
            address=webhooks.shown_url,
            off_words=OFF_WORDS,
            tone_of=tone_of,
            link=cells.link,
        )


class Endpoints(TableView):
    access = pages(STAFF, "index_view", "details_view", "switch_off", "switch_on", "redeliver_given_up") | pages(MONEY, "export")
    details_template = "webhooks/endpoint.html"
    intro = "Where customers want to hear of events. Of an address staff see the host alone, and of its secret nothing."
    empty = "No customer has added an endpoint yet; they do at /webhooks."
    column_list = ("created_at", "account_name", "address", "description", "events", "state", "off_because", "failing_since")
    column_export_list = (
        "id",
        "created_at",
        "account_id",
        "account_name",
        "address",
        "events",
        "state",
        "off_because",
        "off_at",
        "failing_since",
    )
    labels: ClassVar = {
        "created_at": "Added",
        "account_name": "Account",
        "address": "Leads to",
        "off_because": "Why it is off",
        "failing_since": "Failing since",
    }
    cells: ClassVar[dict[str, Formatter]] = {
        "account_name": lambda line: cells.account(line.account_id, line.account_name) or line.account_name,
        "state": lambda line: cells.status(line.state),
        "off_because": lambda line: line.off_because and OFF_WORDS[OffBecause(line.off_because)],
    }
    column_filters: ClassVar[tuple[ListFilter, ...]] = (
        AccountIs(WebhookEndpoint.account_id),
        Choice(
            "state",
            "State",
            lambda state: {
                "on": WebhookEndpoint.off_at.is_(None) & WebhookEndpoint.failing_since.is_(None),
                "failing": WebhookEndpoint.off_at.is_(None) & WebhookEndpoint.failing_since.is_not(None),
                "off": WebhookEndpoint.off_at.is_not(None),
            }[state],
            options=[(state, state) for state in ("on", "failing", "off")],
        ),
    )

    def shown(self, rows: list[Any]) -> list[Any]:
        return delivery_lines.endpoints(rows)

    @exposed("/details/")
    def details_view(self) -> Any:
        """One endpoint, how it fares, and what was sent there last."""
        endpoint = webhooks.endpoint_of(_id_given(), None)
        found = webhooks.deliveries_of(endpoint.id, most=20)
        return self.render(
            self.details_template,
            endpoint=endpoint,
            account=_account(endpoint.account_id),
            deliveries=found,
            address=webhooks.shown_url(endpoint.url),
            off_words=OFF_WORDS,
            tone_of=tone_of,
            may_switch_on=endpoint.off_because not in (None, OffBecause.REMOVED),
        )

    @exposed("/<uuid:endpoint_id>/switch-off/", methods=("POST",))
    def switch_off(self, endpoint_id: UUID) -> Any:
        """Nothing is sent there any more."""
        because, reason = OffBecause.BY_STAFF, reasons.reason_given()
        webhooks.switch_off(endpoint_id, account_id=None, because=because, actor=actor(), reason=reason)
        flash("The endpoint is off; its owner sees that staff did it.", "success")
        return redirect(endpoint_href(endpoint_id))

    @exposed("/<uuid:endpoint_id>/switch-on/", methods=("POST",))
    def switch_on(self, endpoint_id: UUID) -> Any:
        """What happens from now on is sent there."""
        webhooks.switch_on(endpoint_id, account_id=None, actor=actor(), reason=reasons.reason_given())
        flash("The endpoint is on.", "success")
        return redirect(endpoint_href(endpoint_id))

    @exposed("/<uuid:endpoint_id>/redeliver/", methods=("POST",))
    def redeliver_given_up(self, endpoint_id: UUID) -> Any:
        """Whatever did not get through is sent again."""
        count = webhooks.redeliver_given_up(endpoint_id, account_id=None, actor=actor(), reason=reasons.reason_given())
        flash(f"{count} {'delivery is' if count == 1 else 'deliveries are'} on the way again.", "success")
        return redirect(endpoint_href(endpoint_id))


def endpoint_href(endpoint_id: UUID) -> str:
    """The page of an endpoint."""
    return url_for("endpoints.details_view", id=endpoint_id)


def tone_of(status: int) -> str:
    """Whether the receiver took it."""
    return "good" if 200 <= status < 300 else "bad"


def _account(account_id: UUID) -> Markup | str | None:
    return cells.account(account_id, names_of_accounts([account_id]).get(account_id))


def _id_given() -> UUID:
    return typed_id(request.args.get("id", ""))
