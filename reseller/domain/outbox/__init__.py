"""What has happened, told once to whoever wants to know: a row for each event, written in the transaction of the verb that caused it.

So no event is lost, and none tells of what was rolled back. A verb calls `announce` and knows nobody who listens; the clock
hands the rows on (webhooks). Which events there are, what each tells, and to whom, is one table: EVENTS.

Rows are written by `announce` alone, marked as handed on by whoever hands them on, and gone once they are old (`forget_before`).
"""

from reseller.domain.outbox.announcing import announce, dispatched, forget_before, keep_sample, undispatched
from reseller.domain.outbox.catalogue import EVENTS
from reseller.domain.outbox.kinds import Audience, EventKind
from reseller.domain.outbox.marks import EventMark, first_told, told_no_more
from reseller.domain.outbox.tables import Event

__all__ = [
    "EVENTS", "Audience", "Event", "EventKind", "EventMark", "announce", "dispatched", "first_told",
    "forget_before", "keep_sample", "told_no_more", "undispatched",
]  # fmt: skip
