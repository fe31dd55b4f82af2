"""What a usage row and an open hold remember of a call; no text of a stranger hinders a charge (R8, R9, R10)."""

import pytest

from reseller.domain.calls import Note, Outcome, Settle, Till, facts_of
from reseller.domain.usage import CallStatus
from reseller.errors import NotForSale
from reseller.metering import Usage
from tests.domain import scenes


@pytest.mark.parametrize("text", ["nul \x00 inside", "x" * 100_000, "\\u0000", '"; DROP TABLE holds; --', "\u2028 ☃ 💸"])
def test_a_strangers_text_cannot_hinder_a_charge(till: Till, text: str) -> None:
    """R8: whatever the upstream calls its model."""
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)

    settled = till.settle(scenes.settlement(op, served_model=text, generation_id=text))

    assert settled is not None
    assert settled.charge_nano == 60
    assert len(scenes.usage(who)[0]["served_model"]) <= 200


@pytest.mark.parametrize("text", ["nul \x00", "half \ud83d"], ids=["no database can", "no JSON can"])
def test_details_that_cannot_be_stored_are_left_out_rather_than_the_charge(till: Till, text: str) -> None:
    """R8: deep in the metadata."""
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)

    settled = till.settle(scenes.settlement(op, response_metadata={"finish_reason": text}))

    assert settled is not None
    assert settled.charge_nano == 60
    [row] = scenes.usage(who)
    assert (row["charge_nano"], row["flag"], row["response_metadata"]) == (60, "details_lost", {})


@pytest.mark.parametrize("text", ["\x00", "\ud83d"], ids=["no database can", "no JSON can"])
def test_a_settlement_that_cannot_be_stored_does_not_hinder_its_neighbours(till: Till, text: str) -> None:
    """R12."""
    good, bad = scenes.customer(), scenes.customer()
    ops = [scenes.admission(good), scenes.admission(bad)]
    scenes.in_one_commit(till, ops)
    poison = scenes.settlement(ops[1], response_metadata={"finish_reason": text})

    answers = scenes.all_at_once(till, [scenes.settlement(ops[0]), poison])

    assert [answer.charge_nano for answer in answers] == [60, 60]
    assert scenes.problems() == []


def test_a_call_refused_before_admission_has_its_row_and_nothing_else(till: Till) -> None:
    """R9."""
    who = scenes.customer()
    facts = facts_of(scenes.admission(who, model="no \x00 such"))

    till.record(facts, NotForSale("no such model"))

    [row] = scenes.usage(who)
    assert (row["id"], row["status"], row["error_code"], row["charge_nano"]) == (facts.call_id, "refused", "model_not_found", 0)
    assert row["model"] == "no  such"
    assert scenes.money(who) == (1_000, 0)
    assert scenes.holds(who) == []


def test_a_generation_id_is_remembered_on_the_open_hold(till: Till) -> None:
    """R10."""
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)

    till.note(Note(op.call_id, "gen-1"))

    assert till.drain(scenes.SECONDS)
    [hold] = scenes.holds(who)
    assert (hold["generation_id"], hold["draft"], hold["chase_at"]) == ("gen-1", None, None)


def test_an_answer_without_known_cost_leaves_its_hold_open_with_a_draft(till: Till) -> None:
    """R9: the clock asks at once."""
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)
    till.note(Note(op.call_id, "gen-1"))

    till.pend(Note(op.call_id, None, {"status": "completed"}))

    [hold] = scenes.holds(who)
    assert (hold["generation_id"], hold["draft"]) == ("gen-1", {"status": "completed"})
    assert hold["chase_at"] is not None
    assert scenes.money(who) == (1_000, 100)


def test_a_note_about_a_call_that_ends_in_the_same_commit_is_moot(till: Till) -> None:
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)

    scenes.in_one_commit(till, [Note(op.call_id, "gen-1"), scenes.settlement(op)])

    assert scenes.holds(who) == []
    assert len(scenes.usage(who)) == 1


def test_rarer_token_kinds_are_kept_by_name(till: Till) -> None:
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)
    usage = Usage(prompt_tokens=9, completion_tokens=4, cached_tokens=5, reasoning_tokens=2, image_tokens=1, web_searches=3)

    till.settle(Settle(facts_of(op), Outcome(status=CallStatus.COMPLETED, usage=usage)))

    [row] = scenes.usage(who)
    assert (row["cached_tokens"], row["reasoning_tokens"]) == (5, 2)
    assert row["usage_details"] == {"image_tokens": 1, "web_searches": 3}
