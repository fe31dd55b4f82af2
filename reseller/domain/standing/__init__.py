"""How an account stands at this moment, as its people see it: money, what limits it, its last calls, its first steps. Reads alone."""

from reseller.domain.standing.figures import Changes, figures_of
from reseller.domain.standing.limiting import KeySpend, Standing, Use, standing_of
from reseller.domain.standing.recent import CallLine, recent_calls
from reseller.domain.standing.spend import DaySpend, spend_by_day
from reseller.domain.standing.steps import Steps, first_steps

__all__ = [
    "CallLine", "Changes", "DaySpend", "KeySpend", "Standing", "Steps", "Use", "figures_of", "first_steps", "recent_calls", "spend_by_day",
    "standing_of",
]  # fmt: skip
