"""Migrations run while customers call: one that must wait gives way, and none holds a large table for long."""

import ast
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from reseller.wiring import wiring_of
from tests.domain import scenes
from tests.house.source import ROOT, files
from tests.servers import FLASK, environment, run_flask
from tests.waiting import wait_until

FROM = 29  # the first migration that the rules below hold for; the tables of older ones were empty when they were written
NEW = '''"""A column more"""

from alembic import op

revision = "9999_a_column_more"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE accounts ADD COLUMN colour text")


def downgrade() -> None:
    op.execute("ALTER TABLE accounts DROP COLUMN colour")
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Our migrations and one more."""
    copied = tmp_path / "migrations"
    shutil.copytree(ROOT / "migrations", copied, ignore=shutil.ignore_patterns("__pycache__"))
    newest = max(path.stem for path in (copied / "versions").glob("0*.py"))
    (copied / "versions" / "9999_a_column_more.py").write_text(NEW.format(before=newest))
    return copied


@pytest.fixture
def reader(database_url: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """Somebody who has looked at the accounts and not ended the transaction."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT count(*) FROM accounts")
        yield connection


def test_a_migration_that_waits_keeps_no_call_waiting_and_goes_on_when_it_can(
    app: Flask, database_url: str, folder: Path, reader: "psycopg.Connection[tuple[object, ...]]", tmp_path: Path
) -> None:
    """Calls wait 150 ms for a lock: behind a migration that waited longer they would fail."""
    who, till, log = scenes.customer(nano=10**9), wiring_of(app).till, tmp_path / "log"
    with log.open("wb") as said:
        command = [*FLASK, "db", "upgrade", "-d", str(folder)]
        running = subprocess.Popen(command, env=environment(database_url, tmp_path), cwd=ROOT, stdout=said, stderr=said)
        try:
            admitted = 0
            while log.read_text().count("waits for a table") < 2:
                till.admit(scenes.admission(who, hold=1))
                admitted += 1
                assert running.poll() is None, log.read_text()
            reader.rollback()
            assert wait_until(lambda: running.poll() is not None)
        finally:
            running.kill()
            running.wait()

    assert running.returncode == 0, log.read_text()
    assert admitted > 10
    assert f"process {reader.info.backend_pid}" in log.read_text()
    assert scenes.rows("SELECT column_name FROM information_schema.columns WHERE column_name = 'colour'")


def test_a_migration_that_never_gets_its_turn_gives_up_and_has_done_nothing(
    app: Flask, database_url: str, folder: Path, reader: "psycopg.Connection[tuple[object, ...]]", tmp_path: Path
) -> None:
    done = run_flask("db", "upgrade", "-d", str(folder), "-x", "patience=0", env=environment(database_url, tmp_path))

    assert done.returncode == 1
    assert "Nothing of that migration was done" in done.stderr
    assert not scenes.rows("SELECT column_name FROM information_schema.columns WHERE column_name = 'colour'")


def test_a_release_that_knows_less_than_the_database_starts_on_it(database_url: str, tmp_path: Path, app: Flask) -> None:
    """Going back to the release before: it runs on the newer schema, and `release` of the Procfile must not stop it."""
    scenes.execute("UPDATE alembic_version SET version_num = '9999_later'")

    done = run_flask("db", "upgrade", env=environment(database_url, tmp_path))

    assert done.returncode == 0, done.stderr
    assert "9999_later, which a later release has made" in done.stderr
    assert scenes.rows("SELECT version_num FROM alembic_version") == [{"version_num": "9999_later"}]


def test_new_migrations_hold_no_table_for_long() -> None:
    """What scans or rewrites a table that is there already says `# quick: why`, or is done without the lock."""
    found = [problem for path in files("migrations/versions") if int(path.stem[:4]) >= FROM for problem in problems_in(path)]

    assert not found, "\n".join(["Customers would wait for:", *found])


@pytest.mark.parametrize(
    ("line", "is_dangerous"),
    [
        ("op.create_index('i', 'usage_hours', ['a'])", True),
        ("op.create_index('i', 'usage_hours', ['a'], postgresql_concurrently=True)", False),
        ("op.create_index('i', 'usage_hours', ['a'])  # quick: some hundred rows", False),
        ("op.create_index('i', 'made_here', ['a'])", False),
        ("op.add_column('users', sa.Column('x', sa.Text(), nullable=False))", True),
        ("op.add_column('users', sa.Column('x', sa.Text(), nullable=False, server_default=''))", False),
        ("op.add_column('users', sa.Column('x', sa.Text()))", False),
        ("op.alter_column('users', 'x', nullable=False)", True),
        ("op.alter_column('users', 'x', type_=sa.BigInteger())", True),
        ("op.alter_column('users', 'x', server_default='7')", False),
        ("op.create_foreign_key('f', 'users', 'accounts', ['a'], ['id'])", True),
        ("op.create_foreign_key('f', 'users', 'accounts', ['a'], ['id'], postgresql_not_valid=True)", False),
        ("op.create_check_constraint('c', 'users', 'x > 0')", True),
        ("op.create_unique_constraint('u', 'users', ['x'])", True),
        ("op.execute('CREATE INDEX i ON users (x)')", True),
        ("op.execute('CREATE INDEX CONCURRENTLY i ON users (x)')", False),
        ("op.execute('ALTER TABLE users ALTER x SET NOT NULL')", True),
        ("op.execute('UPDATE users SET x = 1')", True),
        ("op.execute('ALTER TABLE users ENABLE ROW LEVEL SECURITY')", False),
    ],
)
def test_the_rule_itself(tmp_path: Path, line: str, is_dangerous: bool) -> None:
    path = ROOT / "migrations" / "versions" / "9998_x.py"
    source = f"def upgrade():\n    op.create_table('made_here')\n    {line}\n"

    assert bool(problems_of(path, source)) == is_dangerous


def problems_in(path: Path) -> list[str]:
    return problems_of(path, path.read_text(encoding="utf-8"))


def problems_of(path: Path, source: str) -> list[str]:
    """The lines of `upgrade` and what it calls that hold a table for as long as it is large."""
    lines, found = source.splitlines(), []
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    own = {_text(call.args[0]) for call in calls if call.func.attr == "create_table" and call.args}  # type: ignore[attr-defined]
    for call in calls:
        said = " ".join(lines[call.lineno - 1 : call.end_lineno])
        words = _danger(call, own)
        if words and "# quick:" not in said:
            found.append(f"{path.name}:{call.lineno} {words}")
    return found


def _danger(call: ast.Call, own: set[str]) -> str:
    name = call.func.attr  # type: ignore[attr-defined]
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    args = [_text(argument) for argument in call.args]
    table = args[1] if name.startswith("create_") and len(args) > 1 else args[0] if args else ""
    if name == "execute":
        return _danger_of_sql(args[0].upper() if args else "", own)
    if table in own:
        return ""
    if name == "create_index" and "postgresql_concurrently" not in named:
        return f"an index of {table}: postgresql_concurrently=True in an autocommit_block, with lock_timeout 0"
    if name in ("create_foreign_key", "create_check_constraint") and "postgresql_not_valid" not in named:
        return f"a constraint of {table}: postgresql_not_valid=True, then VALIDATE in a migration of its own"
    if name == "create_unique_constraint":
        return f"a unique constraint of {table}: a unique index made concurrently, then USING INDEX"
    if name == "alter_column" and ("type_" in named or _is_false(named.get("nullable"))):
        return f"a column of {table} is rewritten or scanned: a new column, or a CHECK that is not valid first"
    if name == "add_column" and len(call.args) > 1 and isinstance(call.args[1], ast.Call):
        column = {keyword.arg: keyword.value for keyword in call.args[1].keywords}
        if _is_false(column.get("nullable")) and "server_default" not in column:
            return f"a column of {table} that old code does not fill: give it a server_default"
    return ""


def _danger_of_sql(sql: str, own: set[str]) -> str:
    if any(f" {table.upper()}" in sql for table in own):
        return ""
    for words, instead in {
        "CREATE INDEX ": "CREATE INDEX CONCURRENTLY",
        "CREATE UNIQUE INDEX ": "CREATE UNIQUE INDEX CONCURRENTLY",
        "SET NOT NULL": "a CHECK that is NOT VALID first",
        "LOCK TABLE": "nothing: a migration takes no lock by hand",
        "UPDATE ": "batches by a command or a job",
        "DELETE FROM ": "batches by a command or a job",
    }.items():
        if words in sql and "CONCURRENTLY" not in sql:
            return f"{words.strip()}: rather {instead}"
    return ""


def _is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "?" for part in node.values)
    return ""
