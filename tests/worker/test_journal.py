"""The job that keeps the journal reads of the audit log what it has not told yet, and of that only what a restore looks at (R35)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask import Flask
from sqlalchemy import event

from reseller.clock import now
from reseller.database import db, transaction
from reseller.domain import staff
from reseller.domain.journal import LISTED, PASSED_OVER, REPLAYED, lines_since
from reseller.domain.journal.kinds import is_among
from reseller.wiring import wiring_of
from reseller.worker.context import Context
from reseller.worker.journal import keep_journal
from tests.domain import scenes

ACTIONS = sorted(REPLAYED | LISTED | PASSED_OVER)
MATTER = REPLAYED | LISTED


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def keeping(context: Context, make_app: Callable[..., Flask], journal: Path) -> Context:
    settings = wiring_of(make_app(BACKUP_JOURNAL=str(journal))).settings
    return replace(context, wiring=replace(context.wiring, settings=settings))


@pytest.fixture
def whole_rows(app: Flask) -> Iterator[list[int]]:
    """How many rows of the audit log came with all that they say, by statement."""
    counts: list[int] = []

    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("SELECT") and "staff_actions.changes" in statement:
            counts.append(cursor.rowcount)

    event.listen(db.engine, "after_cursor_execute", count)
    yield counts
    event.remove(db.engine, "after_cursor_execute", count)


def do_each(actions: list[str]) -> None:
    with transaction():
        for action in actions:
            staff.record("test", action, "thing", "1", changes={"name": ["a", "b"]})


def told(journal: Path) -> list[str]:
    lines = [orjson.loads(line)["journal"] for line in journal.read_bytes().splitlines()]
    return [line["action"] for line in lines if "action" in line]


def test_an_action_is_told_if_and_only_if_a_restore_looks_at_it(app: Flask) -> None:
    """Of a noun whose every verb counts, any; the database picks them as `is_among` would."""
    actions = [each.replace("*", "some_verb") for each in ACTIONS] + ["key.other", "keys.revoke", "key", "key.*", "adjustment", ""]
    do_each(actions)

    with transaction() as session:
        lines = lines_since(session, now() - timedelta(hours=1))

    assert sorted(line.action for line in lines) == sorted(each for each in actions if is_among(each, MATTER))
    assert [line.id for line in lines] == sorted(line.id for line in lines)
    assert {(line.actor, line.subject_kind, line.subject_id, line.reason) for line in lines} == {("test", "thing", "1", "")}
    assert {line.after("name") for line in lines} == {"b"}


def test_what_was_told_or_is_passed_over_is_not_read_again(keeping: Context, journal: Path, whole_rows: list[int]) -> None:
    """It runs every few seconds over the rows of two hours, of which a busy shop has very many."""
    do_each(["key.change"] * 30 + ["user.sign_in"] * 50)
    first = keep_journal(keeping)
    scenes.execute("INSERT INTO job_runs (name, started_at, succeeded_at) VALUES ('keep journal', now(), now())")
    second = keep_journal(keeping)
    do_each(["key.revoke", "user.sign_in"])
    third = keep_journal(keeping)

    assert [first, second, third] == ["30 rows told", "0 rows told", "1 rows told"]
    assert told(journal) == ["key.change"] * 30 + ["key.revoke"]
    assert sum(whole_rows) == 31
