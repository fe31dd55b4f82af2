"""Rules added, retired, replaced and loaded; every change is a version and has an audit row (promise R37)."""

import threading
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reseller.database import acting_as_operator, db, transaction
from reseller.domain import pricing
from reseller.domain.pricing import PriceVersion, PricingRule, RuleTerms, UpstreamKind
from reseller.domain.pricing.changes import PRICE_LOCK
from reseller.domain.staff import StaffAction
from reseller.errors import Conflict, InvalidRequest, NotFound
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("operator")


def make_terms(pattern: str = "*", markup: str = "25", **terms: Any) -> RuleTerms:
    return RuleTerms(pattern, Decimal(markup), **terms)


def test_an_added_rule_is_active_and_audited_and_moves_the_version() -> None:
    before = pricing.current_version()

    rule = pricing.add_rule(make_terms(min_cost_usd=Decimal("0.0001"), priority=3), "user:1", reason="launch")

    assert (rule.markup_percent, rule.min_cost_nano, rule.priority) == (Decimal(25), 100_000, 3)
    assert pricing.current_version() > before
    with transaction() as session:
        action = session.scalars(select(StaffAction).where(StaffAction.subject_id == str(rule.id))).one()
        assert (action.actor, action.action, action.reason) == ("user:1", "pricing_rule.add", "launch")


@pytest.mark.parametrize(
    "terms",
    [
        make_terms(""),
        make_terms("a" * 201),
        make_terms("a\n"),
        make_terms("*" * 17),
        make_terms(markup="-1"),
        make_terms(markup="NaN"),
        make_terms(markup="10001"),
        make_terms(markup="1.1234567"),
        make_terms(min_cost_usd=Decimal("-0.1")),
        make_terms(min_cost_usd=Decimal("0.0000000001")),
        make_terms(min_cost_usd=Decimal("Infinity")),
        make_terms(priority=10**9),
    ],
)
def test_terms_that_cannot_be_are_refused(terms: RuleTerms) -> None:
    before = pricing.current_version()

    with pytest.raises(InvalidRequest):
        pricing.add_rule(terms, "user:1")

    assert pricing.current_version() == before


def test_the_same_pattern_may_be_added_again() -> None:
    first, second = pricing.add_rule(make_terms(), "user:1"), pricing.add_rule(make_terms(markup="30"), "user:1")

    assert first.id != second.id
    assert second.created_at > first.created_at


def test_a_retired_rule_stays_readable_and_is_retired_once() -> None:
    rule = pricing.add_rule(make_terms(), "user:1")

    pricing.retire_rule(rule.id, "user:1")

    with transaction() as session:
        row = session.get_one(PricingRule, rule.id)
        assert (row.is_active, row.markup_percent) == (False, Decimal(25))
        assert row.superseded_at is not None
    with pytest.raises(Conflict):
        pricing.retire_rule(rule.id, "user:1")


def test_a_replaced_rule_points_to_the_one_that_replaced_it() -> None:
    old = pricing.add_rule(make_terms(), "user:1")

    new = pricing.replace_rule(old.id, make_terms(markup="30"), "user:1")

    with transaction() as session:
        row = session.get_one(PricingRule, old.id)
        assert (row.is_active, row.superseded_by_id, row.markup_percent) == (False, new.id, Decimal(25))


def test_a_failed_replacement_leaves_the_old_rule() -> None:
    old = pricing.add_rule(make_terms(), "user:1")

    with pytest.raises(InvalidRequest):
        pricing.replace_rule(old.id, make_terms(markup="-1"), "user:1")

    with transaction() as session:
        assert session.get_one(PricingRule, old.id).is_active
    with pytest.raises(NotFound):
        pricing.retire_rule(UUID(int=0), "user:1")


def test_loading_a_price_book_twice_adds_its_rules_once() -> None:
    book = [make_terms("*"), make_terms("openai/*", "30"), make_terms("*")]

    first, version = pricing.load_rules(book, "user:1"), pricing.current_version()
    second = pricing.load_rules([*book, make_terms("new/*")], "user:1")

    assert [rule.model_pattern for rule in first] == ["*", "openai/*"]
    assert [rule.model_pattern for rule in second] == ["new/*"]
    assert pricing.load_rules(book, "user:1") == []
    assert pricing.current_version() > version


def test_an_upstream_is_registered_once_and_updated_in_place() -> None:
    assert pricing.register_upstream("box", UpstreamKind.SANDBOX, priority=1)
    assert not pricing.register_upstream("box", UpstreamKind.SANDBOX, priority=1)
    assert pricing.register_upstream("box", UpstreamKind.OPENAI, base_url="http://127.0.0.1:1", priority=1)
    assert pricing.active_upstreams()[0] == "box"

    pricing.set_upstream_active("box", False, actor="user:1")

    assert "box" not in pricing.active_upstreams()
    assert not pricing.register_upstream("box", UpstreamKind.OPENAI, base_url="http://127.0.0.1:1", priority=1)


def test_versions_become_visible_in_their_order() -> None:
    """A smaller version that committed after a greater one would never be loaded by a process that saw the greater."""
    engine = db.engine
    second: list[int] = []
    finished = threading.Event()

    def change_elsewhere() -> None:
        with acting_as_operator(), Session(engine) as session:
            session.execute(select(func.pg_advisory_xact_lock(PRICE_LOCK)))
            row = PriceVersion(reason="second", actor="test")
            session.add(row)
            session.flush()
            second.append(row.version)
            session.commit()
            finished.set()

    with transaction():
        first = pricing.bump("first", "test")
        other = threading.Thread(target=change_elsewhere)
        other.start()
        wait_until(lambda: waiting_for_the_lock(engine))
        assert second == []

    assert finished.wait(10)
    other.join()
    assert second[0] > first


def waiting_for_the_lock(engine: Any) -> bool:
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").scalar()
    return bool(found)
