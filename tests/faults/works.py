"""Work for each job of the clock: how it gets some, where its transaction is in the middle of it, and how the effect is seen.

A new job gets a line in `WORKS`: a function that gives it work and answers a query for the effect; the table that the job changes
(or, with `reads`, the table that it reads first, where it changes none); and what the query finds once the job is done.
`test_kills_in_each_job.py` kills a worker there, then lets two workers at once do the work.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import requests
from flask import Flask

from reseller import alarms as sounded
from reseller.clock import first_id, new_id, now
from reseller.domain import alarms, alerts, keys, ledger, letters, limits, pricing
from reseller.domain.accounts import Role
from reseller.domain.calls import Admit, Note
from reseller.domain.identity import sessions, viewings
from reseller.domain.letters import LetterKind
from reseller.domain.usage import partitions, rollup
from reseller.errors import RateLimited
from reseller.wiring import wiring_of
from tests import factories
from tests.cashier.bank import Bank
from tests.deployment import UPSTREAM_KEY
from tests.domain import scenes
from tests.domain.usage.calls import row, write
from tests.domain.webhooks import hooking
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.openrouter_catalogue import entry
from tests.fakes.receiver import Receiver
from tests.fakes.stripe import FakeStripe
from tests.shop import FAKE_PRICES, chat_body
from tests.staff import session_of

LONG_AGO = "interval '400 days'"


@dataclass(frozen=True, slots=True)
class Effect:
    """A query of one value. Numbers of rows, mostly: a thing that was done twice would be there twice."""

    sql: str
    values: dict[str, Any]

    def seen(self) -> Any:
        [found] = scenes.rows(f"SELECT ({self.sql}) AS seen", **self.values)
        return found["seen"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where work is given: the app on the workers' database, and who they talk to."""

    app: Flask
    upstream: FakeOpenRouter
    stripe: FakeStripe
    receiver: Receiver


@dataclass(frozen=True, slots=True)
class Work:
    """`before` and `once`: what the effect is until the job has been done, and afterwards."""

    give: Callable[[Place], Effect]
    at: str
    once: Any = 1
    before: Any = 0
    reads: bool = False


def succeeded(job: str) -> Callable[[Place], Effect]:
    """For jobs that only look: they have looked."""
    return lambda place: Effect("SELECT count(succeeded_at) FROM job_runs WHERE name = :job", {"job": job})


def _admission(who: scenes.Customer, **facts: Any) -> Admit:
    """A call at the prices of now."""
    [prices] = scenes.rows("SELECT coalesce(max(version), 0) AS version FROM price_versions")
    return scenes.admission(who, terms=replace(scenes.RULE_TERMS, price_version=prices["version"]), **facts)


def _charged(place: Place) -> scenes.Customer:
    """Somebody with one call of today that was charged."""
    who = scenes.customer()
    till = wiring_of(place.app).till
    op = _admission(who)
    till.admit(op)
    till.settle(scenes.settlement(op))
    return who


def a_call_whose_cost_is_asked(place: Place) -> Effect:
    """The upstream has its record, and we have an answer without a cost."""
    answer = requests.post(
        f"{place.upstream.base_url}/chat/completions",
        json=chat_body("fake/default"),
        headers={"Authorization": f"Bearer {UPSTREAM_KEY}"},
        timeout=10,
    ).json()
    who, till = scenes.customer(nano=10**9), wiring_of(place.app).till
    op = _admission(who, hold=10**8, process_id=wiring_of(place.app).process_id)
    till.admit(op)
    draft = {"status": "partial", "fallback": "estimate", "prompt_tokens": 1, "completion_tokens": 1, "cost_usd": "0.01"}
    till.pend(Note(op.call_id, answer["id"], {**draft, "cost_source": "estimate", "charge_nano": 10**7, "response_metadata": {}}))
    scenes.execute("UPDATE holds SET chase_at = now() - interval '1 minute' WHERE id = :id", id=op.call_id)
    sql = "SELECT count(*) FROM usage_logs WHERE account_id = :id AND cost_source = 'generation' AND charge_nano > 0"
    return Effect(sql, {"id": who.account_id})


def a_call_of_a_dead_process(place: Place) -> Effect:
    dead = _dead_process("10 minutes")
    who = scenes.customer()
    wiring_of(place.app).till.admit(_admission(who, process_id=dead))
    return Effect("SELECT count(*) FROM usage_logs WHERE account_id = :id AND status = 'voided'", {"id": who.account_id})


def _dead_process(since: str) -> Any:
    process_id = new_id()
    scenes.execute(
        "INSERT INTO processes (id, kind, host, pid, started_at, beat_at)"
        f" VALUES (:id, 'web', 'elsewhere', 1, now() - interval '1 day', now() - interval '{since}')",
        id=process_id,
    )
    return process_id


def a_process_that_is_silent(place: Place) -> Effect:
    return Effect("SELECT 1 - count(*) FROM processes WHERE id = :id", {"id": _dead_process("2 days")})


def a_letter(place: Place) -> Effect:
    """It is claimed, then sent, then recorded; a worker that dies between the last two sends it twice, as letters.py says."""
    letters.write(LetterKind.LOW_BALANCE, "once@example.com", facts={"balance": "$1.00", "line": "$5"})
    return Effect("SELECT sum(attempts) FROM letters WHERE recipient = 'once@example.com' AND state = 'sent'", {})


def a_price_in_quarantine(place: Place) -> Effect:
    _of_elsewhere("odd/price", quarantined_at=now())
    return Effect("SELECT count(*) FROM alarms WHERE alarm = 'price_quarantined' AND subject = 'odd/price'", {})


def _of_elsewhere(slug: str, *, quarantined_at: datetime) -> None:
    """A quarantined model of an upstream whose key this deployment lacks, so that its list is not asked."""
    factories.make_upstream(name="elsewhere")
    factories.make_model(slug=slug, upstream="elsewhere", status="quarantined", quarantined_at=quarantined_at)
    scenes.execute("UPDATE upstreams SET key_variable = 'UPSTREAM_ELSEWHERE_KEY' WHERE name = 'elsewhere'")


def an_alarm_untold(place: Place) -> Effect:
    sounded.take()
    sounded.sound("upstream_key_refused", "openrouter", "an invented refusal")
    alarms.keep(sounded.take())
    return Effect("SELECT count(*) FROM letters WHERE kind = 'operator_alarm' AND facts::text LIKE '%an invented refusal%'", {})


def a_balance_that_fell(place: Place) -> Effect:
    person = factories.make_person(email="poor@example.com", usd="10")
    alerts.sweep()
    factories.grant(person, usd="-9")
    return Effect("SELECT count(*) FROM letters WHERE kind = 'low_balance' AND recipient = 'poor@example.com'", {})


def a_key_that_expires(place: Place) -> Effect:
    person = factories.make_person(email="soon@example.com")
    _, key = factories.mint_key(person, expires_in=timedelta(days=2))
    scenes.execute("UPDATE api_keys SET created_at = created_at - interval '90 days' WHERE id = :id", id=key.id)
    return Effect("SELECT count(*) FROM letters WHERE kind = 'key_expires' AND recipient = 'soon@example.com'", {})


def a_limit_that_was_hit(place: Place) -> Effect:
    who, till = scenes.customer(limits={"requests_per_minute": 1}), wiring_of(place.app).till
    till.admit(_admission(who))
    with contextlib.suppress(RateLimited):
        till.admit(_admission(who))
    return Effect("SELECT count(*) FROM outbox WHERE name = 'limit.hit' AND account_id = :id", {"id": who.account_id})


def a_model_that_is_withdrawn(place: Place) -> Effect:
    _of_elsewhere("gone/model", quarantined_at=now())
    factories.make_rule(pattern="gone/*")
    pricing.tell_of_prices()
    pricing.withdraw("gone/model", factories.ACTOR, reason="for a test")
    return Effect("SELECT count(*) FROM outbox WHERE name = 'model.withdrawn' AND payload::text LIKE '%gone/model%'", {})


def an_event_to_send(place: Place) -> Effect:
    """Fanned out once; a worker that dies after sending sends it again, under the same id."""
    person = factories.make_person()
    hooking.add(person, url=place.receiver.url(), events=("key.revoked",))  # others of these works make events for everybody
    hooking.happen(person)
    return Effect("SELECT count(*) FROM webhook_deliveries WHERE account_id = :id AND state = 'delivered'", {"id": person.account_id})


def an_event_of_long_ago(place: Place) -> Effect:
    person = factories.make_person()
    old = first_id(now() - timedelta(days=400))
    event_id = hooking.happen(person)
    scenes.execute("UPDATE outbox SET id = :old, dispatched_at = now() WHERE id = :id", old=old, id=event_id)
    return Effect("SELECT 1 - count(*) FROM outbox WHERE id = :old", {"old": old})


def an_audit_row(place: Place) -> Effect:
    """What is told twice is one thing to whoever reads the journal."""
    person = factories.make_person()
    key = factories.mint_key(person)[1]
    keys.revoke(str(key.id), actor=factories.ACTOR)
    return Effect("SELECT count(succeeded_at) FROM job_runs WHERE name = 'keep journal'", {})


def a_month_too_old(place: Place) -> Effect:
    month = (now() - timedelta(days=150)).date().replace(day=1)
    partitions.make_past(month)
    return Effect("SELECT count(dropped_at) FROM dropped_months WHERE month = :month", {"month": month})


def limits_whose_time_is_over(place: Place) -> Effect:
    person = factories.make_person()
    limits.change(person.account_id, {"rpm": 900}, actor=factories.ACTOR, reverts_at=now() + timedelta(hours=1))
    scenes.execute("UPDATE rate_limits SET reverts_at = now() - interval '1 second' WHERE account_id = :id", id=person.account_id)
    return Effect("SELECT count(*) FROM staff_actions WHERE action = 'limits.revert' AND account_id = :id", {"id": person.account_id})


def a_day_that_is_over(place: Place) -> Effect:
    who = _charged(place)
    scenes.make_it_yesterday(who)
    return Effect("SELECT count(*) FROM ledger_entries WHERE kind = 'usage' AND account_id = :id", {"id": who.account_id})


def a_charged_call(place: Place) -> Effect:
    who = _charged(place)
    return Effect("SELECT coalesce(sum(charge_nano), 0)::int FROM usage_hours WHERE account_id = :id", {"id": who.account_id})


def a_month_that_is_missing(place: Place) -> Effect:
    newest = max(partitions.existing())
    scenes.execute(f"DROP TABLE {newest}")
    return Effect("SELECT count(*) FROM pg_inherits WHERE inhrelid::regclass::text = :name", {"name": newest})


def books_that_do_not_add_up(place: Place) -> Effect:
    who = scenes.customer()
    scenes.execute("UPDATE balances SET settled_nano = settled_nano + 1 WHERE account_id = :id", id=who.account_id)
    return Effect("SELECT count(halted_at) FROM accounts WHERE id = :id", {"id": who.account_id})


def a_model_that_is_new(place: Place) -> Effect:
    place.upstream.models.append(entry("fresh/model", FAKE_PRICES))
    return Effect("SELECT count(*) FROM models WHERE slug = 'fresh/model'", {})


def a_quarantine_that_ran_out(place: Place) -> Effect:
    _of_elsewhere("elsewhere/one", quarantined_at=now() - timedelta(hours=30))
    return Effect("SELECT count(*) FROM models WHERE slug = 'elsewhere/one' AND status = 'withdrawn'", {})


def credit_at_the_upstream(place: Place) -> Effect:
    return Effect("SELECT count(*) FROM supplier_balances", {})


def a_day_to_compare(place: Place) -> Effect:
    day = now().date() - timedelta(days=2)
    write([row(datetime.combine(day, time(12), UTC), new_id(), cost_usd="0.5")])
    rollup.run()
    return Effect("SELECT count(*) FROM supplier_days WHERE day = :day", {"day": day})


def _paid(place: Place) -> tuple[Bank, Any, list[Any]]:
    bank = Bank(place.app, place.stripe)
    order = bank.order("20")
    with place.stripe.hold_back() as events:
        place.stripe.pay(bank.session_of(order))
    return bank, order, list(events)


def _entries_of(order: Any) -> Effect:
    return Effect("SELECT count(*) FROM ledger_entries WHERE kind = 'top_up' AND reference = :id", {"id": str(order.payment_id)})


def an_event_that_could_not_be_applied(place: Place) -> Effect:
    """Stripe told of it and did not answer when it was asked back."""
    bank, order, events = _paid(place)
    [event] = [event for event in events if event["type"] == "payment_intent.succeeded"]
    place.stripe.is_down = True
    bank.tell(event)
    place.stripe.is_down = False
    scenes.execute(
        "UPDATE stripe_events SET received_at = received_at - interval '1 hour', handled_at = NULL WHERE id = :id", id=event["id"]
    )
    return _entries_of(order)


def a_payment_untold(place: Place) -> Effect:
    return _entries_of(_paid(place)[1])


def a_day_of_credit(place: Place) -> Effect:
    who = _charged(place)
    scenes.make_it_yesterday(who)
    ledger.post_usage_day(who.account_id, now().date())
    return Effect("SELECT count(*) FROM credit_days WHERE day = :day", {"day": now().date() - timedelta(days=1)})


def a_viewing_that_is_over(place: Place) -> Effect:
    clerk, customer = factories.make_person(role=Role.ADMIN), factories.make_person()
    found = sessions.find(session_of(clerk.user_id))
    assert found is not None
    viewings.begin(found.session_id, clerk.user_id, customer.account_id, reason="for a test")
    scenes.execute("UPDATE viewings SET until = now() - interval '1 day' WHERE user_id = :id", id=clerk.user_id)
    return Effect("SELECT count(*) FROM staff_actions WHERE action = 'viewing.end' AND account_id = :id", {"id": customer.account_id})


def an_old_letter(place: Place) -> Effect:
    letters.write(LetterKind.PASSWORD_CHANGED, "old@example.com")
    scenes.execute(f"UPDATE letters SET state = 'sent', created_at = now() - {LONG_AGO} WHERE recipient = 'old@example.com'")
    return Effect("SELECT 1 - count(*) FROM letters WHERE recipient = 'old@example.com'", {})


WORKS = {
    "close days of credit": Work(a_day_of_credit, at="credit_days"),  # first: a day stays open while charges of it are not posted
    "chase costs": Work(a_call_whose_cost_is_asked, at="holds"),
    "recover holds": Work(a_call_of_a_dead_process, at="holds"),
    "forget processes": Work(a_process_that_is_silent, at="processes"),
    "send letters": Work(a_letter, at="letters", before=None),
    "watch for alarms": Work(a_price_in_quarantine, at="alarms"),
    "tell of alarms": Work(an_alarm_untold, at="alarms"),
    "tell of alerts": Work(a_balance_that_fell, at="alerts"),
    "tell of limits": Work(a_limit_that_was_hit, at="event_marks"),
    "tell of prices": Work(a_model_that_is_withdrawn, at="told_prices"),
    "tell of expiring keys": Work(a_key_that_expires, at="notices"),
    "keep journal": Work(an_audit_row, at="staff_actions", reads=True),
    "sum up service": Work(lambda place: Effect("SELECT count(*) FROM service_snapshots", {}), at="service_snapshots"),
    "send webhooks": Work(an_event_to_send, at="webhook_deliveries"),
    "forget deliveries": Work(an_event_of_long_ago, at="outbox"),
    "watch letters": Work(succeeded("watch letters"), at="letters", reads=True),
    "revert limits": Work(limits_whose_time_is_over, at="rate_limits"),
    "post usage": Work(a_day_that_is_over, at="ledger_entries"),
    "roll up usage": Work(a_charged_call, at="usage_hours", once=60),
    "prove usage sums": Work(succeeded("prove usage sums"), at="usage_hours", reads=True),
    "make partitions": Work(a_month_that_is_missing, at="usage_logs", reads=True),
    "verify ledger": Work(books_that_do_not_add_up, at="accounts"),
    "sync catalogue": Work(a_model_that_is_new, at="models"),
    "expire quarantine": Work(a_quarantine_that_ran_out, at="models"),
    "watch upstream credit": Work(credit_at_the_upstream, at="supplier_balances"),
    "reconcile upstream": Work(a_day_to_compare, at="supplier_days"),
    "apply payment events": Work(an_event_that_could_not_be_applied, at="ledger_entries"),
    "reconcile payments": Work(a_payment_untold, at="ledger_entries"),
    "close viewings": Work(a_viewing_that_is_over, at="viewings"),
    "forget old rows": Work(an_old_letter, at="letters"),
    "drop old months": Work(a_month_too_old, at="dropped_months"),
}
"""Job → its work, in the order of the kills."""
