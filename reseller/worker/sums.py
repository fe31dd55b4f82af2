"""Jobs that keep the sums of usage: made every minute, proved against the raw rows a few times a day."""

from datetime import timedelta

from reseller import alarms
from reseller.clock import now
from reseller.domain.usage import rollup
from reseller.worker.context import Context


def roll_up_usage(context: Context) -> str:  # noqa: ARG001 - every job has the same face
    """Sums of usage hold every row that was there when the job began."""
    return f"{rollup.run()} quarter-hours"


def prove_sums(context: Context) -> str:  # noqa: ARG001
    """Sums of usage are those of the raw rows; what differed is made anew and told to staff.

    What differs now may be settled in this moment: it is wrong only if a run of the rollup does not put it right.
    A row that no run saw (a clock that was set back for longer than we allow for) is found here.
    """
    recently = now() - timedelta(hours=1)
    suspects = {starts_at for starts_at in rollup.differences() if starts_at < recently}
    if not suspects:
        return "all agree"
    rollup.run()
    wrong = [starts_at for starts_at in rollup.differences() if starts_at in suspects]
    if not wrong:
        return "all agree"
    rollup.mend(wrong)
    alarms.sound("usage_sums_mended", words=f"{len(wrong)} quarter-hours, the first {wrong[0].isoformat()}")
    return f"{len(wrong)} made anew, the first: {wrong[0].isoformat()}"
