"""Details of calls go by the month once nothing needs them; totals, statements and the book stay, and the audit stays exact (R36)."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

import psycopg
import pytest
from flask import Flask

from reseller.clock import day_start, first_id, month_start, new_id, next_month, now
from reseller.database import acting_as_operator
from reseller.domain import retention
from reseller.domain.ledger import EntryDraft, EntryKind, post, verify
from reseller.domain.retention import months
from reseller.domain.usage import dropping, partitions, request_id, rollup
from reseller.heart import Heart
from reseller.wiring import wiring_of
from reseller.worker import upkeep
from reseller.worker.context import Context
from tests import factories
from tests.domain import scenes
from tests.domain.usage.calls import row, write
from tests.staff import client_of

pytestmark = pytest.mark.usefixtures("app")
KEEP = 2


def month_ago(count: int) -> date:
    """The first day of the month that began so many months before the running one."""
    month = month_start(now().date())
    for _ in range(count):
        month = month_start(month - timedelta(days=1))
    return month


OLD, KEPT = month_ago(KEEP + 1), month_ago(KEEP)


def at(month: date, day: int = 10, hour: int = 12) -> datetime:
    return datetime.combine(month.replace(day=day), time(hour), UTC)


def call_id(when: datetime) -> UUID:
    """A UUIDv7 of that instant."""
    return UUID(int=first_id(when).int | 0x7 << 76 | 0b10 << 62 | new_id().int & 0xFFFFFFFF)


def sold(who: scenes.Customer, when: datetime, nano: int = 100, *, posted: date | None = None, **changes: Any) -> dict[str, Any]:
    """A call of the account that is booked on its day, or on another."""
    day = posted or when.date()
    settled = when + timedelta(seconds=2) if day == when.date() else datetime.combine(day, time(1), UTC)
    facts = {"api_key_id": who.key_id, "id": call_id(when), "charge_nano": nano, "posted_on": day, "settled_at": settled}
    return row(when, who.account_id, **(facts | changes))


def book(rows: list[dict[str, Any]]) -> None:
    """The rows are there, and their days are entries of the ledger, as the clock would have posted them."""
    write(rows)
    days: dict[tuple[UUID, date], int] = {}
    for each in rows:
        key = (each["account_id"], each["posted_on"])
        days[key] = days.get(key, 0) + each["charge_nano"]
    for (account_id, day), nano in sorted(days.items(), key=lambda item: item[0][1]):
        post(EntryDraft(account_id, EntryKind.USAGE, -nano, f"{account_id}:{day}", "test"))
    rollup.run()


@pytest.fixture
def who() -> scenes.Customer:
    return scenes.customer(nano=10_000)


def sums() -> list[Any]:
    return [
        scenes.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3")
        for table in ("usage_hours", "traffic_hours", "traffic_days", "traffic_totals")
    ] + [scenes.rows("SELECT day, account_id, calls, charge_nano FROM account_days ORDER BY 1, 2")]


def gone() -> list[str]:
    return [each for each in (partitions.partition_of(OLD),) if each not in partitions.existing()]


def test_an_old_month_goes_and_its_totals_stay(who: scenes.Customer) -> None:
    book([sold(who, at(OLD)), sold(who, at(KEPT)), sold(who, now() - timedelta(minutes=5), posted=now().date())])
    before = sums()

    done = retention.drop_due(KEEP)
    again = retention.drop_due(KEEP)

    assert (done.gone, done.reasons) == ([OLD], [])
    assert again.gone == []
    assert gone()
    assert {each["created_at"] >= at(KEPT, 1, 0) for each in scenes.usage(who)} == {True}
    rollup.run()
    assert rollup.differences() == []
    assert sums() == before
    assert verify().mismatches == ()
    [audited] = scenes.rows("SELECT actor, subject_id, reason FROM staff_actions WHERE action = 'usage.drop_month'")
    assert audited == {
        "actor": "system:retention", "subject_id": f"{OLD:%Y-%m}", "reason": f"details of calls are kept for {KEEP} months",
    }  # fmt: skip


def test_nothing_goes_unless_somebody_has_said_how_long_to_keep(who: scenes.Customer) -> None:
    book([sold(who, at(month_ago(20)))])

    assert retention.drop_due(0).gone == []
    assert months.kept_from(1) == month_ago(1)
    assert months.kept_from(14) == month_ago(14)


def test_a_call_across_the_end_of_the_month_is_counted_on_by_the_audit(who: scenes.Customer) -> None:
    """R1: else the account would be halted for a charge whose row is gone. Even if it was settled days later."""
    late = at(next_month(OLD), 1).date()
    edge = day_start(next_month(OLD)) - timedelta(minutes=1)
    book(
        [
            sold(who, edge, 7, posted=late), sold(who, edge, 8, posted=late + timedelta(days=9)), sold(who, at(OLD), 5),
            sold(who, at(KEPT, 1), 20, posted=late), sold(who, at(KEPT), 30),
            sold(who, edge, 9, posted=late, settled_at=edge),  # the clock of the database was ahead, and has just been set right
        ]
    )  # fmt: skip
    before = verify().mismatches

    retention.drop_due(KEEP)

    assert (before, verify().mismatches) == ((), ())
    scenes.execute("UPDATE carried_charges SET charge_nano = charge_nano - 1 WHERE charge_nano = 8")
    assert [each.row for each in verify().mismatches] == [f"usage of {late + timedelta(days=9)}"]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("UPDATE balances SET unposted_nano = 1, usage_day = :day", "charges of 1 accounts are not posted yet"),
        ("UPDATE usage_logs SET charge_nano = charge_nano + 1 WHERE created_at < :end", "usage rows make"),
        ("UPDATE traffic_totals SET calls = calls + 1 WHERE starts_at < :end", "2 sums are not those of its calls"),
        ("UPDATE holds SET created_at = :at", "1 calls that began before its end are open"),
    ],
)
def test_a_month_that_something_still_needs_waits_and_says_why(app: Flask, who: scenes.Customer, trouble: str, said: str) -> None:
    book([sold(who, at(OLD))])
    wiring_of(app).till.admit(scenes.admission(who))
    facts = {"day": OLD.replace(day=10), "end": at(KEPT, 1, 0), "at": at(OLD)}
    scenes.execute(trouble, **{name: value for name, value in facts.items() if f":{name}" in trouble})

    done = retention.drop_due(KEEP)

    assert (done.gone, done.waits) == ([], OLD)
    assert said in "; ".join(done.reasons)
    assert len(scenes.usage(who)) == 1
    assert scenes.rows("SELECT month FROM dropped_months") == []


def test_the_job_fails_and_says_which_month_waits(app: Flask, who: scenes.Customer, make_app: Any) -> None:
    book([sold(who, at(OLD))])
    scenes.execute("UPDATE traffic_totals SET calls = calls + 1")
    other = make_app(CALL_DETAILS_MONTHS=str(KEEP))
    context = Context(wiring_of(other), Heart(other, "worker"), is_once=True)

    with pytest.raises(RuntimeError, match=f"no month is due; {OLD:%Y-%m} has to wait: 2 sums are not"):
        upkeep.drop_months(context)
    rollup.mend(rollup.differences())
    said = upkeep.drop_months(context)

    assert said == f"dropped {OLD:%Y-%m}"
    assert upkeep.drop_months(Context(wiring_of(app), context.heart, is_once=True)) == "details are kept for ever"


def test_pages_say_that_details_are_not_kept_and_figures_stay(app: Flask) -> None:
    """From the clock to the doors of customers, programs and staff."""
    person = factories.make_person(usd="1")
    token, key = factories.mint_key(person)
    mine = sold(scenes.Customer(person.account_id, key.id), at(OLD), 5_000_000)
    book([mine])
    customer, admin = client_of(app, person=person), client_of(app)
    shown = request_id(mine["id"])
    addresses = {
        "receipt": (customer, f"/usage/calls/{shown}"),
        "story": (admin, f"/admin/calls/{shown}/"),
        "programs": (customer, f"/v1/generation?id={shown}"),
    }
    header = {"Authorization": f"Bearer {token}"}
    before = {name: client.get(address, headers=header).status_code for name, (client, address) in addresses.items()}
    span = f"from={OLD}&to={OLD.replace(day=28)}"
    charts = admin.get(f"/admin/business/export/?table=summary&{span}").text

    retention.drop_due(KEEP)

    answers = {name: client.get(address, headers=header) for name, (client, address) in addresses.items()}
    assert before == dict.fromkeys(addresses, 200)
    for name, answer in answers.items():
        assert answer.status_code == 404, name
        assert f"Details of calls are kept for the running and the last {KEEP} months; those of {OLD:%B %Y} are gone." in answer.text, name
    assert admin.get(f"/admin/business/export/?table=summary&{span}").text == charts
    assert "are not kept any more" in customer.get("/usage/calls").text
    assert "are not kept any more" in admin.get("/admin/calls/").text
    assert "Calls whose details are not kept any more" in customer.get(f"/billing/statements/{OLD:%Y-%m}").text
    usage = customer.get(f"/v1/usage?{span}", headers=header).get_json()["data"]
    assert [(day["calls"], day["charge"]) for day in usage] == [(1, "0.005")]


def test_sums_of_a_dropped_month_are_never_made_anew(who: scenes.Customer) -> None:
    """A proof that runs beside the drop may have looked before it: it must not take absence for calls that never were."""
    book([sold(who, at(OLD))])
    before = sums()
    retention.drop_due(KEEP)

    rollup.mend([rollup.quarter_of(at(OLD))])

    assert sums() == before


@pytest.fixture
def reader(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url.replace("postgresql+psycopg://", "postgresql://")) as connection:
        connection.execute("SET reseller.acting_for = 'operator'")
        yield connection


def test_somebody_who_reads_the_month_delays_its_drop_and_no_call(
    app: Flask, who: scenes.Customer, reader: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R36: calls go on while the drop waits; nothing queues behind its lock."""
    monkeypatch.setattr(dropping, "LOCK_TIMEOUT", "100ms")
    book([sold(who, at(OLD)), sold(who, at(KEPT))])
    reader.execute("SELECT count(*) FROM usage_logs").fetchone()
    till, seen = wiring_of(app).till, []
    detach = dropping._detach

    def detach_while_calls_run(connection: Any, name: str) -> None:
        op = scenes.admission(who)
        till.admit(op)
        till.settle(scenes.settlement(op))
        seen.append(name)
        detach(connection, name)

    with patch.object(dropping, "_detach", detach_while_calls_run):
        busy = retention.drop_due(KEEP)
    unfinished, held = dropping.begun(), scenes.balance(who)["held"]
    reader.rollback()
    done = retention.drop_due(KEEP)

    assert busy.gone == []
    assert busy.waits == OLD
    assert "somebody else has held it for too long" in busy.reasons[0]
    assert (len(seen), unfinished, held) == (dropping.ATTEMPTS, [OLD], 0)
    assert done.gone == [OLD]
    assert verify().mismatches == ()


@pytest.mark.parametrize("stage", ["begun", "detached"])
def test_whoever_dies_in_the_middle_is_finished_by_the_next(who: scenes.Customer, stage: str) -> None:
    """As `kill -9` would: the mark is committed, and the month is there, half away, or a table of its own."""
    book([sold(who, at(OLD))])
    before = sums()
    target = {"begun": "_detach", "detached": "now"}[stage]

    with patch.object(dropping, target, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        retention.drop_due(KEEP)
    rollup.run()
    between = (
        verify().mismatches,
        rollup.differences(),
        scenes.rows("SELECT to_regclass(:name) IS NOT NULL AS there", name=partitions.partition_of(OLD)),
    )
    done = retention.drop_due(KEEP)

    assert between == ((), [], [{"there": True}])
    assert done.gone == [OLD]
    assert scenes.rows("SELECT to_regclass(:name) IS NULL AS gone", name=partitions.partition_of(OLD)) == [{"gone": True}]
    assert sums() == before
    assert len(scenes.rows("SELECT 1 FROM staff_actions WHERE action = 'usage.drop_month'")) == 1


def test_two_workers_at_once_drop_a_month_once(app: Flask, who: scenes.Customer) -> None:
    book([sold(who, at(OLD), 7, posted=at(KEPT, 1).date())])

    def work() -> Any:
        with app.app_context(), acting_as_operator():
            return retention.drop_due(KEEP).gone

    found = scenes.in_threads(3, work)

    assert [OLD] in found
    assert gone()
    assert dropping.begun() == []
    assert scenes.rows("SELECT charge_nano FROM carried_charges") == [{"charge_nano": 7}]
    assert verify().mismatches == ()
