"""Row-level security is the second wall (R23): for every table of an account, under the role that production has."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from reseller.clock import new_id, now
from reseller.database import Base, acting_as_operator, acting_for, db, transaction
from reseller.domain import outbox, supplier, webhooks
from reseller.domain.accounts import Person
from reseller.domain.alerts import Alert
from reseller.domain.calls import Till
from reseller.domain.identity.viewings import Viewing
from reseller.domain.ledger import Adjustment, caps
from reseller.domain.notes import AccountNote
from reseller.domain.notices import Notice
from reseller.domain.payments import MoneySeen, events, learn_money, learn_session, suspense
from reseller.domain.payments.events import Heard
from reseller.domain.payments.suspense import Aside, Why
from reseller.domain.usage import rollup
from reseller.domain.usage.rollup_tables import AccountMonth
from reseller.domain.usage.tables import CarriedCharge
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes
from tests.domain.payments import paying
from tests.domain.webhooks import hooking

READ_BY_ALL = ("pricing_rules",)  # rules for everybody
OPERATORS = ("account_notes", "adjustments", "viewings", "notices", "carried_charges")  # about an account, and not for its eyes
OWNED = sorted(
    table.name for table in Base.metadata.tables.values() if "account_id" in table.columns and table.name not in (*READ_BY_ALL, *OPERATORS)
)
OF_ALL_ACCOUNTS = (
    "traffic_hours",
    "traffic_days",
    "traffic_totals",
    "active_windows",
    "cap_uses",
    "supplier_models",
    "supplier_days",
    "supplier_items",
    "supplier_credits",
    "supplier_balances",
)  # sums over everybody's, staff's, and the upstream's
OF_STRIPE = ("stripe_events", "suspense_items")  # what Stripe told, be it about an account or about nobody of ours
FORBIDDEN = "row-level security policy"


@pytest.fixture(scope="module")
def filled(module_app: Flask) -> tuple[scenes.Customer, scenes.Customer]:
    """Two accounts with at least one row in each of their tables."""
    with module_app.app_context(), acting_as_operator():
        return make_two(wiring_of(module_app).till)


@pytest.fixture
def two(module_app: Flask, filled: tuple[scenes.Customer, scenes.Customer]) -> Iterator[tuple[scenes.Customer, scenes.Customer]]:
    """The same, inside the context of their app."""
    with module_app.app_context(), acting_as_operator():
        yield filled


def make_two(till: Till) -> tuple[scenes.Customer, scenes.Customer]:
    people = []
    for _ in range(2):
        person = factories.make_person()
        _, key = factories.mint_key(person)
        who = scenes.Customer(person.account_id, key.id)
        scenes.put_in(who, 1_000)
        op = scenes.admission(who)
        till.admit(op)
        till.settle(scenes.settlement(op, response_metadata={"ended_ms": 900}))
        till.admit(scenes.admission(who))
        buy_and_return(person)
        hear_and_fail(person)
        with transaction():
            caps.use(new_id(), person.user_id, Decimal(1))
        with transaction() as session:
            session.add(Alert(account_id=person.account_id, crossing="1", kind="balance_amount", line="$5.00", value_usd=Decimal(4)))
        people.append(who)
        with transaction() as session:
            sums = dict.fromkeys(("calls", "refused", "errors", "prompt_tokens", "completion_tokens", "charge_nano", "cost_usd"), 0)
            session.add(AccountMonth(month=date(2026, 1, 1), account_id=person.account_id, overage_loss_nano=0, **sums))
    rollup.run()
    supplier.record("openrouter", now().date(), [supplier.Told("acme/one", (), 1, 7, 3, 0, Decimal(1))], is_of_key=True)
    supplier.note("openrouter", bought_usd=Decimal(2), used_usd=Decimal(1), threshold=supplier.Threshold(Decimal(5), 1))
    return people[0], people[1]


def hear_and_fail(person: Person) -> None:
    """An endpoint, something that it was told, and a try that failed."""
    outbox.first_told("balance.zero", person.account_id)
    hooking.add(person)
    hooking.tell(person)
    for claimed in hooking.claim():
        hooking.ended(claimed, 500)


def buy_and_return(person: Person) -> None:
    """A payment of which part was refunded and part is disputed; it was told of, and once more with another amount."""
    order = paying.order(person)
    learn_session(paying.paid(order), paying.OWN_ORDERS)
    learn_session(paying.paid(order, amount_usd=Decimal(900)), paying.OWN_ORDERS)
    events.keep(Heard(f"evt_{order.payment_id.hex}", "checkout.session.completed", False, now(), {"id": f"cs_{order.payment_id.hex}"}))
    name = paying.intent_of(order)
    learn_money(MoneySeen(name, refunds=(paying.refund(name, "5"),), disputes=(paying.dispute(name, "5", 1, "5"),)))


def seen(table: str) -> set[Any]:
    """Accounts whose rows this transaction finds without any filter."""
    with transaction() as session:
        return set(session.scalars(text(f"SELECT account_id FROM {table}")))


def test_the_tests_run_under_a_role_that_walls_hold(app: Flask) -> None:
    """A superuser would pass every test below for nothing."""
    role = db.session.execute(text("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")).one()

    assert tuple(role) == (False, False)


@pytest.mark.parametrize("table", OWNED)
def test_an_account_sees_its_own_rows_without_any_filter(two: tuple[scenes.Customer, scenes.Customer], table: str) -> None:
    """R23."""
    mine, theirs = two
    everybodys = seen(table)

    with acting_for(mine.account_id):
        found = seen(table)

    assert {mine.account_id, theirs.account_id} <= everybodys, f"Give {table} a row in the fixture, so that this test can fail"
    assert found == {mine.account_id}, f"Protect {table} in a migration as 0007_row_level_security does"


@pytest.mark.parametrize("table", OWNED)
def test_an_account_changes_nothing_of_another(two: tuple[scenes.Customer, scenes.Customer], table: str) -> None:
    """R23: neither takes a row over, nor pushes one across, nor deletes one."""
    mine, theirs = two

    with acting_for(mine.account_id):
        taken = affected(
            f"UPDATE {table} SET account_id = :mine WHERE account_id = :theirs", mine=mine.account_id, theirs=theirs.account_id
        )
        deleted = affected(f"DELETE FROM {table} WHERE account_id = :theirs", theirs=theirs.account_id)
        with pytest.raises((ProgrammingError, IntegrityError)) as refused, transaction() as session:
            session.execute(text(f"UPDATE {table} SET account_id = :theirs"), {"theirs": theirs.account_id})

    assert (taken, deleted) == (0, 0)
    assert FORBIDDEN in str(refused.value) or table in ("ledger_entries", "payment_moves")


@pytest.mark.parametrize("table", OPERATORS)
def test_what_staff_write_about_an_account_is_not_for_its_eyes(two: tuple[scenes.Customer, scenes.Customer], table: str) -> None:
    """R23: no filter forgotten in a page for customers shows a note or an adjustment that waits."""
    mine, _ = two
    user_id = scenes.rows("SELECT user_id FROM memberships")[0]["user_id"]
    with transaction() as session:
        session.add(AccountNote(account_id=mine.account_id, author="test", body="difficult"))
        session.add(Adjustment(account_id=mine.account_id, amount_usd=Decimal(1), reason="x", state="waiting", requested_by_id=user_id))
        session.merge(CarriedCharge(account_id=mine.account_id, day=now().date(), month=now().date(), charge_nano=1))
        session.add(Notice(user_id=user_id, account_id=mine.account_id, subject=str(new_id())))
        session.add(Viewing(session_id=new_id(), user_id=user_id, account_id=mine.account_id, reason="x", until=now()))
    everybodys = seen(table)

    with acting_for(mine.account_id):
        found = seen(table)

    assert everybodys == {mine.account_id}
    assert found == set()


def affected(statement: str, **params: Any) -> int:
    with transaction() as session:
        return int(session.execute(text(statement), params).rowcount)  # type: ignore[attr-defined]


def test_an_account_cannot_write_a_row_for_another(two: tuple[scenes.Customer, scenes.Customer]) -> None:
    """R23: the check of the policy, not only its filter."""
    mine, theirs = two

    with acting_for(mine.account_id), pytest.raises(ProgrammingError, match=FORBIDDEN):
        scenes.execute(
            "INSERT INTO staff_actions (id, actor, action, subject_kind, subject_id, account_id, reason, changes, created_at)"
            " VALUES (gen_random_uuid(), 'x', 'x', 'x', 'x', :id, '', '{}', now())",
            id=theirs.account_id,
        )


@pytest.mark.parametrize("table", OF_ALL_ACCOUNTS)
def test_sums_over_all_accounts_are_the_operators(two: tuple[scenes.Customer, scenes.Customer], table: str) -> None:
    """R23: how much everybody buys is nobody's business but ours."""
    everybodys = scenes.rows(f"SELECT * FROM {table}")

    with acting_for(two[0].account_id):
        found = scenes.rows(f"SELECT * FROM {table}")

    assert everybodys
    assert found == []


@pytest.mark.parametrize("table", OF_STRIPE)
def test_what_stripe_told_is_the_operators(two: tuple[scenes.Customer, scenes.Customer], table: str) -> None:
    """R23: it holds names and addresses of whoever paid; no account reads it, changes it or makes it up."""
    everybodys = scenes.rows(f"SELECT * FROM {table}")

    with acting_for(two[0].account_id):
        found = scenes.rows(f"SELECT * FROM {table}")
        changed = affected(f"UPDATE {table} SET payment_id = NULL") + affected(f"DELETE FROM {table}")
        with pytest.raises(ProgrammingError, match=FORBIDDEN):
            events.keep(Heard("evt_made_up", "checkout.session.completed", False, now(), {}))
        with pytest.raises(ProgrammingError, match=FORBIDDEN):
            suspense.put_aside(Aside(Why.FOREIGN, "cs_made_up", "made up"))

    assert len(everybodys) == 2
    assert (found, changed) == ([], 0)


@pytest.mark.parametrize("table", [*OWNED, "accounts", *READ_BY_ALL, *OPERATORS, *OF_ALL_ACCOUNTS, *OF_STRIPE])
def test_a_transaction_that_says_nothing_finds_nothing(two: Any, module_database_url: str, table: str) -> None:
    """R23: a forgotten filter and a forgotten `acting_for`; rules for everybody are the open exception."""
    factories.make_rule(account_id=two[0].account_id)

    with psycopg.connect(module_database_url) as silent:
        rows = silent.execute(f"SELECT * FROM {table}".encode()).fetchall()

    assert rows == []


def test_months_of_usage_are_read_past_the_parent_by_the_operator_alone(two: Any, module_database_url: str) -> None:
    """R23: a partition has a wall of its own, which lets no account through; the operator's dump reads month by month."""
    months = [row["relname"] for row in scenes.rows("SELECT relname FROM pg_class WHERE relname LIKE 'usage_logs_2%' AND relkind = 'r'")]
    seen = {}
    for who in ("", "operator", *(str(customer.account_id) for customer in two)):
        with psycopg.connect(module_database_url) as reader:
            reader.execute("SELECT set_config('reseller.acting_for', %s, false)", [who])
            counts = [reader.execute(f"SELECT count(*) FROM {month}".encode()).fetchone() for month in months]
            seen[who] = sum(count[0] for count in counts if count), reader.execute("SELECT count(*) FROM usage_logs").fetchone()

    assert seen.pop("") == (0, (0,))
    assert seen.pop("operator") == (2, (2,))
    assert list(seen.values()) == [(0, (1,)), (0, (1,))]


def test_what_everybody_is_told_is_read_by_those_it_was_sent_to_and_changed_by_none(app: Flask) -> None:
    """R23: such an event has no account; a delivery, which has one, opens it."""
    told, other = factories.make_person(), factories.make_person()
    hooking.add(told)
    hooking.add(other, events=("key.created",))
    sent = outbox.announce("model.withdrawn", None, models=["acme/one"])
    webhooks.fan_out()
    outbox.announce("model.restored", None, models=["acme/one"])  # not sent to anybody yet

    found = {}
    for person in (told, other):
        with acting_for(person.account_id):
            found[person.account_id] = [row["id"] for row in scenes.rows("SELECT id FROM outbox WHERE account_id IS NULL")]
            assert affected("UPDATE outbox SET account_id = :mine WHERE account_id IS NULL", mine=person.account_id) == 0
            assert affected("DELETE FROM outbox WHERE account_id IS NULL") == 0

    assert found == {told.account_id: [sent], other.account_id: []}
    assert len(scenes.rows("SELECT id FROM outbox WHERE account_id IS NULL")) == 2


def test_everybody_reads_rules_for_everybody_and_only_the_operator_writes_any(two: tuple[scenes.Customer, scenes.Customer]) -> None:
    """R24."""
    mine, theirs = two
    factories.make_rule(pattern="for-all")
    factories.make_rule(pattern="for-me", account_id=mine.account_id)
    factories.make_rule(pattern="for-them", account_id=theirs.account_id)

    with acting_for(mine.account_id):
        patterns = {row["model_pattern"] for row in scenes.rows("SELECT model_pattern FROM pricing_rules")}
        with pytest.raises(ProgrammingError, match=FORBIDDEN):
            affected("UPDATE pricing_rules SET markup_percent = 0")

    assert {"for-all", "for-me"} <= patterns
    assert "for-them" not in patterns


def test_the_wall_does_not_outlive_its_transaction(two: tuple[scenes.Customer, scenes.Customer]) -> None:
    """R23: a pooled connection carries nothing over to the next request."""
    mine, theirs = two
    for who in (mine, theirs, mine):
        with acting_for(who.account_id):
            assert seen("balances") == {who.account_id}
            assert seen("balances") == {who.account_id}
