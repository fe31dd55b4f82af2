"""The audit finds and names whatever does not add up, and finds nothing where all is well (R1, R2)."""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.database import acting_as_operator
from reseller.domain import ledger
from reseller.domain.calls import Till
from reseller.domain.keys import SpendPeriod
from reseller.domain.ledger import Mismatch, audit
from reseller.domain.ledger.posting import hash_of
from reseller.money import to_usd
from reseller.wiring import wiring_of
from tests.domain import scenes

Tamper = Callable[[str], None]


@pytest.fixture
def till(app: Flask) -> Till:
    return wiring_of(app).till


@pytest.fixture
def tamper(app: Any, superuser_url: str) -> Tamper:
    """A superuser's statement, with every trigger switched off."""

    def tamper(sql: str) -> None:
        with psycopg.connect(superuser_url) as superuser:
            superuser.execute("SET session_replication_role = replica")
            superuser.execute(sql.encode())

    return tamper


@pytest.fixture
def who(till: Till) -> scenes.Customer:
    """An account with three entries, one day posted, one open hold; beside a healthy neighbour."""
    scenes.customer(nano=77)
    who = scenes.customer(nano=1_000, spend=(to_usd(900), SpendPeriod.LIFETIME))
    for charge in (30, 12):
        op = scenes.admission(who)
        till.admit(op)
        till.settle(scenes.settlement(op, charge=charge))
    scenes.make_it_yesterday(who)
    scenes.put_in(who, 500)
    op = scenes.admission(who)
    till.admit(op)
    till.settle(scenes.settlement(op, charge=5))
    till.admit(scenes.admission(who))
    return who


def found() -> list[Mismatch]:
    return list(ledger.verify().mismatches)


def test_clean_books_are_clean(who: scenes.Customer) -> None:
    """R1."""
    report = ledger.verify()

    assert report.mismatches == ()
    assert (report.accounts, report.entries, report.open_holds) == (2, 4, 1)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE balances SET settled_nano = settled_nano + 1 WHERE account_id = '{id}'", "entries less unposted usage make 0.000001453"),
        ("UPDATE balances SET unposted_nano = unposted_nano + 1 WHERE account_id = '{id}'", "entries less unposted usage make"),
        ("UPDATE balances SET entry_count = entry_count + 1 WHERE account_id = '{id}'", "4 entries are counted, 3 exist"),
        ("UPDATE balances SET entries_nano = entries_nano + 1 WHERE account_id = '{id}'", "or their sum differs"),
        ("UPDATE balances SET held_nano = held_nano + 1 WHERE account_id = '{id}'", "held is 0.000000101, open holds make 0.0000001"),
        ("UPDATE balances SET open_calls = open_calls + 1 WHERE account_id = '{id}'", "2 calls are counted as open, 1 holds are"),
        (
            "UPDATE balances SET last_hash = repeat('0', 64) WHERE account_id = '{id}'",
            "the last entry is not the one the balance remembers",
        ),
        ("UPDATE holds SET amount_nano = amount_nano - 1 WHERE account_id = '{id}'", "open holds make 0.000000099"),
        ("DELETE FROM holds WHERE account_id = '{id}'", "1 calls are counted as open, 0 holds are"),
        ("UPDATE api_keys SET held_nano = 99 WHERE account_id = '{id}'", "key holds 0.000000099, its open holds make 0.0000001"),
        (
            "UPDATE usage_logs SET charge_nano = charge_nano + 1 WHERE account_id = '{id}' AND charge_nano = 30",
            "usage rows make 0.000000043",
        ),
        ("UPDATE usage_logs SET charge_nano = charge_nano + 1 WHERE account_id = '{id}' AND charge_nano = 5", "the books hold 0.000000005"),
        ("DELETE FROM usage_logs WHERE account_id = '{id}' AND charge_nano = 12", "usage rows make 0.00000003"),
    ],
)
def test_each_kind_of_mismatch_is_named_with_its_account(who: scenes.Customer, tamper: Tamper, sql: str, words: str) -> None:
    """R1."""
    tamper(sql.format(id=who.account_id))

    mismatches = found()

    assert mismatches
    assert {mismatch.account_id for mismatch in mismatches} == {who.account_id}
    assert any(words in mismatch.problem for mismatch in mismatches)


CHANGES = [
    "amount_nano = amount_nano + 1",
    "balance_after_nano = balance_after_nano + 1",
    "reason = 'another reason'",
    "actor = 'user:2'",
    "reference = 'another-' || id",
    "kind = 'top_up'",
    "created_at = created_at - interval '1 microsecond'",
    "previous_hash = repeat('f', 64)",
    "entry_hash = repeat('f', 64)",
    "corrects_id = id",
    "sequence = 9",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_entry_is_detected_and_located(who: scenes.Customer, tamper: Tamper, change: str) -> None:
    """R2: whatever was changed of it, even by a superuser who switched the triggers off."""
    victim = scenes.entries(who)[1]["id"]

    tamper(f"UPDATE ledger_entries SET {change} WHERE id = '{victim}'")

    located = [mismatch.row for mismatch in found() if "was changed, or one before it is missing" in mismatch.problem]
    first_after = scenes.entries(who)[1]["id"]
    assert located in ([f"ledger_entries {victim}"], [f"ledger_entries {first_after}"])


@pytest.mark.parametrize("place", [0, 1])
def test_a_deleted_entry_is_detected_at_the_next_one(who: scenes.Customer, tamper: Tamper, place: int) -> None:
    """R2."""
    before = scenes.entries(who)

    tamper(f"DELETE FROM ledger_entries WHERE id = '{before[place]['id']}'")

    located = [mismatch.row for mismatch in found() if "one before it is missing" in mismatch.problem]
    assert located == [f"ledger_entries {before[place + 1]['id']}"]


def test_a_chain_cut_short_is_detected_at_its_end(who: scenes.Customer, tamper: Tamper) -> None:
    """R2: although what is left is a perfect chain."""
    last = scenes.entries(who)[-1]
    rest = scenes.entries(who)[-2]

    tamper(f"DELETE FROM ledger_entries WHERE id = '{last['id']}'")
    tamper(
        f"""UPDATE balances SET entry_count = 2, entries_nano = {rest["balance_after_nano"]},
             settled_nano = {rest["balance_after_nano"]} - unposted_nano WHERE account_id = '{who.account_id}'"""
    )

    assert any(mismatch.problem == "the last entry is not the one the balance remembers" for mismatch in found())


def test_a_hold_of_nobody_is_named(who: scenes.Customer, tamper: Tamper) -> None:
    """R1."""
    nobody = new_id()

    tamper(f"UPDATE holds SET account_id = '{nobody}'")

    assert any(mismatch.account_id == nobody and "does not exist" in mismatch.problem for mismatch in found())


def test_months_that_retention_has_dropped_are_no_mismatch(till: Till) -> None:
    """R36: money is never dropped, details are."""
    who = scenes.customer(nano=1_000)
    op = scenes.admission(who)
    till.admit(op)
    till.settle(scenes.settlement(op, charge=30))
    for _ in range(40):
        scenes.make_it_yesterday(who)
    op = scenes.admission(who)
    till.admit(op)
    till.settle(scenes.settlement(op, charge=4))

    scenes.execute("DELETE FROM usage_logs WHERE charge_nano = 30")

    assert scenes.problems() == []


def test_books_do_not_depend_on_the_servers_time_zone(app: Flask, till: Till, superuser_url: str) -> None:
    """R2: a production database may live anywhere; our connections speak UTC."""
    who = scenes.customer(nano=1_000)
    op = scenes.admission(who)
    till.admit(op)
    till.settle(scenes.settlement(op, charge=30))
    with psycopg.connect(superuser_url, autocommit=True) as superuser:
        superuser.execute(f"ALTER DATABASE {superuser.info.dbname} SET timezone = 'Asia/Kolkata'".encode())
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    scenes.put_in(who, 50)

    assert scenes.rows("SHOW timezone") == [{"TimeZone": "UTC"}]
    assert scenes.problems() == []


def test_an_entrys_hash_is_over_utc_whatever_zone_it_was_read_in(till: Till) -> None:
    """R2: a restore or a tool with another zone finds the same chain."""
    who = scenes.customer(nano=1_000)
    [entry] = scenes.entries(who)
    there = entry | {"created_at": entry["created_at"].astimezone(ZoneInfo("Asia/Kolkata"))}

    assert hash_of(there) == hash_of(entry) == entry["entry_hash"]


def test_the_audit_sees_one_picture_while_money_moves(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """R1: at every committed state, hence also when an entry is posted between two of its queries."""
    who = scenes.customer(nano=1_000)
    original = audit._key_problems

    def top_up() -> None:
        with app.app_context(), acting_as_operator():
            scenes.put_in(who, 50)

    def meanwhile(session: Any) -> Any:
        scenes.in_threads(1, top_up)
        return original(session)

    monkeypatch.setattr(audit, "_key_problems", meanwhile)
    during = scenes.problems()
    monkeypatch.undo()

    assert scenes.money(who) == (1_050, 0)
    assert (during, scenes.problems()) == ([], [])


def test_the_audit_finds_nothing_in_running_traffic(app: Flask, database_url: str) -> None:
    """R1."""
    people = [scenes.customer(nano=100_000) for _ in range(3)]
    seen: list[list[str]] = []

    def traffic(till: Till) -> list[Any]:
        for _ in range(20):
            ops = [scenes.admission(who) for who in people for _ in range(4)]
            scenes.all_at_once(till, ops)
            scenes.all_at_once(till, [scenes.settlement(op) for op in ops])
        return []

    def audit_meanwhile(till: Till) -> list[Any]:
        with app.app_context(), acting_as_operator():
            seen.extend(scenes.problems() for _ in range(10))
        return []

    roles = iter([traffic, audit_meanwhile])
    scenes.from_two_processes(database_url, lambda till: next(roles)(till))

    assert seen == [[]] * 10
    assert scenes.problems() == []
