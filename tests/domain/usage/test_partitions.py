"""Months of usage are made ahead, once, walled off, and missed loudly (R36)."""

from datetime import date
from typing import Any

import pytest

from reseller.clock import new_id
from reseller.domain.usage import partitions
from tests.domain import scenes

pytestmark = pytest.mark.usefixtures("app")
FAR = date(2031, 11, 17)


def test_this_month_and_the_next_ones_are_made_once() -> None:
    first, again = partitions.make_ahead(FAR), partitions.make_ahead(FAR)

    assert first == ["usage_logs_2031_11", "usage_logs_2031_12", "usage_logs_2032_01", "usage_logs_2032_02"]
    assert again == []
    assert set(first) <= partitions.existing()


def test_a_fresh_database_has_room_for_today_and_the_months_to_come() -> None:
    assert partitions.missing_ahead() == []


def test_a_missing_month_is_named_before_it_begins() -> None:
    before = partitions.missing_ahead(FAR)
    partitions.make_ahead(FAR, months=0)

    assert before == ["usage_logs_2031_11", "usage_logs_2031_12"]
    assert partitions.missing_ahead(FAR) == ["usage_logs_2031_12"]


def test_past_months_can_be_made_for_restores() -> None:
    made = partitions.make_past(date(2026, 1, 31))

    assert made[0] == "usage_logs_2026_01"
    assert partitions.make_past(date(2026, 1, 31)) == []


def test_a_made_month_takes_its_rows_from_its_first_to_its_last_instant() -> None:
    partitions.make_ahead(FAR, months=0)

    inside = [took("2031-11-01 00:00:00+00"), took("2031-11-30 23:59:59.999999+00")]

    assert inside == ["usage_logs_2031_11"] * 2
    with pytest.raises(Exception, match="no partition"):
        took("2031-12-01 00:00:00+00")


def took(instant: str) -> Any:
    """The partition that a row of this instant went to."""
    call_id = new_id()
    scenes.execute(
        """INSERT INTO usage_logs (id, created_at, account_id, api_key_id, status, endpoint, model, is_test, is_stream, prompt_tokens,
               completion_tokens, total_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_source, charge_nano, hold_nano,
               overage_loss_nano, request_metadata, response_metadata)
           VALUES (:id, :instant, :id, :id, 'refused', '/x', 'm', false, false, 0, 0, 0, 0, 0, 0, 'none', 0, 0, 0, '{}', '{}')""",
        id=call_id,
        instant=instant,
    )
    return scenes.rows("SELECT tableoid::regclass::text AS home FROM usage_logs WHERE id = :id", id=call_id)[0]["home"]


def test_a_made_month_is_as_fit_as_those_of_the_migration() -> None:
    """Indexes and walls come with it."""
    [made] = partitions.make_ahead(FAR, months=0)

    facts = scenes.rows(
        """SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS is_walled,
                  (SELECT string_agg(policyname || coalesce(qual, '') || coalesce(with_check, ''), ' ') FROM pg_policies
                    WHERE tablename = c.relname) AS policies,
                  (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid) AS indexes,
                  (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'p')) AS constraints
             FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'usage_logs'::regclass"""
    )

    by_name = {fact.pop("relname"): fact for fact in facts}
    assert len({str(fact) for fact in by_name.values()}) == 1
    assert by_name[made]["is_walled"] is True
