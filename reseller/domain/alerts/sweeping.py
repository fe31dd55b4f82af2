"""One look at every rule."""

from reseller.domain.alerts import balances, budgets


def sweep() -> int:
    """Whoever's balance or spending has crossed a line of theirs is told; how many crossings."""
    return balances.sweep() + budgets.sweep()
