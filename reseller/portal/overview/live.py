"""/overview/live: the balance and the day so far, pushed to every page that shows them."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import cast
from uuid import UUID

from flask import Response, current_app

from reseller.domain.identity import sessions, viewings
from reseller.domain.standing import Changes, figures_of
from reseller.domain.standing.figures import Figures, Topic
from reseller.portal import acting
from reseller.portal.overview.blueprint import overview
from reseller.web import streams
from reseller.web.formats import counted, exact_usd, number, usd, viewer_zone
from reseller.web.streams import Feed, Viewer

FEED = "own_figures"


@overview.get("/overview/live", endpoint="live")
@acting.scoped
def stream() -> Response:
    """The stream of one account's figures; 503 where too many watch already."""
    me = acting.me()
    scope = acting.scope()
    return _feed().answer(Viewer(me.user_id, scope.viewing_id or me.session_id), (scope.account_id, viewer_zone().key))


def still_open(ids: Collection[UUID]) -> set[UUID]:
    """Those who may go on watching: by sessions that are not over, and staff by viewings that are not."""
    return sessions.still_open(ids) | viewings.still_open(ids)


def now(account_id: UUID) -> dict[str, str]:
    """The same for a page that is made at this moment."""
    return words(figures_of(account_id, viewer_zone()))


def words(now: Figures) -> dict[str, str]:
    """What pages show, by the names of their places: `data-live-value` in templates."""
    money: dict[str, Decimal | int] = {
        "available": now.balance.available_nano,
        "held": now.balance.held_nano,
        "balance": now.balance.settled_nano,
        "spend": now.today.charge_usd,
    }
    return {
        **{name: usd(amount) for name, amount in money.items()},
        **{f"{name}_exact": exact_usd(amount) for name, amount in money.items()},
        "open_calls": number(now.balance.open_calls),
        "calls": number(now.today.calls),
        "errors": number(now.today.errors),
        "calls_told": counted(now.today.calls, "call"),
        "errors_told": counted(now.today.errors, "error"),
        "refused": number(now.today.refused),
    }


def _feed() -> Feed:
    """This process's feed, made when somebody first watches."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's own way
    feed = app.extensions.get(FEED)
    if feed is None:
        changes = Changes()

        def look(topics: Collection[streams.Topic]) -> Mapping[streams.Topic, streams.Figures]:
            return {topic: words(now) for topic, now in changes.look(cast(Collection[Topic], topics)).items()}

        feed = app.extensions[FEED] = Feed(app, look, still_open)
    assert isinstance(feed, Feed)
    return feed
