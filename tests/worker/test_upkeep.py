"""Jobs that keep the books: quiet accounts are posted, books are proved, accounts that do not add up are halted (R1, R36)."""

from datetime import date
from typing import Any

import pytest

from reseller.clock import new_id
from reseller.domain.calls import Till
from reseller.domain.usage import partitions
from reseller.errors import AccountHalted
from reseller.worker import upkeep
from reseller.worker.context import Context
from tests.domain import scenes


def charged(till: Till, who: scenes.Customer, charge: int) -> None:
    op = scenes.admission(who)
    till.admit(op)
    till.settle(scenes.settlement(op, charge=charge))


def test_every_quiet_account_has_its_day_posted_once(context: Context, till: Till) -> None:
    """R1: and today is left alone."""
    quiet, busy = [scenes.customer() for _ in range(2)], scenes.customer()
    for who in (*quiet, busy):
        charged(till, who, 60)
    for who in quiet:
        scenes.make_it_yesterday(who)

    said = [upkeep.post_usage(context) for _ in range(2)]

    assert said == ["2 days posted", "0 days posted"]
    assert [[entry["amount_nano"] for entry in scenes.entries(who)] for who in (*quiet, busy)] == [[1_000, -60], [1_000, -60], [1_000]]
    assert scenes.problems() == []


def test_clean_books_are_said_to_agree(context: Context, till: Till) -> None:
    charged(till, scenes.customer(), 60)

    assert upkeep.verify_ledger(context) == "1 accounts, 1 entries: all agree"


def test_an_account_whose_books_do_not_add_up_is_halted_and_no_other(context: Context, till: Till) -> None:
    """R1: admission stops for that account, and only for it."""
    bad, good = scenes.customer(), scenes.customer()
    scenes.execute("UPDATE balances SET settled_nano = settled_nano + 1 WHERE account_id = :id", id=bad.account_id)

    with pytest.raises(RuntimeError, match=f"1 mismatches, first: balances {bad.account_id}"):
        upkeep.verify_ledger(context)

    with pytest.raises(AccountHalted):
        till.admit(scenes.admission(bad))
    assert till.admit(scenes.admission(good)).hold_nano == 100
    [row] = scenes.rows("SELECT halted_reason FROM accounts WHERE id = :id", id=bad.account_id)
    assert str(bad.account_id) in row["halted_reason"]


def test_a_hold_of_nobody_does_not_keep_others_from_being_halted(context: Context, till: Till) -> None:
    """R1."""
    who, bad = scenes.customer(), scenes.customer()
    till.admit(scenes.admission(who))
    scenes.execute("UPDATE holds SET account_id = :nobody", nobody=new_id())
    scenes.execute("UPDATE balances SET last_hash = repeat('0', 64) WHERE account_id = :id", id=bad.account_id)

    with pytest.raises(RuntimeError, match="mismatches"):
        upkeep.verify_ledger(context)

    halted = {row["id"] for row in scenes.rows("SELECT id FROM accounts WHERE halted_at IS NOT NULL")}
    assert halted == {who.account_id, bad.account_id}


def test_months_to_come_are_made(context: Context) -> None:
    """R36."""
    newest = max(partitions.existing())
    scenes.execute(f"DROP TABLE {newest}")

    said = [upkeep.make_partitions(context) for _ in range(2)]

    assert said == [f"made {newest}", "all there"]


def test_a_month_that_cannot_be_made_is_an_alarm(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """R36: before its first call would fail."""

    def nothing(today: date | None = None, **changes: Any) -> list[str]:
        return []

    monkeypatch.setattr(partitions, "make_ahead", nothing)
    for name in partitions.existing():
        scenes.execute(f"DROP TABLE {name}")

    with pytest.raises(RuntimeError, match="no partition for usage_logs_"):
        upkeep.make_partitions(context)
