"""The clock ends what cannot end by itself: every hold of a dead process, every call without a known cost (R9, R10, R11)."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from reseller.domain.calls import Admit, Note, Till, processes, recovery
from reseller.worker.context import Context
from reseller.worker.recovery import STEADY_SECONDS, chase_costs, forget_processes, recover_holds
from tests.domain import scenes

WEB = UUID(int=0xDEAD)
DRAFT = {
    "status": "completed",
    "fallback": "estimate",
    "prompt_tokens": 9,
    "completion_tokens": 4,
    "cost_usd": "0.00000005",
    "cost_source": "estimate",
    "charge_nano": 63,
}


def lost_call(till: Till, who: scenes.Customer, generation_id: str | None = None) -> Admit:
    """A call whose process is gone."""
    op = scenes.admission(who, process_id=WEB)
    till.admit(op)
    if generation_id:
        till.note(Note(op.call_id, generation_id))
        till.drain(scenes.SECONDS)
    return op


def pending_call(till: Till, who: scenes.Customer, generation_id: str = "gen-1") -> Admit:
    """A call whose answer has ended and whose cost nobody told."""
    processes.beat(WEB, "web")
    op = scenes.admission(who, process_id=WEB)
    till.admit(op)
    till.pend(Note(op.call_id, generation_id, DRAFT))
    return op


def outcomes(who: scenes.Customer) -> list[tuple[str, int, str]]:
    return [(row["status"], row["charge_nano"], row["cost_source"]) for row in scenes.usage(who)]


def test_a_lost_call_without_generation_id_is_voided(context: Context, till: Till) -> None:
    """R10, R11."""
    who = scenes.customer()
    lost_call(till, who)

    said = recover_holds(context)

    assert said == "1 recovered"
    assert outcomes(who) == [("voided", 0, "none")]
    assert scenes.money(who) == (1_000, 0)
    assert scenes.problems() == []


def test_a_lost_call_with_generation_id_is_charged_at_true_cost(context: Context, till: Till, records: Any, make_record: Any) -> None:
    """R10: cost × (1 + markup), by the terms of admission."""
    who = scenes.customer()
    lost_call(till, who, "gen-1")
    records.told["gen-1"] = make_record("gen-1", "0.00000004")

    recover_holds(context)

    assert outcomes(who) == [("partial", 50, "generation")]
    assert scenes.usage(who)[0]["cost_usd"] == Decimal("0.00000004")
    assert scenes.holds(who) == []


def test_a_lost_call_of_an_upstream_that_keeps_no_records_is_voided(context: Context, till: Till, records: Any) -> None:
    """R10."""
    records.has_records = False
    who = scenes.customer()
    lost_call(till, who, "gen-1")

    recover_holds(context)

    assert outcomes(who) == [("voided", 0, "none")]
    assert records.asked == []


def test_a_lost_call_of_an_upstream_that_is_gone_is_voided(context: Context, till: Till) -> None:
    who = scenes.customer()
    lost_call(till, who, "gen-1")
    nobody: Any = {}

    recover_holds(replace(context, wiring=replace(context.wiring, upstreams=nobody)))

    assert outcomes(who) == [("voided", 0, "none")]


def test_recovering_twice_changes_nothing_more(context: Context, till: Till) -> None:
    """R4."""
    who = scenes.customer()
    lost_call(till, who)

    said = [recover_holds(context) for _ in range(3)]

    assert said == ["1 recovered", "0 recovered", "0 recovered"]
    assert len(scenes.usage(who)) == 1


def test_nobody_is_declared_lost_right_after_a_gap_of_the_database(context: Context, till: Till) -> None:
    """R11: then everybody looks silent; the living get time to beat."""
    who = scenes.customer()
    lost_call(till, who)
    assert context.heart.steady_seconds < STEADY_SECONDS

    said = recover_holds(replace(context, is_once=False))

    assert "waiting" in said
    assert len(scenes.holds(who)) == 1


def test_one_call_that_the_database_refuses_keeps_no_other_from_its_end(
    context: Context, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R11: the job fails loudly, and has ended all the others."""
    who = scenes.customer()
    ops = [lost_call(till, who) for _ in range(3)]
    void = recovery.void

    def refuse_the_first(till: Till, hold: recovery.OpenHold) -> Any:
        if hold.facts.call_id == ops[0].call_id:
            raise psycopg.errors.UniqueViolation("twice")
        return void(till, hold)

    monkeypatch.setattr(recovery, "void", refuse_the_first)
    with pytest.raises(RuntimeError, match=f"1 calls could not be ended, first: {ops[0].call_id.hex}"):
        recover_holds(context)

    assert [hold["id"] for hold in scenes.holds(who)] == [ops[0].call_id]
    monkeypatch.undo()
    assert recover_holds(context) == "1 recovered"


def test_a_pending_call_is_charged_when_the_record_appears(context: Context, till: Till, records: Any, make_record: Any) -> None:
    """R9: asked again until it is there."""
    who = scenes.customer()
    pending_call(till, who)
    too_early = chase_costs(context)
    records.told["gen-1"] = make_record("gen-1", "0.00000008")
    scenes.execute("UPDATE holds SET chase_at = now()")

    in_time = chase_costs(context)

    assert (too_early, in_time) == ("0 of 1 costs found", "1 of 1 costs found")
    assert outcomes(who) == [("completed", 100, "generation")]
    [row] = scenes.usage(who)
    assert (row["prompt_tokens"], row["completion_tokens"], row["served_model"]) == (21, 8, "acme/one-fast")


def test_a_pending_call_whose_record_never_appears_is_estimated_at_last(context: Context, till: Till, records: Any) -> None:
    """R9: at most the hold, marked as estimate."""
    who = scenes.customer()
    pending_call(till, who)

    for _ in range(len(recovery.CHASE_PAUSES_SECONDS) + 1):
        chase_costs(context)
        scenes.execute("UPDATE holds SET chase_at = now()")

    assert len(records.asked) == len(recovery.CHASE_PAUSES_SECONDS) + 1
    assert outcomes(who) == [("completed", 63, "estimate")]
    assert scenes.holds(who) == []


def test_an_upstream_that_does_not_answer_is_asked_again(context: Context, till: Till, records: Any, make_record: Any) -> None:
    """R9: an error is no record and no end."""
    who = scenes.customer()
    pending_call(till, who)
    records.is_down = True
    chase_costs(context)
    records.is_down, records.told["gen-1"] = False, make_record("gen-1", "0.00000008")
    scenes.execute("UPDATE holds SET chase_at = now()")

    chase_costs(context)

    assert outcomes(who) == [("completed", 100, "generation")]


def test_pauses_between_questions_are_kept(context: Context, till: Till, records: Any) -> None:
    """One record is not asked for in every round."""
    pending_call(till, scenes.customer())

    said = [chase_costs(context) for _ in range(3)]

    assert said == ["0 of 1 costs found", "0 of 0 costs found", "0 of 0 costs found"]
    assert records.asked == ["gen-1"]


def test_a_record_above_the_hold_is_charged_as_any_other_cost(context: Context, till: Till, records: Any, make_record: Any) -> None:
    """R6: from available, the rest is the operator's loss."""
    who = scenes.customer(nano=150)
    pending_call(till, who)
    records.told["gen-1"] = make_record("gen-1", "0.00000016")

    chase_costs(context)

    [row] = scenes.usage(who)
    assert (row["charge_nano"], row["overage_loss_nano"], row["flag"]) == (150, 50, "overage")
    assert scenes.money(who) == (0, 0)


def test_processes_that_died_long_ago_are_forgotten(context: Context) -> None:
    """R11: once nothing names them."""
    processes.beat(WEB, "web")
    scenes.execute("UPDATE processes SET beat_at = now() - interval '1 day'")

    said = forget_processes(context)

    [age] = scenes.rows("SELECT pg_postmaster_start_time() < now() - interval '15 seconds' AS is_settled")
    assert said == "done"
    assert (scenes.rows("SELECT id FROM processes") == []) is age["is_settled"]
