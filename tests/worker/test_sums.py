"""Jobs that keep the sums of usage: made, proved, mended."""

from datetime import timedelta

from reseller.clock import new_id, now
from reseller.domain.calls import Till
from reseller.worker import sums
from reseller.worker.context import Context
from tests.domain import scenes
from tests.domain.usage import calls


def test_usage_is_summed_and_the_sums_are_proved(context: Context, till: Till) -> None:
    op = scenes.admission(scenes.customer())
    till.admit(op)
    till.settle(scenes.settlement(op))

    assert sums.roll_up_usage(context) == "1 quarter-hours"
    assert sums.prove_sums(context) == "all agree"


def test_sums_that_do_not_agree_are_made_anew_and_told(context: Context) -> None:
    """A row whose settlement no run has seen."""
    calls.write([calls.row(now() - timedelta(days=2), new_id())])
    sums.roll_up_usage(context)
    calls.write([calls.row(now() - timedelta(days=2), new_id(), settled_at=now() - timedelta(days=2))])

    said = sums.prove_sums(context)

    assert said.startswith("1 made anew")
    assert sums.prove_sums(context) == "all agree"
