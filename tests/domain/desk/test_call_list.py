"""Calls of all accounts, newest first: in order, in pages, in bounded time, and never by reading a whole month."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import event, text

from reseller.clock import new_id, now
from reseller.database import db, transaction
from reseller.domain.desk import call_list
from reseller.domain.desk.call_list import Wanted
from reseller.domain.usage import UsageLog, partitions
from tests.domain import scenes

ROWS = 30_000
FILL = """
INSERT INTO usage_logs (id, created_at, account_id, api_key_id, endpoint, model, status, error_code, flag, is_test, is_stream,
       prompt_tokens, completion_tokens, total_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_source, charge_nano,
       hold_nano, overage_loss_nano, upstream, request_metadata, response_metadata, settled_at)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
        || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
       at, CASE WHEN n % 100 = 0 THEN CAST(:small AS uuid) ELSE CAST(:big AS uuid) END, CAST(:key AS uuid),
       '/chat/completions', CASE WHEN n = 20 THEN 'rare/one' ELSE 'acme/one' END,
       CASE WHEN n % 1000 = 1 THEN 'failed' WHEN n % 500 = 2 THEN 'refused' ELSE 'completed' END,
       CASE WHEN n % 1000 = 1 THEN 'upstream_unavailable' WHEN n % 500 = 2 THEN 'rate_limit_exceeded' END,
       CASE WHEN n % 1500 = 3 THEN 'estimate' END,
       false, false, 20, 60, 80, 0, 0, 0, 'none', 0, 0, 0, 'openrouter', '{}', '{}', at
  FROM (SELECT n, date_trunc('milliseconds', now()) - (CAST(:rows AS int) - n) * interval '2 minutes' AS at
          FROM generate_series(1, :rows) AS n) AS times
"""


@pytest.fixture
def filled(app: Flask) -> tuple[UUID, UUID]:
    """30,000 calls in some six weeks, the newest with the greatest n; a large account and a small one."""
    big, small = new_id(), new_id()
    partitions.make_past((now() - timedelta(minutes=2 * ROWS)).date())
    with transaction() as session:
        session.execute(text(FILL), {"rows": ROWS, "big": big, "small": small, "key": new_id()})
    with transaction() as session:
        session.execute(text("ANALYZE usage_logs"))
    return big, small


def ids(found: call_list.Found) -> list[UUID]:
    return [call.id for call in found.calls]


def test_pages_follow_one_another_without_gap_or_repetition(filled: tuple[UUID, UUID]) -> None:
    first = call_list.find(Wanted(), limit=50)
    second = call_list.find(Wanted(), after=first.older, limit=50)

    both = ids(first) + ids(second)
    assert both == sorted(both, reverse=True)
    assert both == list(scenes.rows("SELECT array_agg(id) AS ids FROM (SELECT id FROM usage_logs ORDER BY id DESC LIMIT 100) x")[0]["ids"])


def test_the_last_page_says_that_there_is_no_more(filled: tuple[UUID, UUID]) -> None:
    found = call_list.find(Wanted(conditions=(UsageLog.status == "failed",), is_indexed=True), limit=50)

    assert len(found.calls) == ROWS // 1000
    assert (found.older, found.searched_to) == (None, None)


def test_a_rare_call_is_found_slice_by_slice(filled: tuple[UUID, UUID]) -> None:
    found = call_list.find(Wanted(conditions=(UsageLog.model == "rare/one",)), limit=50, seconds=60)

    assert [call.model for call in found.calls] == ["rare/one"]
    assert found.older is None


def test_a_search_stops_in_time_says_how_far_it_got_and_goes_on_from_there(filled: tuple[UUID, UUID]) -> None:
    wanted, steps = Wanted(conditions=(UsageLog.model == "rare/one",)), []
    after = None
    while True:
        found = call_list.find(wanted, after=after, limit=50, seconds=0)
        steps.append((len(found.calls), found.searched_to is not None))
        after = found.older
        if after is None:
            break

    assert steps[0] == (0, True)
    assert steps[-1] == (1, False)
    assert len(steps) > 40  # without any time each search is one slice, at most a day


def test_the_newest_calls_are_found_however_little_time_there_is(filled: tuple[UUID, UUID]) -> None:
    """A busy machine may need all the time there is for the first slice: that is the last hour, not the hour to come."""
    of_now = call_list.find(Wanted(conditions=(UsageLog.model == "acme/one",)), limit=20, seconds=0)
    until = now() - timedelta(days=2)
    of_then = call_list.find(Wanted(conditions=(UsageLog.model == "acme/one",), until=until), limit=20, seconds=0)

    assert (len(of_now.calls), len(of_then.calls)) == (20, 20)
    assert until - timedelta(hours=1) <= of_then.calls[-1].created_at < of_then.calls[0].created_at < until


def test_slices_of_one_account_are_its_own_calls(filled: tuple[UUID, UUID]) -> None:
    _, small = filled

    found = call_list.find(Wanted(conditions=(UsageLog.model == "acme/one",), account_id=small), limit=1_000, seconds=60)

    assert {call.account_id for call in found.calls} == {small}
    assert len(found.calls) == ROWS // 100
    assert ids(found) == sorted(ids(found), reverse=True)


def test_days_bound_the_months_that_are_opened(filled: tuple[UUID, UUID]) -> None:
    since, until = now() - timedelta(days=2), now() - timedelta(days=1)

    found = call_list.find(Wanted(since=since, until=until), limit=10_000)

    assert len(found.calls) in (719, 720, 721)
    assert all(since <= call.created_at < until for call in found.calls)


PLANS: list[tuple[str, dict[str, Any], bool]] = [
    ("everything", {}, False),
    ("failures", {"conditions": (UsageLog.status == "failed",), "is_indexed": True}, False),
    ("a refusal by its code", {"conditions": (UsageLog.error_code == "key_spend_limit_reached",), "is_indexed": True}, False),
    ("flags", {"conditions": (UsageLog.flag.is_not(None),), "is_indexed": True}, False),
    ("an account", {}, True),
    ("a model of an account", {"conditions": (UsageLog.model == "rare/one",)}, True),
    ("a model", {"conditions": (UsageLog.model == "rare/one",)}, False),
]


@pytest.mark.parametrize(("what", "terms", "of_account"), PLANS, ids=[name for name, _, _ in PLANS])
def test_no_list_reads_a_whole_month(filled: tuple[UUID, UUID], what: str, terms: dict[str, Any], of_account: bool) -> None:
    """The plan of every statement that a page of the list sends, as PostgreSQL makes it for a filled table."""
    wanted = Wanted(**terms, account_id=filled[1] if of_account else None)
    newest = call_list.find(Wanted(), limit=1).older

    plans = plans_of(lambda: call_list.find(wanted, after=newest, limit=50, seconds=60))

    months = scenes.rows("SELECT relname FROM pg_class WHERE relname LIKE 'usage_logs_2%' AND relkind = 'r' AND reltuples > 100")
    assert plans
    for plan in plans:
        assert not re.search("|".join(f"Seq Scan on {month['relname']}" for month in months), plan), plan


def plans_of(work: Any) -> list[str]:
    """What EXPLAIN says to each SELECT on usage rows that `work` sends, under row-level security like the page's own."""
    sent: list[tuple[str, Any]] = []

    def remember(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "FROM usage_logs" in statement and not statement.startswith("EXPLAIN"):
            sent.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", remember)
    try:
        work()
    finally:
        event.remove(db.engine, "before_cursor_execute", remember)
    with transaction() as session:
        connection = session.connection()
        return ["\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {sql}", parameters)) for sql, parameters in sent]
