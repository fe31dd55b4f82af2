"""DATABASE_READ_URL: reports read a replica, say how old it is, and nothing else ever does (R3, R22, R23)."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import text
from sqlalchemy.exc import InternalError

from config.postgres import temporary
from reseller import alarms, reader
from reseller.database import acting_as_operator, acting_for, db, transaction
from reseller.domain import keys
from reseller.domain.accounts import Role
from reseller.errors import InvalidKey
from reseller.wiring import wiring_of
from tests import staff
from tests.deployment import running_app, settings_over
from tests.domain import scenes
from tests.house.source import ROOT
from tests.reader.replicas import Replica, replica_of

ACCOUNTS = text("SELECT count(*) FROM accounts")


class Pair:
    """An app over a server and its replica, and its context acting as the operator."""

    def __init__(self, app: Flask, replica: Replica) -> None:
        self.app, self.replica = app, replica

    def looks_again(self) -> None:
        """As if LOOK_SECONDS had gone by."""
        wiring_of(self.app).reader._looked_at = -reader.LOOK_SECONDS


@pytest.fixture(scope="module")
def running_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Replica]]:
    with temporary(in_memory=True) as running:
        with running_app(settings_over(running.url, tmp_path_factory.mktemp("first"))) as app, app.app_context():
            upgrade(directory=str(ROOT / "migrations"))
        with replica_of(running, running.url) as replica:
            yield running.url, replica


@pytest.fixture
def pair(running_pair: tuple[str, Replica], tmp_path: Path) -> Iterator[Pair]:
    url, replica = running_pair
    alarms.take()
    with ExitStack() as stack:
        app = stack.enter_context(running_app(settings_over(url, tmp_path, DATABASE_READ_URL=replica.url)))
        stack.enter_context(app.app_context())
        stack.enter_context(acting_as_operator())
        scenes.customer()
        replica.catch_up()
        yield Pair(app, replica)
        replica.catch_up()


def counted(pair: Pair) -> tuple[int, int]:
    """Accounts as a report counts them, and as everything else does."""
    with wiring_of(pair.app).reader.reports(), transaction() as session:
        in_reports = session.scalar(ACCOUNTS)
    with transaction() as session:
        return in_reports or 0, session.scalar(ACCOUNTS) or 0


def test_reports_read_the_replica_and_all_else_the_first(pair: Pair) -> None:
    before = counted(pair)
    pair.replica.pause()
    scenes.customer()

    behind = counted(pair)
    pair.replica.catch_up()

    assert before[0] == before[1]
    assert behind == (before[0], before[1] + 1)
    assert counted(pair) == (before[1] + 1, before[1] + 1)


def test_nothing_is_written_there(pair: Pair) -> None:
    with pytest.raises(InternalError, match="read-only"), wiring_of(pair.app).reader.reports(), transaction() as session:
        session.execute(text("UPDATE accounts SET name = 'x'"))


def test_an_account_sees_its_own_rows_there_and_nobody_sees_any_unsaid(pair: Pair) -> None:
    """R23: the second wall stands in the replica, too."""
    mine, _ = scenes.customer(), scenes.customer()
    pair.replica.catch_up()

    with wiring_of(pair.app).reader.reports(), acting_for(mine.account_id), transaction() as session:
        seen = list(session.scalars(text("SELECT id FROM accounts")))
    with psycopg.connect(pair.replica.url) as silent:
        unsaid = silent.execute("SELECT count(*) FROM accounts").fetchone()

    assert seen == [mine.account_id]
    assert unsaid == (0,)


def test_a_key_that_was_revoked_a_moment_ago_is_refused_however_far_the_replica_is_behind(pair: Pair) -> None:
    """R22."""
    who = scenes.customer()
    pair.replica.catch_up()
    pair.replica.pause()
    keys.revoke(str(who.key_id), actor="test")

    with wiring_of(pair.app).reader.reports(), pytest.raises(InvalidKey):
        wiring_of(pair.app).till.admit(scenes.admission(who))


def test_a_page_says_how_old_its_figures_are(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    client = staff.client_of(pair.app, Role.ADMIN)
    pair.replica.catch_up()
    monkeypatch.setattr(reader, "WORTH_TELLING", reader.timedelta(0))

    page = client.get("/admin/business/").get_data(as_text=True)
    of_now = client.get("/admin/health/").get_data(as_text=True)

    assert "Read from a replica, as of" in page
    assert "Read from a replica" not in of_now


def test_a_replica_that_is_too_far_behind_is_not_read_and_staff_are_alarmed(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.replica.pause()
    scenes.customer()
    monkeypatch.setattr(reader, "MOST_BEHIND", reader.timedelta(0))
    pair.looks_again()

    in_reports, real = counted(pair)

    assert in_reports == real
    assert [(each.alarm, "behind" in each.words) for each in alarms.take()] == [("reader_unusable", True)]


@pytest.mark.parametrize("what", ["nobody listens", "a superuser"])
def test_one_that_is_away_or_above_the_walls_is_not_read(pair: Pair, tmp_path: Path, what: str) -> None:
    url = pair.replica.admin_url if what == "a superuser" else "postgresql://reseller:x@127.0.0.1:9/reseller"
    first = str(db.engine.url.render_as_string(hide_password=False))
    with running_app(settings_over(first, tmp_path, DATABASE_READ_URL=url)) as app, app.app_context(), acting_as_operator():
        in_reports, real = counted(Pair(app, pair.replica))

    assert in_reports == real
    assert [each.alarm for each in alarms.take()] == ["reader_unusable"]


def test_one_that_is_no_replica_any_more_and_stands_still_is_not_read(pair: Pair, tmp_path: Path) -> None:
    """After a fail-over: what was the first one says of itself that it is behind nobody."""
    first = str(db.engine.url.render_as_string(hide_password=False))
    beaten = "INSERT INTO processes (id, kind, host, pid, started_at, beat_at) VALUES (gen_random_uuid(), 'web', 'x', 1, now(), {})"
    with running_app(settings_over(first, tmp_path, DATABASE_READ_URL=first)) as app, app.app_context(), acting_as_operator():
        once_more, found = Pair(app, pair.replica), []
        scenes.execute("DELETE FROM processes")
        counted(once_more)
        nobody_beats = [(each.alarm, each.words) for each in alarms.take()]
        for since in ("10 minutes", "1 second"):
            scenes.execute(beaten.format(f"now() - interval '{since}'"))
            once_more.looks_again()
            counted(once_more)
            found.append([(each.alarm, each.words) for each in alarms.take()])
        scenes.execute("DELETE FROM processes")

    assert [(alarm, "no process beats there" in words) for alarm, words in nobody_beats] == [("reader_unusable", True)]
    assert found == [[("reader_unusable", "it is 600 s behind")], []]


def test_without_one_reports_read_the_first(app: Flask) -> None:
    scenes.customer()

    with wiring_of(app).reader.reports() as freshness, transaction() as session:
        assert session.scalar(ACCOUNTS) == 1

    assert freshness.as_of is None
