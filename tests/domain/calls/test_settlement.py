"""How calls end: one charge each, bounded by what is there, whoever ends them and however often (R4, R6, R9, R12)."""

from decimal import Decimal

from reseller.clock import new_id
from reseller.domain.calls import Till
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
    assert (row["id"], row["status"], row["charge_nano"], row["hold_nano"], row["overage_loss_nano"]) == (
        op.call_id,
        "completed",
        60,
        100,
        0,
    )
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

    answers = scenes.from_two_processes(
        database_url, lambda till: scenes.all_at_once(till, [scenes.settlement(op, charge=10) for op in ops])
    )

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
