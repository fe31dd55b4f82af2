"""One look at every rule, and at credit that is used up."""

from reseller.by_itself import each_by_itself
from reseller.domain.alerts import balances, budgets, emptied


def sweep() -> int:
    """Whoever's balance or spending has crossed a line of theirs, or whose credit is used up, is told; how many crossings.

    What fails in one of them keeps nobody from the others, and is raised at the end.
    """
    kinds = {"balances": balances.sweep, "used up credit": emptied.sweep, "budgets": budgets.sweep}
    return each_by_itself(lambda kind: kinds[kind](), kinds, of="looking at alerts")
