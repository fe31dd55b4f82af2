"""The live tile: the last minute of the business, pushed to staff who have the dashboard open."""

from collections.abc import Collection, Mapping

from flask import Response, current_app

from reseller.backoffice.access import STAFF, Page, exposed, me, pages
from reseller.domain.desk.figures.pulse import Pulse, pulse
from reseller.domain.identity import sessions
from reseller.web.formats import number, usd
from reseller.web.streams import Feed, Figures, Topic, Viewer

TOPIC = "pulse"


def look(_: Collection[Topic]) -> Mapping[Topic, Figures]:
    """One look for everybody."""
    return {TOPIC: words(pulse())}


def words(now: Pulse) -> dict[str, str]:
    """What the tile shows."""
    return {"in_flight": number(now.in_flight), "calls": number(now.calls), "errors": number(now.errors), "spend": usd(now.charge_nano)}


class Live(Page):
    access = pages(STAFF, "index")
    _feed: Feed | None = None

    def is_visible(self) -> bool:
        return False

    @exposed("/")
    def index(self) -> Response:
        """The stream of the live tile; 503 where too many watch already."""
        if self._feed is None:
            app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's own way
            self._feed = Feed(app, look, sessions.living)
        return self._feed.answer(Viewer(me().user_id, me().session_id), TOPIC)
