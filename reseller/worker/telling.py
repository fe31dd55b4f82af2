"""Jobs that find by looking what customers are told of: keys that expire, lines that are crossed, limits that were hit.

The letters and events are written in one commit with the mark that it was told; they are sent by the jobs of `letters` and `webhooks`.
"""

from reseller.domain import alerts, notices
from reseller.worker.context import Context


def tell_of_expiring_keys(context: Context) -> str:  # noqa: ARG001 - every job has the same face
    """Whoever wants to know that a key of theirs expires has a letter on its way, and programs that listen have an event."""
    return f"{notices.tell()} letters and events"


def tell_of_alerts(context: Context) -> str:  # noqa: ARG001
    """Whoever's balance or spending has crossed a line of theirs has a letter, an event and a notice on its way."""
    return f"{alerts.sweep()} crossings"


def tell_of_limits(context: Context) -> str:  # noqa: ARG001
    """Programs of whoever hit a limit lately have an event on its way."""
    return f"{alerts.tell_of_hits()} limits"
