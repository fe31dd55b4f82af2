"""Reseller: an OpenAI-compatible API that resells LLM access with prepaid credits.

`create_app` knows every door, and nobody imports it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask
from flask_migrate import Migrate
from sqlalchemy.orm import Session

from config import Settings, SettingsRefused, settings_for
from config.logging import tell_of_alarms
from config.postgres import database_url_for
from reseller import backoffice, callbacks, gateway, pages, portal, probes, web
from reseller.cashier import Cashier
from reseller.cli import install as install_commands
from reseller.clock import new_id
from reseller.database import db
from reseller.domain.alarms import ALARMS
from reseller.domain.calls import Till
from reseller.domain.keys import Directory
from reseller.domain.pricing import Book
from reseller.live import LiveCalls
from reseller.metrics import count_error, observe_batch
from reseller.reader import Reader
from reseller.silence import REQUEST_SECONDS, wait_in_all
from reseller.telemetry import telemetry_of
from reseller.upstreams import Upstreams
from reseller.wiring import Wiring, attach
from reseller.worker import wording

ENGINE = {
    "pool_size": 10,
    "max_overflow": 20,
    "pool_timeout": 3,
    "pool_pre_ping": True,
    # What is sent holds hashes of passwords and sealed secrets; errors go to the log (R37).
    "hide_parameters": True,
    # The server looks whether we still wait: a question that was given up ends there too. It compiles none of them: behind the walls
    # between accounts it takes cheap questions for dear ones, and each report would wait 70 ms for machine code.
    "connect_args": {"connect_timeout": 3, "options": "-c timezone=UTC -c client_connection_check_interval=1s -c jit=off"},
}


class Plain(Flask):
    """Flask without coroutines: it would ask of every view and hook, with every request, whether it is one."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """The whole app, wired. Raises SettingsRefused; touches no table."""
    settings = settings or settings_for()
    if problems := wording.problems(settings.brand):
        raise SettingsRefused(problems)
    tell_of_alarms(partial(count_error, counted={"alarm", *ALARMS}))
    database_url = database_url_for(settings)
    app = Plain(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=settings.secret_key.get_secret_value(),
        SQLALCHEMY_DATABASE_URI=database_url,
        SQLALCHEMY_ENGINE_OPTIONS=ENGINE,
    )
    if older := settings.secret_keys[1:]:
        app.config.update(SECRET_KEY_FALLBACKS=list(older), WTF_CSRF_SECRET_KEY=list(reversed(settings.secret_keys)))
    app.url_map.merge_slashes = False  # a redirect to a plain-http address would carry the key in clear
    app.json.sort_keys = False  # type: ignore[attr-defined]
    db.init_app(app)
    Migrate(app, db, directory="migrations")
    open_session = partial(_open_session, app)
    process_id = new_id()
    house = Wiring(
        settings=settings,
        process_id=process_id,
        till=Till(database_url, observe=observe_batch),
        book=Book(open_session),
        directory=Directory(),
        upstreams=Upstreams(settings, open_session),
        cashier=Cashier(settings),
        reader=Reader(settings.database_read_url),
        telemetry=telemetry_of(settings, process_id),
    )
    attach(app, house)
    live = LiveCalls(house.till, client_patience_seconds=settings.upstream_idle_seconds)
    app.extensions["live_calls"] = live
    app.before_request(partial(wait_in_all, REQUEST_SECONDS))
    web.install(app, settings)
    gateway.install(app, settings, live)
    pages.install(app, settings)
    probes.install(app)
    callbacks.install(app)
    portal.install(app, settings)
    backoffice.install(app, settings)
    install_commands(app)
    return app


def _open_session(app: Flask) -> Session:
    """A session of its own on the app's database, for readers outside any request."""
    with app.app_context():
        return Session(db.engine)
