"""No page reads a big table from end to end, and none asks the more questions the more rows it shows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Engine, event, text

from config import Settings
from reseller.database import acting_as_operator, acting_for, db, transaction
from tests.deployment import Cluster, running_app, settings_over
from tests.volume import filler
from tests.volume.pages import ALL_PAGES, SAMPLES, visitor_of

BIG = re.compile(r"usage_logs(_\d{4}_\d\d)?|ledger_entries|usage_hours|usage_latencies")
LISTED = re.compile(r"outbox|webhook_deliveries|webhook_attempts|payments|payment_moves")
MAX_STATEMENTS = 45
CALLS, ACCOUNTS, EVENTS = 40_000, 2_000, 12_000
SMALL, SMALL_LISTED = 1_000, 8_000
"""Rows that the planner may read from end to end; more of what a list shows newest first, since of walls between accounts it expects
that they let a hundredth through, and of few rows it rather sorts that hundredth."""


@pytest.fixture(scope="module")
def grown(cluster: Cluster, module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A shop with enough rows that the planner would rather use an index."""
    settings: Settings = settings_over(module_database_url, tmp_path_factory.mktemp("grown"))
    with running_app(settings) as app, app.app_context(), acting_as_operator():
        filler.fill(accounts=ACCOUNTS, calls=CALLS, events=EVENTS)
        yield app


@contextmanager
def asked(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are run inside, with their parameters."""
    heard: list[tuple[str, Any]] = []

    def listen(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        heard.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield heard
    finally:
        event.remove(engine, "before_cursor_execute", listen)


def is_big(table: str) -> bool:
    rows = rows_of(table)
    return bool(BIG.fullmatch(table) and rows > SMALL or LISTED.fullmatch(table) and rows > SMALL_LISTED)


def scans(plan: Any) -> Iterator[str]:
    """Big tables that a plan reads from end to end."""
    if plan.get("Node Type") == "Seq Scan" and is_big(plan["Relation Name"]):
        yield plan["Relation Name"]
    for inner in plan.get("Plans", ()):
        yield from scans(inner)


def explained(statement: str, parameters: Any) -> Any:
    with transaction() as session:
        connection = session.connection()
        return connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()[0]["Plan"]


def rows_of(table: str) -> int:
    with transaction() as session:
        query = text("SELECT CAST(reltuples AS bigint) FROM pg_class WHERE relname = :name")
        return int(session.execute(query, {"name": table}).scalar_one())


@pytest.mark.parametrize(("what", "address"), ALL_PAGES, ids=[what for what, _ in ALL_PAGES])
def test_a_page_finds_its_rows_by_index_and_asks_few_questions(grown: Flask, what: str, address: str) -> None:
    with transaction() as session:
        samples = dict(session.execute(text(SAMPLES)).mappings().one())
    client = visitor_of(grown, what, samples)

    with asked(db.engine) as heard:
        answer = client.get(address.format(**samples))

    assert answer.status_code in (200, 302)
    questions = [(statement, parameters) for statement, parameters in heard if statement.lstrip().upper().startswith(("SELECT", "WITH"))]
    # As they were asked: of a customer's page under row-level security, which must not stand between the planner and an index.
    with acting_for(UUID(samples["account"])) if what.startswith("own ") else acting_as_operator():
        plans = [(statement, explained(statement, parameters)) for statement, parameters in questions]
    whole = {f"{table} ({rows_of(table)} rows): {statement[:300]}" for statement, plan in plans for table in scans(plan)}
    assert not whole, f"{what} reads a big table from end to end"
    assert len(heard) <= MAX_STATEMENTS, f"{what} asks {len(heard)} questions"


def test_reading_a_big_table_from_end_to_end_would_be_noticed(grown: Flask) -> None:
    """Otherwise the tests above would prove nothing."""
    plan = explained("SELECT count(*) FROM usage_logs WHERE prompt_tokens = 1", ())

    assert set(scans(plan))
