"""A private PostgreSQL for the whole run, a fresh migrated database for each test that asks, and the app on it.

`database_url` and `app` are for tests of the domain, in this process and unpatched. Tests that
speak HTTP start real servers: tests/servers.py.
"""

import contextlib
import gc
import logging
import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask
from flask_migrate import upgrade
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import Browser
from sqlalchemy.orm import Session
from structlog.dev import plain_traceback

from config import Settings
from config.postgres import find_binaries, temporary
from reseller.database import acting_as_operator, db
from reseller.silence import wait_for_each
from tests.browser import Windows, open_browser
from tests.deployment import Cluster, running_app, settings_over
from tests.fakes.receiver import Receiver
from tests.shop import Shop, open_shop

ROOT = Path(__file__).resolve().parent.parent
OF_TIME = ("faults", "bounds")
"""Folders of tests that have a neighbour's patience or a deadline of ours in them."""


def pytest_configure(config: pytest.Config) -> None:
    """Whatever the developer has exported, tests run as tests."""
    for name in ("RESELLER_ENV", "DATABASE_URL", "RESELLER_INSTANCE", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "PORT"):
        os.environ.pop(name, None)
    # Not the coloured tracebacks with every local variable: where the package rich is installed, printing one takes a second.
    structlog.configure(processors=[structlog.processors.add_log_level, structlog.dev.ConsoleRenderer(exception_formatter=plain_traceback)])
    # Deadlines and slow starts say how busy the machine is, not whether the code is right.
    hypothesis_settings.register_profile("reseller", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    hypothesis_settings.load_profile("reseller")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collecting makes stays to the end: looking through it for garbage, again and again, took a tenth of the run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests whose outcome hangs on time come first and those that open a browser last: the two never run beside each other.

    Needs files to be given out whole and in order: `--dist loadfile --no-loadscope-reorder`.
    """
    with_browser = {item.path for item in items if isinstance(item, pytest.Function) and "browser" in item.fixturenames}
    items.sort(key=lambda item: (item.path in with_browser, item.path.parent.name not in OF_TIME))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One PostgreSQL for each process of the run, without fsync; TEST_ON_OLDEST_POSTGRES chooses the oldest that we support."""
    found = find_binaries()
    binaries = min(found, key=lambda each: each.major) if os.environ.get("TEST_ON_OLDEST_POSTGRES") else found[0]
    with temporary(binaries, in_memory=True) as running:
        settings = settings_over(running.url, tmp_path_factory.mktemp("template"))
        with running_app(settings) as app, app.app_context():
            upgrade(directory=str(ROOT / "migrations"))
        yield Cluster(running.url, running.admin_url)


@pytest.fixture
def database_url(cluster: Cluster) -> Iterator[str]:
    """A fresh migrated database, as the role that the app has in production: owner, neither superuser nor BYPASSRLS."""
    url = cluster.create_database()
    yield url
    cluster.drop_database(url)


@pytest.fixture(scope="module")
def module_database_url(cluster: Cluster) -> Iterator[str]:
    """As `database_url`, one for all tests of a module: for servers that they share."""
    url = cluster.create_database()
    yield url
    cluster.drop_database(url)


@pytest.fixture(scope="module")
def module_app(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The app on the module's database, no context pushed: for tests that only read what the module has filled in once."""
    with running_app(settings_over(module_database_url, tmp_path_factory.mktemp("module"))) as made:
        yield made


@pytest.fixture
def superuser_url(cluster: Cluster, database_url: str) -> str:
    """The test's database as a superuser, whom row-level security and triggers' grants do not hold."""
    return cluster.admin_url_of(database_url)


@pytest.fixture(scope="session")
def shop(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A running shop that all tests of this process share. Each makes customers of its own and scripts by model name."""
    with open_shop(cluster, tmp_path_factory.mktemp("shop")) as opened:
        yield opened


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this process."""
    with open_browser() as opened:
        yield opened


@pytest.fixture
def windows(browser: Browser, shop: Shop) -> Iterator[Windows]:
    """Windows onto the shop. The test fails if a page complained about anything that was not allowed."""
    opened = Windows(browser, shop.web.origin)
    try:
        yield opened
    finally:
        opened.close()
    assert not opened.complaints.unexpected, "a page complained:\n" + "\n".join(opened.complaints.unexpected)


@pytest.fixture(autouse=True)
def patient() -> None:
    """A request in an earlier test of this process has left its patience with the database behind: this test waits as it likes."""
    wait_for_each(None)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What modules of ours log inside the test, whoever has configured logging in this process before."""
    for name, module in list(sys.modules.items()):
        if name.startswith("reseller.") and hasattr(module, "log"):
            monkeypatch.setattr(module, "log", structlog.get_logger())
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET))  # commands tell warnings alone
    try:
        with structlog.testing.capture_logs() as events:
            yield events
    finally:
        structlog.configure(**before)


@pytest.fixture
def app_settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a deployment under test. A module may override this fixture."""
    return settings_over(database_url, tmp_path)


@pytest.fixture
def app(app_settings: Settings) -> Iterator[Flask]:
    """The app on a fresh database, its context pushed, acting as the operator."""
    with running_app(app_settings) as made, made.app_context(), acting_as_operator():
        yield made


@pytest.fixture
def session(app: Flask) -> Session:
    """The session that `transaction()` uses inside `app`."""
    return db.session()


@pytest.fixture
def make_app(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Further apps on the test's database, as further processes would be. Keywords are environment variables."""
    with contextlib.ExitStack() as stack:
        yield lambda **environ: stack.enter_context(running_app(settings_over(database_url, tmp_path, **environ)))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody outside whom we send to: programs of customers, the operator's, a collector."""
    with Receiver() as opened:
        yield opened
