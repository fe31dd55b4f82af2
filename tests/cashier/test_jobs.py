"""The clock's part in payments: what waited is applied, what got lost is found, what lies around is alarmed about (R20)."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from reseller.cashier import LOOK_BACK
from reseller.clock import new_id
from reseller.domain import jobs
from reseller.heart import Heart
from reseller.wiring import wiring_of
from reseller.worker import alarms, payments, upkeep
from reseller.worker.context import Context
from reseller.worker.loop import _make_due
from reseller.worker.schedule import JOBS
from tests.cashier.bank import Bank
from tests.domain import scenes


@pytest.fixture
def context(app: Flask) -> Context:
    return Context(wiring_of(app), Heart(app, "worker"), is_once=True)


def test_events_that_waited_for_stripe_are_applied(bank: Bank, context: Context) -> None:
    order = bank.order()
    bank.fake.pay(bank.session_of(order))
    bank.fake.is_down = True
    bank.tell(*bank.fake.events_of("payment_intent.succeeded"))
    down = payments.apply_events(context)
    bank.fake.is_down = False

    assert down.startswith("put off: ")
    assert payments.apply_events(context) == "none waits"
    assert bank.balance == 20


def test_an_event_that_cannot_be_applied_keeps_no_other_waiting(bank: Bank, context: Context) -> None:
    broken, whole = bank.order(), bank.order("30")
    for order in (broken, whole):
        bank.fake.pay(bank.session_of(order))
    first, _ = bank.fake.events_of("checkout.session.completed")
    first["data"]["object"].pop("created")
    intent = bank.fake.events_of("payment_intent.succeeded")[1]
    bank.tell(first)
    bank.fake.is_down = True
    bank.tell(intent)
    bank.fake.is_down = False

    assert payments.apply_events(context) == "1 wait: see Stripe’s events"
    assert bank.balance == 30


def test_reconciling_tells_what_it_found_and_what_lies_around(bank: Bank, context: Context) -> None:
    order = bank.order()
    bank.fake.pay(bank.session_of(order))
    with bank.fake.hold_back() as foreign:
        bank.fake.foreign_payment()
    bank.tell(*foreign)
    scenes.execute("UPDATE suspense_items SET created_at = now() - interval '25 hours'")

    said = payments.reconcile_payments(context)

    assert said == "1 sessions, 2 payments looked at; 1 credited untold; 1 wait for more than a day"


def test_reconciling_looks_back_to_when_it_last_went_well(app: Flask) -> None:
    """So a backup that is ten days old is made up for by itself."""
    first = payments._look_back()
    worker = new_id()
    jobs.lease(payments.RECONCILE, 3600, worker)
    jobs.finish(payments.RECONCILE, worker, result="fine")
    soon = payments._look_back()
    scenes.execute("UPDATE job_runs SET succeeded_at = now() - interval '10 days'")

    assert (first, soon) == (LOOK_BACK, LOOK_BACK)
    assert timedelta(days=11) <= payments._look_back() < timedelta(days=11, minutes=1)


def test_a_worker_that_starts_reconciles_at_once(app: Flask) -> None:
    worker = new_id()
    for job in JOBS:
        jobs.lease(job.name, job.every, worker)
        jobs.finish(job.name, worker, result="fine")
    before = {job.name for job in JOBS if jobs.lease(job.name, job.every, worker)}

    _make_due(app)

    assert before == set()
    assert {job.name for job in JOBS if jobs.lease(job.name, job.every, worker)} == {payments.RECONCILE}


def test_without_stripe_the_jobs_say_so(app: Flask, context: Context, make_app: Any) -> None:
    off = Context(wiring_of(make_app()), context.heart, is_once=True)

    assert payments.apply_events(off) == payments.reconcile_payments(off) == "Stripe is not configured"


def test_events_that_were_handled_long_ago_are_forgotten(bank: Bank, context: Context) -> None:
    bank.paid()
    scenes.execute("UPDATE stripe_events SET received_at = now() - interval '91 days'")
    scenes.execute("UPDATE stripe_events SET state = 'received' WHERE type = 'charge.updated'")

    upkeep.forget_rows(context)

    assert bank.waiting == ["charge.updated"]


def test_what_waits_for_a_day_alarms_though_stripe_is_down(bank: Bank, context: Context, logged: list[Any]) -> None:
    bank.fake.foreign_payment()
    bank.tell_all()
    scenes.execute("UPDATE suspense_items SET created_at = now() - interval '25 hours'")
    bank.fake.is_down = True

    alarms.watch(context)

    assert "suspense_stale" in [event.get("alarm") for event in logged]
