"""The live tile: one look at the database every two seconds for all viewers of this process, pushed as server-sent events.

A viewer holds no connection of the database between looks. Its stream ends when its session is over, when the process drains, and
after LASTS_SECONDS at the latest; the browser comes back by itself while it may.
"""

from collections.abc import Iterator
from uuid import UUID

import gevent
import orjson
import structlog
from flask import Flask, Response, current_app
from gevent.event import Event
from sqlalchemy.exc import SQLAlchemyError

from reseller.backoffice.access import STAFF, Page, exposed, me, pages
from reseller.clock import monotonic
from reseller.database import acting_as_operator, db
from reseller.domain.desk.figures.pulse import Pulse, pulse
from reseller.domain.identity import sessions
from reseller.live import LiveCalls
from reseller.silence import REQUEST_SECONDS, wait_in_all
from reseller.web.formats import number, usd

LOOK_SECONDS = 2.0
BEAT_SECONDS = 10.0  # a comment at least so often, so that nobody between takes the stream for dead
NOTICE_SECONDS = 0.5  # how soon a drain is noticed
LASTS_SECONDS = 300.0
MAX_VIEWERS = 200
MAX_OF_ONE_SESSION = 10

log = structlog.get_logger()


class LiveFeed:
    """What all viewers of one process share. Looks only while somebody watches."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._viewers: dict[object, UUID] = {}
        self._greenlet: gevent.Greenlet | None = None
        self._news = Event()
        self._over: set[UUID] = set()
        self.latest: Pulse | None = None
        self.number = 0  # of the latest look

    def has_room_for(self, session_id: UUID) -> bool:
        """Whether one more of this session may watch: neither do all together nor does one alone take every place."""
        theirs = sum(each == session_id for each in self._viewers.values())
        return len(self._viewers) < MAX_VIEWERS and theirs < MAX_OF_ONE_SESSION

    def join(self, viewer: object, session_id: UUID) -> None:
        """The viewer gets news from now on."""
        self._viewers[viewer] = session_id
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._look_while_watched)

    def leave(self, viewer: object) -> None:
        self._viewers.pop(viewer, None)

    def may_watch(self, session_id: UUID) -> bool:
        """Whether the session was alive at the last look."""
        return session_id not in self._over

    def wait(self, seconds: float) -> None:
        """Until there is news, or so long."""
        self._news.wait(seconds)

    def _look_while_watched(self) -> None:
        try:
            while self._viewers:
                self._look()
                gevent.sleep(LOOK_SECONDS)
        finally:
            self._greenlet = None

    def _look(self) -> None:
        wait_in_all(REQUEST_SECONDS)
        with self._app.app_context(), acting_as_operator():
            try:
                self.latest = pulse()
                asked = set(self._viewers.values())
                over = asked - sessions.living(asked)
            except SQLAlchemyError as error:
                log.warning("live_look_failed", error=type(error).__name__)
                return
            finally:
                db.session.remove()
        self._over = over  # whoever has joined meanwhile has just been let in
        self.number += 1
        self._news.set()
        self._news.clear()


class Watching:
    """One viewer's stream. `close` is called however it ends, also before its first event."""

    def __init__(self, feed: LiveFeed, calls: LiveCalls, session_id: UUID) -> None:
        self._feed = feed
        self._calls = calls
        self._session_id = session_id
        self._events = self._run()
        feed.join(self, session_id)

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        self._feed.leave(self)

    def _run(self) -> Iterator[bytes]:
        began = said_at = monotonic()
        seen = 0
        yield b"retry: 2000\n\n"
        while not self._calls.is_draining and monotonic() - began < LASTS_SECONDS:
            if not self._feed.may_watch(self._session_id):
                yield b"event: over\ndata: {}\n\n"
                return
            if self._feed.latest is not None and self._feed.number != seen:
                seen, said_at = self._feed.number, monotonic()
                yield b"event: now\ndata: " + orjson.dumps(words(self._feed.latest)) + b"\n\n"
            elif monotonic() - said_at > BEAT_SECONDS:
                said_at = monotonic()
                yield b": still here\n\n"
            self._feed.wait(NOTICE_SECONDS)


def words(now: Pulse) -> dict[str, str]:
    """What the tile shows."""
    return {"in_flight": number(now.in_flight), "calls": number(now.calls), "errors": number(now.errors), "spend": usd(now.charge_nano)}


class Live(Page):
    access = pages(STAFF, "index")
    _feed: LiveFeed | None = None

    def is_visible(self) -> bool:
        return False

    @exposed("/")
    def index(self) -> Response:
        """The stream of the live tile; 503 where too many watch already."""
        if self._feed is None:
            self._feed = LiveFeed(current_app._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's own way
        if not self._feed.has_room_for(me().session_id):
            return Response(status=503, headers={"Retry-After": "30"})
        calls = current_app.extensions["live_calls"]
        assert isinstance(calls, LiveCalls)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Response(Watching(self._feed, calls, me().session_id), mimetype="text/event-stream", headers=headers)
