"""One look at every rule, and at credit that is used up."""

from reseller.domain.alerts import balances, budgets, emptied


def sweep() -> int:
    """Whoever's balance or spending has crossed a line of theirs, or whose credit is used up, is told; how many crossings."""
    return balances.sweep() + emptied.sweep() + budgets.sweep()
