"""Guards that sit in the write itself (R3, R4): each is broken into here by writing what a bug would write.

Every test says in its docstring which guard it watches; it turns red when that guard is taken away.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg
from sqlalchemy.exc import IntegrityError

from reseller.clock import instant_of, new_id, now
from reseller.domain.calls import Till, statements
from reseller.domain.calls.connection import Part, TillConnection
from reseller.domain.calls.settlement import CallFacts, refusal_row
from reseller.domain.ledger import EntryKind
from reseller.errors import NotForSale
from reseller.money import to_usd
from tests.domain import scenes

Write = Callable[..., None]


@pytest.fixture
def write(till: Till, database_url: str) -> Any:
    """The write statement with these rows and nothing else; counts are what the till would expect unless told otherwise."""
    connection = TillConnection(database_url)

    def write(**parts: Any) -> None:
        written = [
            Part(name, json.dumps(parts.get(name, []), default=str).encode(), parts.get(f"n_{name}", len(parts.get(name, []))))
            for name in statements.PARTS
            if name in parts or f"n_{name}" in parts
        ]
        with connection.transaction() as open_one:
            open_one.begin_and_read([])
            open_one.write_and_commit(written)

    yield write
    connection.close()


def moved(who: scenes.Customer, **changes: int) -> dict[str, Any]:
    """A row for the balances part: nothing moves but what is said."""
    row = scenes.rows("SELECT * FROM balances WHERE account_id = :id", id=who.account_id)[0]
    kept = {name: row[name] for name in ("usage_day", "entry_count", "last_hash")}
    still = {"charged": 0, "released": 0, "reserved": 0, "opened": 0, "closed": 0}
    return {"account_id": who.account_id, **still, **kept, "unposted": row["unposted_nano"], "entries_nano": row["entries_nano"], **changes}


def open_hold(who: scenes.Customer, amount: int) -> dict[str, Any]:
    call_id = new_id()
    return {
        "id": call_id, "account_id": who.account_id, "api_key_id": who.key_id, "process_id": scenes.PROCESS, "amount_nano": amount,
        "key_nano": 0, "created_at": instant_of(call_id), "endpoint": "/x", "model": "m", "upstream": "u", "is_test": False,
        "price_version": 0, "markup_percent": 0, "min_cost_nano": 0, "prompt_tokens": 1, "chase_attempts": 0,
        "request_metadata": {},
    }  # fmt: skip


def test_a_hold_beyond_available_is_refused_by_the_update_itself(write: Write) -> None:
    """Guard: the condition in the UPDATE of balances (R3). The CHECK cannot help here: a reversal has lowered its floor."""
    who = scenes.customer(nano=100)
    scenes.execute("UPDATE balances SET reversal_floor_nano = 1000000 WHERE account_id = :id", id=who.account_id)

    with pytest.raises(psycopg.Error, match="guard failed: 0 balances instead of 1"):
        write(accounts=[moved(who, reserved=101, opened=1)])

    assert scenes.money(who) == (100, 0)


def test_a_charge_that_overdraws_is_refused_by_the_table(write: Write) -> None:
    """Guard: CHECK no_overspend (R3)."""
    who = scenes.customer(nano=100)

    with pytest.raises(pg.CheckViolation, match="no_overspend"):
        write(accounts=[moved(who, charged=101)])

    assert scenes.money(who) == (100, 0)


@pytest.mark.parametrize("changes", [{"released": 1}, {"closed": 1}, {"unposted": -1}])
def test_counts_below_zero_are_refused_by_the_table(write: Write, changes: dict[str, int]) -> None:
    """Guard: CHECK counts_not_negative: nothing is released that was not held."""
    who = scenes.customer(nano=100)

    with pytest.raises(pg.CheckViolation, match="counts_not_negative"):
        write(accounts=[moved(who, **changes)])


def test_a_balance_that_does_not_exist_stops_the_commit(write: Write) -> None:
    """Guard: the count of balances that were moved."""
    who = scenes.customer()
    ghost = moved(who) | {"account_id": new_id()}

    with pytest.raises(psycopg.Error, match="guard failed: 0 balances instead of 1"):
        write(accounts=[ghost])


def test_a_hold_that_is_not_open_cannot_be_ended(write: Write) -> None:
    """Guard: the count of holds that were deleted (R4). A charge in the same statement is undone with it."""
    who = scenes.customer(nano=100)

    with pytest.raises(psycopg.Error, match="guard failed: 0 holds ended instead of 1"):
        write(accounts=[moved(who, charged=60)], ended=[{"id": new_id()}])

    assert scenes.money(who) == (100, 0)


def test_one_hold_cannot_be_ended_twice_in_one_statement(till: Till, write: Write) -> None:
    """Guard: the count of holds that were deleted (R4)."""
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)

    with pytest.raises(psycopg.Error, match="guard failed: 1 holds ended instead of 2"):
        write(accounts=[moved(who, charged=60, released=100, closed=1)], ended=[{"id": op.call_id}, {"id": op.call_id}])

    assert scenes.money(who) == (1_000, 100)


def test_a_call_cannot_have_two_holds(till: Till, write: Write) -> None:
    """Guard: the primary key of holds (R4)."""
    who = scenes.customer()
    hold = open_hold(who, 100)
    write(accounts=[moved(who, reserved=100, opened=1)], placed=[hold])

    with pytest.raises(pg.UniqueViolation, match="pk_holds"):
        write(accounts=[moved(who, reserved=100, opened=1)], placed=[hold])

    assert scenes.money(who) == (1_000, 100)


def test_a_call_cannot_have_two_usage_rows(till: Till, write: Write) -> None:
    """Guard: the primary key (id, created_at) of usage_logs, whose instant follows from the id (R4)."""
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)
    till.settle(scenes.settlement(op))
    [row] = scenes.usage(who)
    again = {name: value for name, value in row.items() if value is not None}

    with pytest.raises(pg.UniqueViolation, match="usage_logs"):
        write(accounts=[moved(who, charged=60)], logged=[again])

    assert scenes.money(who) == (940, 0)


def test_a_charge_without_its_release_is_not_committed(till: Till, write: Write) -> None:
    """Guard: release and charge are one statement (R9): where the hold cannot be ended, nothing is charged."""
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)
    scenes.execute("DELETE FROM holds")

    with pytest.raises(psycopg.Error, match="guard failed"):
        write(accounts=[moved(who, charged=60, released=100, closed=1)], ended=[{"id": op.call_id}])

    assert scenes.money(who) == (1_000, 100)


@pytest.mark.parametrize(
    ("part", "words"), [("placed", "holds placed"), ("logged", "usage rows"), ("counted", "windows"), ("posted", "ledger entries")]
)
def test_a_part_of_the_write_that_did_not_happen_stops_the_commit(write: Write, part: str, words: str) -> None:
    """Guard: the counts of each part."""
    who = scenes.customer()

    with pytest.raises(psycopg.Error, match=f"guard failed: 0 {words} instead of 1"):
        write(accounts=[moved(who, charged=10)], **{f"n_{part}": 1})

    assert scenes.money(who) == (1_000, 0)


def test_windows_of_an_account_that_has_none_stop_the_commit(till: Till) -> None:
    """Guard: the count of windows: an admission that is not counted is no admission (R30)."""
    who = scenes.customer()
    scenes.execute("CREATE RULE forget AS ON UPDATE TO request_counters DO INSTEAD NOTHING")

    with pytest.raises(psycopg.Error):
        till.admit(scenes.admission(who))

    assert scenes.holds(who) == []


def test_a_cause_cannot_be_booked_twice(app: Any) -> None:
    """Guard: unique (kind, reference) of ledger_entries (R17)."""
    who = scenes.customer()
    scenes.put_in(who, 100, reference="payment-1")
    [_, entry] = scenes.entries(who)
    copy = entry | {"id": new_id(), "sequence": 3, "created_at": now()}
    names = ", ".join(copy)

    with pytest.raises(IntegrityError, match="uq_ledger_entries_kind_reference"):
        scenes.execute(f"INSERT INTO ledger_entries ({names}) VALUES ({', '.join(f':{name}' for name in copy)})", **copy)


def test_two_entries_of_an_account_cannot_have_one_place(app: Any) -> None:
    """Guard: unique (account_id, sequence) of ledger_entries (R2)."""
    who = scenes.customer()
    [entry] = scenes.entries(who)
    copy = entry | {"id": new_id(), "reference": "another"}
    names = ", ".join(copy)

    with pytest.raises(IntegrityError, match="uq_ledger_entries_account_id_sequence"):
        scenes.execute(f"INSERT INTO ledger_entries ({names}) VALUES ({', '.join(f':{name}' for name in copy)})", **copy)


@pytest.mark.parametrize(
    ("kind", "amount"),
    [(EntryKind.TOP_UP, -1), (EntryKind.USAGE, 1), (EntryKind.ADJUSTMENT, 0), (EntryKind.DISPUTE, 0)],
)
def test_an_entry_with_the_wrong_sign_is_refused_by_the_table(app: Any, kind: EntryKind, amount: int) -> None:
    """Guard: the CHECKs of ledger_entries."""
    who = scenes.customer(nano=100)

    with pytest.raises(IntegrityError, match="ck_ledger_entries"):
        scenes.put_in(who, amount, kind=kind)

    assert scenes.money(who) == (100, 0)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET reason = 'another'",
        "UPDATE ledger_entries SET amount_nano = amount_nano + 1",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries, adjustments",  # alone it is refused for the reference to it
        "TRUNCATE ledger_entries CASCADE",
    ],
)
def test_the_ledger_only_grows(app: Any, statement: str) -> None:
    """Guard: the triggers of ledger_entries (R2), for the owner of the table too."""
    who = scenes.customer()

    with pytest.raises(IntegrityError, match="never changed or deleted"):
        scenes.execute(statement)

    assert len(scenes.entries(who)) == 1


def test_a_superuser_cannot_change_the_ledger_by_a_slip_either(app: Any, superuser_url: str) -> None:
    """Guard: the triggers of ledger_entries hold for everybody who does not switch them off."""
    scenes.customer()

    with psycopg.connect(superuser_url) as superuser, pytest.raises(pg.RestrictViolation):
        superuser.execute("DELETE FROM ledger_entries")


def test_a_key_cannot_hold_less_than_nothing(write: Write) -> None:
    """Guard: CHECK held_not_negative of api_keys."""
    who = scenes.customer(spend=(to_usd(100), "day"))

    with pytest.raises(pg.CheckViolation, match="held_not_negative"):
        write(keyed=[{"id": who.key_id, "held": -1, "spent": 0, "total": 0, "calls": 0}])


def test_a_call_whose_month_has_no_room_is_not_charged_in_secret(till: Till) -> None:
    """Guard: a usage row without its partition fails the whole commit."""
    who = scenes.customer()
    long_ago = CallFacts(
        new_id(), who.account_id, who.key_id, "/x", "m", None, False, False, None, {}
    )  # fmt: skip
    row = refusal_row(long_ago, NotForSale("x")) | {"created_at": now() + timedelta(days=400)}

    with pytest.raises(IntegrityError, match="no partition"):
        scenes.execute(
            "INSERT INTO usage_logs SELECT * FROM json_populate_recordset(NULL::usage_logs, CAST(:rows AS json))",
            rows=json.dumps([row], default=str),
        )
