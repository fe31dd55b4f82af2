"""What went wrong in the demo's months, and what is wrong as it opens: alarms, for the page of staff."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from reseller.clock import new_id
from reseller.domain.alarms import Alarm

CLOCK = "system:clock"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One alarm: how many hours ago it began, how long it lasted; None for one that still does."""

    alarm: str
    subject: str
    words: str
    began: float
    lasted: float | None
    times: int = 1
    note: str = ""


TROUBLES = (
    Trouble("upstream_rate_limited", "openrouter", "429", 52 * 24, 1.2, 214, "asked for a higher limit, granted"),
    Trouble("price_quarantined", "anthropic/claude-sonnet-4", "the prompt rate moved from 3 to 15 a million", 31 * 24, 5.5),
    Trouble("payment_event_forged", "", "last from 203.0.113.9: no signature that fits", 12 * 24, 1.4, 37),
    Trouble("job_failing", "reconcile payments", "StripeDown: Stripe cannot be reached", 4 * 24, 0.7),
    Trouble("upstream_rate_limited", "openrouter", "429", 0.4, None, 18),
)


def go_wrong(session: Session, *, until: datetime) -> None:
    """The shop has a history of alarms, one of which still lasts; nobody is told of it."""
    for each in TROUBLES:
        began = until - timedelta(hours=each.began)
        over = None if each.lasted is None else began + timedelta(hours=each.lasted)
        session.add(
            Alarm(
                id=new_id(began),
                alarm=each.alarm,
                subject=each.subject,
                words=each.words,
                times=each.times,
                first_seen_at=began,
                last_seen_at=over or until,
                note=each.note,
                cleared_at=over,
                cleared_by=CLOCK if over else None,
                told_at=began,
                told_over_at=over,
            )
        )
