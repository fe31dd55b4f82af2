"""How calls end: one charge each, bounded by what is there, whoever ends them and however often (R4, R6, R9, R12)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from reseller.clock import new_id
from reseller.domain import ledger
from reseller.domain.calls import Note, Outcome, Settle, Till, facts_of
from reseller.domain.calls.settlement import Record
from reseller.domain.ledger import EntryKind
from reseller.domain.usage import CallStatus, CostSource
from reseller.errors import NotForSale
from reseller.metering import Usage
from tests.domain import scenes


def test_charge_release_and_usage_row_are_one_commit(till: Till) -> None:
    """R9."""
    who = scenes.customer(nano=1_000)
    op = scenes.admission(who, hold=100)
    till.admit(op)

    settled = till.settle(scenes.settlement(op, charge=60, served_model="acme/one-fast", generation_id="gen-1"))

    assert settled is not None
    assert (settled.charge_nano, settled.overage_loss_nano, settled.was_open) == (60, 0, True)
    assert scenes.balance(who) == {"settled": 940, "held": 0, "open_calls": 0, "unposted": 60, "floor": 0}
    assert scenes.holds(who) == []
    [row] = scenes.usage(who)
    assert (row["id"], row["status"], row["charge_nano"], row["hold_nano"], row["overage_loss_nano"]) == (op.call_id, "completed", 60, 100, 0)
    assert (row["prompt_tokens"], row["completion_tokens"], row["total_tokens"]) == (7, 3, 10)
    assert (row["cost_usd"], row["cost_source"], row["served_model"]) == (Decimal("0.00000006"), "inline", "acme/one-fast")
    assert scenes.problems() == []


def test_a_cost_finer_than_a_nano_dollar_is_kept_to_its_last_digit(till: Till) -> None:
    """R16."""
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)

    till.settle(scenes.settlement(op, charge=1, cost_usd=Decimal("0.00000000012345678901234567890")))

    assert scenes.usage(who)[0]["cost_usd"] == Decimal("0.00000000012345678901234567890")


def test_a_call_that_failed_costs_nothing(till: Till) -> None:
    """R9."""
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)

    till.settle(scenes.failure(op))

    assert scenes.money(who) == (1_000, 0)
    [row] = scenes.usage(who)
    assert (row["status"], row["error_code"], row["charge_nano"], row["posted_on"]) == ("failed", "upstream_unavailable", 0, None)
    assert scenes.problems() == []


@pytest.mark.parametrize(
    ("balance", "charge", "charged", "loss"),
    [
        (1_000, 100, 100, 0),
        (1_000, 101, 101, 0),
        (1_000, 1_000, 1_000, 0),
        (1_000, 1_001, 1_000, 1),
        (100, 250, 100, 150),
    ],
)
def test_a_cost_above_the_hold_comes_out_of_available_and_the_rest_is_the_operators(
    till: Till, balance: int, charge: int, charged: int, loss: int
) -> None:
    """R6."""
    who = scenes.customer(nano=balance)
    op = scenes.admission(who, hold=100)
    till.admit(op)

    settled = till.settle(scenes.settlement(op, charge=charge))

    assert settled is not None
    assert (settled.charge_nano, settled.overage_loss_nano) == (charged, loss)
    assert scenes.money(who) == (balance - charged, 0)
    [row] = scenes.usage(who)
    assert (row["charge_nano"], row["overage_loss_nano"], row["flag"]) == (charged, loss, "overage" if loss else None)
    assert scenes.problems() == []


def test_what_other_calls_hold_is_not_available_to_a_cost_above_the_hold(till: Till) -> None:
    """R3, R6: one call's excess never takes another call's money."""
    who = scenes.customer(nano=250)
    op, other = scenes.admission(who, hold=100), scenes.admission(who, hold=100)
    till.admit(op)
    till.admit(other)

    settled = till.settle(scenes.settlement(op, charge=500))
    ended = till.settle(scenes.settlement(other, charge=100))

    assert settled is not None
    assert ended is not None
    assert (settled.charge_nano, settled.overage_loss_nano) == (150, 350)
    assert (ended.charge_nano, ended.overage_loss_nano) == (100, 0)
    assert scenes.money(who) == (0, 0)


def test_an_account_below_zero_pays_no_more_than_the_hold(till: Till) -> None:
    """R6, R19: a refund while a call is in flight."""
    who = scenes.customer(nano=100)
    op = scenes.admission(who, hold=100)
    till.admit(op)
    scenes.put_in(who, -80, kind=EntryKind.REFUND)

    settled = till.settle(scenes.settlement(op, charge=130))

    assert settled is not None
    assert (settled.charge_nano, settled.overage_loss_nano) == (100, 30)
    assert scenes.money(who) == (-80, 0)
    assert scenes.problems() == []


def test_an_estimate_never_costs_more_than_was_held(till: Till) -> None:
    """R9: and what it lacks is nobody's loss."""
    who = scenes.customer()
    op = scenes.admission(who, hold=100)
    till.admit(op)

    settled = till.settle(scenes.settlement(op, charge=140, at_most_hold=True, cost_source=CostSource.ESTIMATE))

    assert settled is not None
    assert (settled.charge_nano, settled.overage_loss_nano) == (100, 0)
    assert scenes.usage(who)[0]["flag"] is None


def test_a_test_call_is_never_charged(till: Till) -> None:
    who = scenes.customer(is_test=True)
    op = scenes.admission(who)
    till.admit(op)

    settled = till.settle(scenes.settlement(op, charge=60))

    assert settled is not None
    assert (settled.charge_nano, settled.overage_loss_nano) == (0, 0)
    assert scenes.money(who) == (1_000, 0)
    [row] = scenes.usage(who)
    assert (row["is_test"], row["charge_nano"], row["status"]) == (True, 0, "completed")


def test_ending_a_call_again_charges_nothing_more(till: Till) -> None:
    """R4."""
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)
    till.settle(scenes.settlement(op, charge=60))

    again = till.settle(scenes.settlement(op, charge=70))

    assert again is not None
    assert again.was_open is False
    assert scenes.money(who) == (940, 0)
    assert len(scenes.usage(who)) == 1


def test_ending_a_call_twice_in_one_commit_charges_once(till: Till) -> None:
    """R4, R12."""
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)

    first, second = scenes.in_one_commit(till, [scenes.settlement(op, charge=60), scenes.settlement(op, charge=70)])

    assert (first.charge_nano, first.was_open) == (60, True)
    assert second.was_open is False
    assert scenes.balance(who) == {"settled": 940, "held": 0, "open_calls": 0, "unposted": 60, "floor": 0}
    assert scenes.problems() == []


def test_ending_calls_from_two_processes_at_once_charges_each_once(till: Till, database_url: str) -> None:
    """R4: whoever comes first."""
    who = scenes.customer(nano=10_000)
    ops = [scenes.admission(who) for _ in range(40)]
    scenes.in_one_commit(till, ops)

    answers = scenes.from_two_processes(database_url, lambda till: scenes.all_at_once(till, [scenes.settlement(op, charge=10) for op in ops]))

    assert sum(answer.was_open for answer in answers) == 40
    assert scenes.money(who) == (9_600, 0)
    assert len(scenes.usage(who)) == 40
    assert scenes.problems() == []


def test_ending_a_call_that_was_never_admitted_does_nothing(till: Till) -> None:
    """R4."""
    who = scenes.customer()

    settled = till.settle(scenes.settlement(scenes.admission(who)))
    nobodys = till.settle(scenes.settlement(scenes.admission(scenes.Customer(new_id(), new_id()))))

    assert settled is not None
    assert nobodys is not None
    assert (settled.was_open, nobodys.was_open) == (False, False)
    assert scenes.money(who) == (1_000, 0)
    assert scenes.usage(who) == []


def test_an_ended_call_leaves_room_for_the_next_in_the_same_commit(till: Till) -> None:
    """R12: settlements go first, since they only free money."""
    who = scenes.customer(nano=100)
    op, following = scenes.admission(who, hold=100), scenes.admission(who, hold=40)
    till.admit(op)

    admitted, settled = scenes.in_one_commit(till, [following, scenes.settlement(op, charge=60)])

    assert settled.charge_nano == 60
    assert admitted.hold_nano == 40
    assert scenes.money(who) == (40, 40)


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


def test_details_that_cannot_be_stored_are_left_out_rather_than_the_charge(till: Till) -> None:
    """R8: deep in the metadata."""
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)

    settled = till.settle(scenes.settlement(op, response_metadata={"finish_reason": "nul \x00"}))

    assert settled is not None
    assert settled.charge_nano == 60
    [row] = scenes.usage(who)
    assert (row["charge_nano"], row["flag"], row["response_metadata"]) == (60, "details_lost", {})


def test_a_settlement_that_cannot_be_stored_does_not_hinder_its_neighbours(till: Till) -> None:
    """R12."""
    good, bad = scenes.customer(), scenes.customer()
    ops = [scenes.admission(good), scenes.admission(bad)]
    scenes.in_one_commit(till, ops)
    poison = scenes.settlement(ops[1], response_metadata={"finish_reason": "\x00"})

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


def ended_call(till: Till, who: scenes.Customer, charge: int) -> None:
    op = scenes.admission(who)
    till.admit(op)
    till.settle(scenes.settlement(op, charge=charge))


def test_the_first_charge_of_a_new_day_posts_the_day_before(till: Till) -> None:
    """R1: one entry for each account and day."""
    who = scenes.customer(nano=1_000)
    ended_call(till, who, 60)
    ended_call(till, who, 15)
    scenes.make_it_yesterday(who)

    ended_call(till, who, 5)

    top_up, posted = scenes.entries(who)
    today = scenes.rows("SELECT (now() AT TIME ZONE 'UTC')::date AS day")[0]["day"]
    assert (posted["kind"], posted["amount_nano"], posted["balance_after_nano"], posted["sequence"]) == ("usage", -75, 925, 2)
    assert posted["reference"] == f"{who.account_id}:{today - timedelta(days=1)}"
    assert posted["previous_hash"] == top_up["entry_hash"]
    assert scenes.balance(who) == {"settled": 920, "held": 0, "open_calls": 0, "unposted": 5, "floor": 0}
    assert scenes.problems() == []


def test_two_charges_of_a_new_day_in_one_commit_post_the_day_before_once(till: Till) -> None:
    """R1, R12."""
    who = scenes.customer(nano=1_000)
    ended_call(till, who, 60)
    scenes.make_it_yesterday(who)
    ops = [scenes.admission(who) for _ in range(3)]
    scenes.in_one_commit(till, ops)

    scenes.in_one_commit(till, [scenes.settlement(op, charge=10) for op in ops])

    assert [entry["amount_nano"] for entry in scenes.entries(who)] == [1_000, -60]
    assert scenes.balance(who)["unposted"] == 30
    assert scenes.problems() == []


def test_a_quiet_account_has_its_day_posted_by_the_clock_once(till: Till) -> None:
    """R1."""
    who = scenes.customer(nano=1_000)
    ended_call(till, who, 60)
    scenes.make_it_yesterday(who)
    today = scenes.rows("SELECT (now() AT TIME ZONE 'UTC')::date AS day")[0]["day"]

    posted = [ledger.post_usage_day(who.account_id, today) for _ in range(3)]

    assert posted == [True, False, False]
    assert [entry["amount_nano"] for entry in scenes.entries(who)] == [1_000, -60]
    assert scenes.balance(who) == {"settled": 940, "held": 0, "open_calls": 0, "unposted": 0, "floor": 0}
    ended_call(till, who, 7)
    assert [entry["amount_nano"] for entry in scenes.entries(who)] == [1_000, -60]
    assert scenes.problems() == []


def test_todays_usage_is_not_posted_before_the_day_is_over(till: Till) -> None:
    who = scenes.customer(nano=1_000)
    ended_call(till, who, 60)
    today = scenes.rows("SELECT (now() AT TIME ZONE 'UTC')::date AS day")[0]["day"]

    assert ledger.post_usage_day(who.account_id, today) is False
    assert scenes.balance(who)["unposted"] == 60


def test_a_clock_that_goes_back_after_a_day_was_posted_does_not_stop_settlement(till: Till) -> None:
    """The fault model's wall clock of ±1 h around midnight: no day is ever posted twice."""
    who = scenes.customer(nano=1_000)
    ended_call(till, who, 60)
    today = scenes.rows("SELECT (now() AT TIME ZONE 'UTC')::date AS day")[0]["day"]
    ledger.post_usage_day(who.account_id, today + timedelta(days=1))

    ended_call(till, who, 5)
    ledger.post_usage_day(who.account_id, today + timedelta(days=2))
    ended_call(till, who, 3)

    assert [entry["amount_nano"] for entry in scenes.entries(who)] == [1_000, -60, -5]
    assert scenes.money(who) == (932, 0)
    assert scenes.problems() == []


def test_every_charge_names_the_day_whose_entry_holds_it(till: Till) -> None:
    """R1."""
    who = scenes.customer(nano=1_000)
    ended_call(till, who, 60)
    ended_call(till, who, 0)

    days = [row["posted_on"] for row in scenes.usage(who)]

    today: Any = scenes.rows("SELECT (now() AT TIME ZONE 'UTC')::date AS day")[0]["day"]
    assert days == [today, None]
