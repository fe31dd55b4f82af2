"""Migrations go up, down and up again, on an empty and on a filled database, and make what the models say."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import check, downgrade, upgrade
from psycopg import sql

from reseller.clock import new_id
from reseller.database import acting_as_operator, db
from reseller.domain.accounts import Role
from reseller.domain.calls import Till
from reseller.domain.ledger import AdjustmentDraft, adjustments
from reseller.wiring import wiring_of
from tests import factories
from tests.deployment import Cluster, named, running_app, settings_over
from tests.domain import scenes
from tests.house.source import ROOT

DIRECTORY = str(ROOT / "migrations")

SCHEMA = """
SELECT 'column', table_name, column_name, data_type, is_nullable, coalesce(column_default, '') FROM information_schema.columns
 WHERE table_schema = 'public'
UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '' FROM pg_constraint
 WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'policy', tablename, policyname, qual, with_check, '' FROM pg_policies
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), '', '' FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function', proname, pg_get_functiondef(oid), '', '', '' FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'security', relname, relrowsecurity::text, relforcerowsecurity::text, '', '' FROM pg_class
 WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
"""


@contextmanager
def app_over(url: str, folder: Path) -> Iterator[Flask]:
    with running_app(settings_over(url, folder)) as app, app.app_context(), acting_as_operator():
        yield app


@pytest.fixture
def empty_app(cluster: Cluster, tmp_path: Path) -> Iterator[Flask]:
    """The app on a database without a single table."""
    name = "empty"
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER reseller").format(sql.Identifier(name)))
    url = named(cluster.url, name)
    with app_over(url, tmp_path) as app:
        yield app
    cluster.drop_database(url)


def schema() -> set[tuple[Any, ...]]:
    """Everything that a migration can make, in words."""
    with db.engine.connect() as connection:
        found = {tuple(row) for row in connection.exec_driver_sql(SCHEMA)}
    return {row for row in found if "alembic_version" not in row}


def revisions() -> list[str]:
    """Every migration, oldest first."""
    return [script.revision for script in ScriptDirectory(DIRECTORY).walk_revisions()][::-1]


def test_an_empty_database_goes_up_down_and_up_again(empty_app: Flask) -> None:
    upgrade(DIRECTORY)
    first = schema()

    downgrade(DIRECTORY, "base")
    between = schema()
    upgrade(DIRECTORY)

    assert between == set(), "downgrade() must take away everything that upgrade() made"
    assert schema() == first, "downgrade() left something that changes what upgrade() makes"


def test_every_single_migration_goes_down_and_up_again(empty_app: Flask) -> None:
    for revision in revisions():
        upgrade(DIRECTORY, revision)
        up = schema()
        downgrade(DIRECTORY, "-1")
        upgrade(DIRECTORY, revision)

        assert schema() == up, f"{revision}: downgrade() must undo exactly what upgrade() does"


def filled(till: Till) -> scenes.Customer:
    """Money, a posted day, an open hold, a refusal, a job and a process."""
    who = scenes.customer(nano=1_000)
    for day in ("yesterday", "today"):
        op = scenes.admission(who)
        till.admit(op)
        till.settle(scenes.settlement(op))
        if day == "yesterday":
            scenes.make_it_yesterday(who)
    till.admit(scenes.admission(who))
    scenes.in_one_commit(till, [scenes.admission(who, hold=10**9)])
    scenes.execute("INSERT INTO price_versions (reason, actor, created_at) VALUES ('x', 'test', now())")
    scenes.execute("INSERT INTO job_runs (name) VALUES ('tidy')")
    return who


def test_a_filled_database_goes_down_and_up_again(app: Flask) -> None:
    """The books are of course gone then; what matters is that nothing stands in the way."""
    filled(wiring_of(app).till)
    wiring_of(app).till.close()
    before = schema()

    for _ in revisions():
        downgrade(DIRECTORY, "-1")
    upgrade(DIRECTORY)

    assert schema() == before


def test_the_newest_migrations_keep_the_books_of_a_filled_database(app: Flask) -> None:
    """Those after the tables of money change no money: down to them and up again, the books add up."""
    who = filled(wiring_of(app).till)
    wiring_of(app).till.close()

    downgrade(DIRECTORY, "0006_clock")
    upgrade(DIRECTORY)

    assert scenes.money(who) == (880, 100)
    assert len(scenes.usage(who)) == 3
    assert scenes.problems() == []


def test_nobodys_cap_begins_anew_with_a_migration(app: Flask) -> None:
    """R25: what was adjusted alone today counts on where refunds count too; what waited or was approved does not."""
    staff, colleague, customer = (factories.make_person(role=role) for role in (Role.SUPPORT, Role.FINANCE, Role.CUSTOMER))
    cap, drafts = {Role.SUPPORT: Decimal(50)}, [AdjustmentDraft(new_id(), customer.account_id, Decimal(usd), "x") for usd in (20, 40, 60)]
    for each in drafts:
        adjustments.request(each, staff.user_id, cap)
    adjustments.approve(drafts[2].id, colleague.user_id)
    wiring_of(app).till.close()
    query = "SELECT id, user_id, amount_nano FROM cap_uses"
    before = scenes.rows(query)

    downgrade(DIRECTORY, "0024_words_of_stripe")
    upgrade(DIRECTORY)

    assert scenes.rows(query) == before
    assert [row["id"] for row in before] == [drafts[0].id]


def test_models_and_migrations_agree(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    """`flask db check`."""
    try:
        check(DIRECTORY)
    except SystemExit:
        pytest.fail(f"Write a migration for what the models say: {capsys.readouterr()}")


def test_migrations_are_one_line_from_the_first_to_the_last() -> None:
    scripts = ScriptDirectory(DIRECTORY)

    assert len(scripts.get_heads()) == 1, "Two migrations follow the same one: put one after the other"
    assert revisions() == sorted(revisions()), "Migrations are applied in the order of their numbers"
    assert all(script.doc for script in scripts.walk_revisions()), "Say in the first line what the migration is about"
