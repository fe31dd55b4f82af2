"""What a call may cost above its hold, and who bears the rest (R3, R6, R9)."""

import pytest

from reseller.domain.calls import Till
from reseller.domain.ledger import EntryKind
from reseller.domain.usage import CostSource
from tests.domain import scenes


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
    assert scenes.problems_of_the_ledger() == []


def test_an_estimate_never_costs_more_than_was_held(till: Till) -> None:
    """R9: and what it lacks is nobody's loss."""
    who = scenes.customer()
    op = scenes.admission(who, hold=100)
    till.admit(op)

    settled = till.settle(scenes.settlement(op, charge=140, at_most_hold=True, cost_source=CostSource.ESTIMATE))

    assert settled is not None
    assert (settled.charge_nano, settled.overage_loss_nano) == (100, 0)
    assert scenes.usage(who)[0]["flag"] is None
