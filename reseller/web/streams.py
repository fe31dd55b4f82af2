"""Figures that open pages show of this moment, pushed as server-sent events: one look at the database for all who watch.

A viewer holds no connection of the database, nor a transaction, between looks. Their stream ends when their session is over, when
the process drains, and after LASTS_SECONDS at the latest; the browser comes back by itself while it may. What is looked at, and whose
sessions count, each feed says itself.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

import gevent
import orjson
import structlog
from flask import Flask, Response
from gevent.event import Event
from sqlalchemy.exc import SQLAlchemyError

from reseller.clock import monotonic
from reseller.database import acting_as_operator, db
from reseller.live import LiveCalls
from reseller.silence import REQUEST_SECONDS, wait_in_all

LOOK_SECONDS = 2.0
BEAT_SECONDS = 10.0  # a comment at least so often, so that nobody between takes the stream for dead
NOTICE_SECONDS = 0.5  # how soon a drain is noticed
LASTS_SECONDS = 300.0
MAX_VIEWERS = 200
MAX_OF_ONE_PERSON = 8
RATHER_LATER = b"retry: 30000\n\n"  # to a page whose place went to a newer one, or the two would take it from each other for ever

Topic = Hashable
Figures = Mapping[str, str]  # name of a place on the page → what it shows
Look = Callable[[Collection[Topic]], Mapping[Topic, Figures]]
Living = Callable[[Collection[UUID]], set[UUID]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who watches: how many streams are theirs is counted by person, whether they may is asked of the session."""

    user_id: UUID
    session_id: UUID  # or what else lets them watch, and ends


class Feed:
    """What all viewers of one process share. Looks only while somebody watches, as the operator.

    `look` gives the figures of topics, those it knows; `living` says which of these sessions are not over.
    """

    def __init__(self, app: Flask, look: Look, living: Living) -> None:
        self._app = app
        self._look_at = look
        self._living = living
        self._streams: dict[Stream, tuple[Viewer, Topic]] = {}
        self._greenlet: gevent.Greenlet | None = None
        self._news = Event()
        self._over: set[UUID] = set()
        self._figures: Mapping[Topic, Figures] = {}
        self._figures_at = monotonic()
        calls = app.extensions["live_calls"]
        assert isinstance(calls, LiveCalls)
        self._calls = calls

    def answer(self, viewer: Viewer, topic: Topic) -> Response:
        """A stream of this topic's figures; 503 where too many watch. Nobody takes every place: one more of theirs ends their oldest.

        A page that was closed is not noticed before the next write, so whoever opens pages quickly must not wait for that.
        """
        theirs = [stream for stream, (each, _) in self._streams.items() if each.user_id == viewer.user_id]
        if len(theirs) >= MAX_OF_ONE_PERSON:
            self.leave(theirs[0])
            self._wake()
        elif len(self._streams) >= MAX_VIEWERS:
            return Response(status=503, headers={"Retry-After": "30"})
        headers = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
        return Response(Stream(self, viewer, topic), mimetype="text/event-stream", headers=headers)

    @property
    def is_draining(self) -> bool:
        return self._calls.is_draining

    def join(self, stream: "Stream", viewer: Viewer, topic: Topic) -> None:
        """The stream gets news from now on."""
        self._streams[stream] = (viewer, topic)
        self._see_to_looking()

    def leave(self, stream: "Stream") -> None:
        self._streams.pop(stream, None)

    def has(self, stream: "Stream") -> bool:
        """Whether the stream still has its place."""
        return stream in self._streams

    def may_watch(self, viewer: Viewer) -> bool:
        """Whether the session was alive at the last look."""
        return viewer.session_id not in self._over

    def figures_of(self, topic: Topic, *, since: float) -> Figures | None:
        """As of the last look, unless it began before that moment: a page that comes back must not show what once was as of now."""
        return self._figures.get(topic) if self._figures_at >= since else None

    def wait(self, seconds: float) -> None:
        """Until there is news, or so long."""
        self._see_to_looking()
        self._news.wait(seconds)

    def _see_to_looking(self) -> None:
        if self._greenlet is None and not self.is_draining:
            self._greenlet = gevent.spawn(self._look_while_watched)

    def _look_while_watched(self) -> None:
        looked_at = monotonic() - LOOK_SECONDS
        try:
            while self._streams and not self.is_draining:
                if monotonic() - looked_at >= LOOK_SECONDS:
                    looked_at = monotonic()
                    self._look()
                gevent.sleep(min(NOTICE_SECONDS, LOOK_SECONDS))
        finally:
            self._greenlet = None
            self._figures = {}
            self._wake()

    def _look(self) -> None:
        wait_in_all(REQUEST_SECONDS)
        began = monotonic()
        asked = {viewer.session_id for viewer, _ in self._streams.values()}
        with self._app.app_context(), acting_as_operator():
            try:
                self._figures = dict(self._look_at({topic for _, topic in self._streams.values()}))
                self._figures_at = began
                over = asked - self._living(asked)
            except SQLAlchemyError as error:
                log.warning("live_look_failed", error=type(error).__name__)
                return
            finally:
                db.session.remove()
        self._over = over  # whoever has joined meanwhile has just been let in
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news.clear()


class Stream:
    """One viewer's answer. `close` is called however it ends, also before its first event."""

    def __init__(self, feed: Feed, viewer: Viewer, topic: Topic) -> None:
        self._feed = feed
        self._viewer = viewer
        self._topic = topic
        self._joined_at = monotonic()
        self._events = self._run()
        feed.join(self, viewer, topic)

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        self._feed.leave(self)

    def _run(self) -> Iterator[bytes]:
        began = said_at = monotonic()
        said: Figures | None = None
        yield b"retry: 2000\n\n"
        while not self._feed.is_draining and monotonic() - began < LASTS_SECONDS:
            if not self._feed.may_watch(self._viewer):
                yield b"event: over\ndata: {}\n\n"
                return
            if not self._feed.has(self):
                yield RATHER_LATER
                return
            figures = self._feed.figures_of(self._topic, since=self._joined_at)
            if figures is not None and figures != said:
                said, said_at = figures, monotonic()
                yield b"event: now\ndata: " + orjson.dumps(figures) + b"\n\n"
            elif monotonic() - said_at >= BEAT_SECONDS:
                said_at = monotonic()
                yield b": still here\n\n"
            self._feed.wait(max(min(BEAT_SECONDS - monotonic() + said_at, LASTS_SECONDS - monotonic() + began), 0.01))
