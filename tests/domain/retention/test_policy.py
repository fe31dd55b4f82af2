"""What is kept for a while only goes after that, in batches, and nothing else does (R36)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask

from reseller.clock import new_id, now
from reseller.database import forget_rows, transaction
from reseller.domain import retention
from reseller.domain.identity.tables import Throttle
from reseller.domain.ledger import CapUse
from reseller.domain.notices import Notice
from reseller.domain.retention import Rule, policy
from reseller.domain.supplier import SupplierCredit
from reseller.heart import Heart
from reseller.wiring import wiring_of
from reseller.worker import upkeep
from reseller.worker.context import Context
from tests import factories
from tests.domain import scenes

pytestmark = pytest.mark.usefixtures("app")


def left(table: str) -> int:
    return int(scenes.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"])


def fill() -> None:
    """Two rows in each of the tables that only the list cleans: an old one and a new one."""
    member = factories.make_person()
    for ago in (timedelta(days=100), timedelta(days=1)):
        at = now() - ago
        with transaction() as session:
            session.add(Notice(user_id=member.user_id, account_id=member.account_id, subject=f"key {new_id()} x", told_at=at))
            session.add(CapUse(user_id=member.user_id, amount_usd=Decimal(1), created_at=at))
            session.add(SupplierCredit(upstream="openrouter", read_at=at, bought_usd=Decimal(2), used_usd=Decimal(1)))


def test_the_clock_forgets_what_is_old_and_says_how_much(app: Flask) -> None:
    fill()
    context = Context(wiring_of(app), Heart(app, "worker"), is_once=True)

    said = upkeep.forget_rows(context)

    assert said == "gone: 1 of notices, 1 of cap_uses, 1 of supplier_credits"
    assert [left(table) for table in ("notices", "cap_uses", "supplier_credits")] == [1, 1, 1]
    assert upkeep.forget_rows(context) == "none"


def test_rows_go_some_at_a_time(session: Any) -> None:
    with transaction():
        session.add_all([Throttle(name=f"n{number}", started_at=now(), failures=1) for number in range(7)])
        session.add(Throttle(name="keep", started_at=now(), failures=9))

    with patch.object(session, "commit", wraps=session.commit) as commits:
        gone = forget_rows(Throttle, Throttle.failures == 1, at_a_time=3)

    assert (gone, commits.call_count) == (7, 3)
    assert scenes.rows("SELECT name FROM throttles") == [{"name": "keep"}]


def test_a_table_that_cannot_be_cleaned_keeps_no_other_from_it(app: Flask) -> None:
    fill()

    def broken() -> int:
        raise ValueError("out of order")

    rules = (Rule("letters", "x", "y", broken), *(rule for rule in policy.POLICY if rule.table == "cap_uses"))
    with (
        patch.object(policy, "POLICY", rules),
        pytest.raises(RuntimeError, match="rows of 1 tables could not be forgotten: letters: ValueError"),
    ):
        list(retention.forget())

    assert left("cap_uses") == 1
