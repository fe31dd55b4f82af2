"""What the database says afterwards: every call is there, costs what it should, and the books add up."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from tests.bench.answers import Kind
from tests.bench.stack import Stack, database_dsn
from tests.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Books:
    """The verdict. `problems` is empty when calls, charges and books agree."""

    calls: int
    charged_nano: int
    commits: int
    problems: tuple[str, ...]


def close_books(stack: Stack, book: str, calls: Mapping[Kind, int], *, failed: int) -> Books:
    """The usage rows of that database compared with the answers that were counted, and `flask ledger verify`.

    Answers that went wrong may have been charged or not, so with any of them the sums are not compared.
    """
    expected_calls = sum(calls.values())
    expected_nano = sum(kind.charge_nano * count for kind, count in calls.items())
    with psycopg.connect(database_dsn(stack.postgres, book), autocommit=True) as connection:
        with suppress(AssertionError):  # the rows below say what is missing
            wait_until(lambda: _one(connection, "SELECT count(*) FROM holds") == 0 or failed, 10)
        booked = _one(connection, "SELECT count(*) FROM usage_logs WHERE status = 'completed' AND charge_nano > 0")
        charged = _one(connection, "SELECT coalesce(sum(charge_nano), 0)::bigint FROM usage_logs")
        others = _one(connection, "SELECT count(*) FROM usage_logs WHERE status <> 'completed'")
        holds = _one(connection, "SELECT count(*) FROM holds")
        commits = _one(connection, "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
    problems = []
    if not failed and (booked, charged) != (expected_calls, expected_nano):
        problems.append(f"{booked} calls for {charged} nano-dollars are booked, {expected_calls} for {expected_nano} were answered")
    if not failed and (others or holds):
        problems.append(f"{others} calls did not end well and {holds} holds are open")
    verified = stack.flask(book, "ledger", "verify")
    if verified.returncode:
        problems.append(f"flask ledger verify: {(verified.stdout + verified.stderr).strip()[-1000:]}")
    return Books(booked, charged, commits, tuple(problems))


def _one(connection: psycopg.Connection[tuple[Any, ...]], sql: LiteralString) -> int:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return int(row[0])
