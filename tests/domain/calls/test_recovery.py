"""Calls that cannot end by themselves: lost with their process, or waiting for their cost (R9, R10, R11)."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.database import acting_as_operator, transaction
from reseller.domain.calls import Admit, Note, PriceTerms, Till, processes, recovery
from reseller.domain.calls.processes import SILENT_SECONDS
from reseller.domain.calls.recovery import CHASE_PAUSES_SECONDS
from reseller.metering import Usage
from tests.domain import scenes

WEB, WORKER = UUID(int=0xBEEF), UUID(int=0xC10C)
DRAFT = {
    "status": "partial",
    "fallback": "estimate",
    "prompt_tokens": 9,
    "completion_tokens": 4,
    "cost_usd": "0.00000005",
    "cost_source": "estimate",
    "charge_nano": 63,
    "served_model": "acme/one-fast",
    "error_code": "upstream_unavailable",
    "flag": None,
    "response_metadata": {"finish_reason": None},
}


def open_call(till: Till, who: scenes.Customer, **changes: Any) -> Admit:
    op = scenes.admission(who, process_id=WEB, **changes)
    till.admit(op)
    return op


def silence(process_id: UUID, seconds: float = SILENT_SECONDS + 1) -> None:
    """The process has not beaten for so long."""
    scenes.execute("UPDATE processes SET beat_at = now() - make_interval(secs => :seconds) WHERE id = :id", id=process_id, seconds=seconds)


def pending(till: Till, who: scenes.Customer, draft: dict[str, Any] | None = None) -> Admit:
    op = open_call(till, who)
    till.pend(Note(op.call_id, "gen-1", draft or DRAFT))
    return op


def due_again() -> None:
    """The pause before the next question is over."""
    scenes.execute("UPDATE holds SET chase_at = now() WHERE chase_at IS NOT NULL")


def test_calls_of_a_living_process_are_left_alone(till: Till) -> None:
    """R11: however old they are."""
    processes.beat(WEB, "web")
    open_call(till, scenes.customer())
    scenes.execute("UPDATE holds SET created_at = created_at - interval '2 hours'")

    assert recovery.claim_lost(WORKER) == []


@pytest.mark.parametrize("had_a_row", [True, False])
def test_calls_of_a_silent_or_unknown_process_are_claimed(till: Till, had_a_row: bool) -> None:
    """R11."""
    if had_a_row:
        processes.beat(WEB, "web")
        silence(WEB)
    who = scenes.customer()
    op = open_call(till, who, request_metadata={"stream": True})

    [hold] = recovery.claim_lost(WORKER)

    assert (hold.facts.call_id, hold.facts.account_id, hold.facts.key_id) == (op.call_id, who.account_id, who.key_id)
    assert (hold.facts.model, hold.facts.is_stream, hold.generation_id, hold.draft) == ("acme/one", True, None, {})
    assert scenes.holds(who)[0]["process_id"] == WORKER


def test_a_process_that_beats_again_in_time_keeps_its_calls(till: Till) -> None:
    processes.beat(WEB, "web")
    silence(WEB)
    open_call(till, scenes.customer())

    processes.beat(WEB, "web")

    assert recovery.claim_lost(WORKER) == []


def test_lost_calls_are_claimed_by_one_worker(app: Flask, till: Till) -> None:
    """At the same instant two workers do not work on the same call; if they did, it would still end once (R4)."""
    who = scenes.customer(nano=10_000)
    scenes.in_one_commit(till, [scenes.admission(who, process_id=WEB) for _ in range(20)])

    with transaction():
        mine = recovery.claim_lost(WORKER)
        [theirs] = scenes.in_threads(1, lambda: claimed_elsewhere(app))

    assert (len(mine), len(theirs)) == (20, 0)


def claimed_elsewhere(app: Flask) -> list[recovery.OpenHold]:
    """What another worker gets while this one's claim is not committed."""
    with app.app_context(), acting_as_operator():
        return recovery.claim_lost(new_id())


def test_a_worker_that_could_not_end_what_it_claimed_claims_it_again(till: Till) -> None:
    """R11: a living worker is no reason to keep a hold."""
    processes.beat(WORKER, "worker")
    open_call(till, scenes.customer())

    first, second = recovery.claim_lost(WORKER), recovery.claim_lost(WORKER)

    assert [hold.facts.call_id for hold in first] == [hold.facts.call_id for hold in second]
    assert len(second) == 1


def test_a_voided_call_costs_the_customer_nothing(till: Till) -> None:
    """R10: without a generation id the operator bears the cost."""
    who = scenes.customer()
    op = open_call(till, who)
    [hold] = recovery.claim_lost(WORKER)

    recovery.void(till, hold)

    assert scenes.money(who) == (1_000, 0)
    assert scenes.holds(who) == []
    [row] = scenes.usage(who)
    assert (row["id"], row["status"], row["flag"], row["charge_nano"]) == (op.call_id, "voided", "process_lost", 0)
    assert scenes.problems() == []


def test_a_call_whose_owner_ends_it_after_all_is_charged_or_voided_but_not_both(till: Till) -> None:
    """R4: whoever comes first."""
    who = scenes.customer()
    op = open_call(till, who)
    [hold] = recovery.claim_lost(WORKER)
    till.settle(scenes.settlement(op, charge=60))

    settled = recovery.void(till, hold)

    assert settled is not None
    assert (settled.was_open, settled.before, settled.was_voided) == (False, ("completed", 60), False)
    assert scenes.money(who) == (940, 0)


def test_an_owner_that_was_taken_for_dead_is_told_that_its_call_was_voided(till: Till) -> None:
    """R4: what costs nothing must not be delivered."""
    who = scenes.customer()
    op = open_call(till, who)
    [hold] = recovery.claim_lost(WORKER)
    recovery.void(till, hold)

    settled = till.settle(scenes.settlement(op, charge=60))

    assert settled is not None
    assert (settled.was_open, settled.was_voided) == (False, True)
    assert scenes.money(who) == (1_000, 0)


def test_a_lost_call_with_a_generation_id_is_asked_about(till: Till) -> None:
    """R10: charged at true cost."""
    who = scenes.customer()
    op = open_call(till, who, terms=PriceTerms(0, None, Decimal(25), 0))
    till.note(Note(op.call_id, "gen-1"))
    till.drain(scenes.SECONDS)
    [lost] = recovery.claim_lost(WORKER)

    recovery.chase_lost(lost)
    [due] = recovery.claim_due()
    usage = Usage(prompt_tokens=20, completion_tokens=5)
    recovery.settle_by_record(till, due, cost_usd=Decimal("0.000000041"), usage=usage, served_model="acme/one-fast")

    assert (lost.generation_id, due.generation_id, due.draft["fallback"]) == ("gen-1", "gen-1", "void")
    [row] = scenes.usage(who)
    assert (row["charge_nano"], row["cost_usd"], row["cost_source"]) == (52, Decimal("0.000000041"), "generation")
    assert (row["status"], row["served_model"], row["flag"], row["prompt_tokens"]) == ("partial", "acme/one-fast", "process_lost", 20)
    assert scenes.money(who) == (948, 0)


def test_a_lost_call_whose_record_never_appears_is_voided(till: Till) -> None:
    """R10."""
    who = scenes.customer()
    op = open_call(till, who)
    till.note(Note(op.call_id, "gen-1"))
    till.drain(scenes.SECONDS)
    recovery.chase_lost(recovery.claim_lost(WORKER)[0])
    [due] = recovery.claim_due()

    recovery.give_up(till, due)

    assert [(row["status"], row["charge_nano"]) for row in scenes.usage(who)] == [("voided", 0)]


def test_a_lost_call_that_has_a_draft_is_not_voided(till: Till) -> None:
    """R9, R10: its answer had ended; only its cost was unknown."""
    pending(till, scenes.customer())

    assert recovery.claim_lost(WORKER) == []
    assert len(recovery.claim_due()) == 1


def test_a_pending_call_is_charged_by_the_upstreams_own_record(till: Till) -> None:
    """R9: with the price terms of admission (R7) and the outcome of the draft."""
    who = scenes.customer()
    op = open_call(till, who, terms=PriceTerms(0, None, Decimal(100), 0))
    till.pend(Note(op.call_id, "gen-1", DRAFT))
    [hold] = recovery.claim_due()

    recovery.settle_by_record(till, hold, cost_usd=Decimal("0.00000003"), usage=Usage(), served_model=None)

    [row] = scenes.usage(who)
    assert (row["charge_nano"], row["status"], row["served_model"], row["error_code"]) == (
        60,
        "partial",
        "acme/one-fast",
        "upstream_unavailable",
    )
    assert scenes.problems() == []


def test_a_pending_call_whose_record_never_appears_is_charged_by_estimate(till: Till) -> None:
    """R9: at most the hold, and marked."""
    who = scenes.customer()
    pending(till, who, DRAFT | {"charge_nano": 250})
    [hold] = recovery.claim_due()

    recovery.give_up(till, hold)

    [row] = scenes.usage(who)
    assert (row["charge_nano"], row["overage_loss_nano"], row["cost_source"], row["flag"]) == (100, 0, "estimate", "estimate")
    assert (row["prompt_tokens"], row["completion_tokens"], row["cost_usd"]) == (9, 4, Decimal("0.00000005"))


def test_tokens_that_the_upstream_counted_are_charged_at_list_price_above_the_hold_too(till: Till) -> None:
    """R7, R9: what was counted is no estimate."""
    who = scenes.customer()
    pending(till, who, DRAFT | {"charge_nano": 250, "cost_source": "price_snapshot"})
    [hold] = recovery.claim_due()

    recovery.give_up(till, hold)

    [row] = scenes.usage(who)
    assert (row["charge_nano"], row["cost_source"], row["flag"]) == (250, "price_snapshot", None)


def test_a_question_is_given_out_once(till: Till) -> None:
    """Two workers at the same instant do not ask the same."""
    pending(till, scenes.customer())

    assert len(recovery.claim_due()) == 1
    assert recovery.claim_due() == []


def test_questions_are_asked_with_growing_pauses_and_then_no_more(till: Till) -> None:
    """R9."""
    who = scenes.customer()
    pending(till, who)
    pauses = []

    while True:
        [hold] = recovery.claim_due()
        if not recovery.ask_later(hold):
            break
        [row] = scenes.rows("SELECT extract(epoch FROM chase_at - now()) AS pause FROM holds")
        pauses.append(row["pause"])
        due_again()

    assert [round(pause) for pause in pauses] == list(CHASE_PAUSES_SECONDS)


def test_a_worker_that_died_while_asking_is_replaced(till: Till) -> None:
    """R11: the claim runs out."""
    pending(till, scenes.customer())
    recovery.claim_due()
    scenes.execute("UPDATE holds SET chase_at = chase_at - interval '31 seconds'")

    [hold] = recovery.claim_due()

    assert hold.attempts == 2


def test_a_process_that_owes_nothing_takes_its_row_away(till: Till) -> None:
    processes.beat(WEB, "web")
    op = open_call(till, scenes.customer())
    processes.forget(WEB)
    while_owing = scenes.rows("SELECT kind FROM processes")
    till.settle(scenes.settlement(op))

    processes.forget(WEB)

    assert while_owing == [{"kind": "web"}]
    assert scenes.rows("SELECT kind FROM processes") == []


def test_rows_of_processes_that_died_long_ago_go_when_they_owe_nothing(till: Till) -> None:
    other = new_id()
    for process_id, age in ((WEB, 61), (WORKER, 59), (other, 61)):
        processes.beat(process_id, "web")
        silence(process_id, age)
    till.admit(scenes.admission(scenes.customer(), process_id=other))

    processes.forget_silent()

    left = {row["id"] for row in scenes.rows("SELECT id FROM processes")}
    started = scenes.rows("SELECT pg_postmaster_start_time() < now() - interval '15 seconds' AS is_long_ago")[0]["is_long_ago"]
    assert left == ({WORKER, other} if started else {WEB, WORKER, other})
