"""What went wrong in the demo's months: alarms for the page of staff, and alerts for the customer who is shown."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from reseller.clock import new_id
from reseller.domain import alerts
from reseller.domain.alarms import Alarm
from reseller.domain.alarms.keeping import CLOCK
from reseller.domain.alerts import Alert, AlertKind, RuleTerms
from reseller.domain.keys import keys_of


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


@dataclass(frozen=True, slots=True)
class Told:
    """An alert of the customer: how many days ago it was told, and what of."""

    days_ago: int
    kind: AlertKind
    line: str
    value_usd: str
    about: str = ""
    is_put_away: bool = True


TOLD = (
    Told(44, AlertKind.BALANCE_AMOUNT, "$5.00", "4.87"),
    Told(20, AlertKind.BUDGET_DAY, "$0.50", "0.53"),
    Told(9, AlertKind.BALANCE_AMOUNT, "$5.00", "4.91"),
    Told(1, AlertKind.BUDGET_DAY, "$0.05", "0.06", "Nightly reports", is_put_away=False),
)
BUDGETS = ((AlertKind.BUDGET_DAY, Decimal("0.50")), (AlertKind.BUDGET_MONTH, Decimal(10)), (AlertKind.BALANCE_DAYS, Decimal(3)))

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


def be_told(session: Session, account_id: UUID, user_id: UUID, *, until: datetime) -> None:
    """The account has alerts of each kind, and was told of some; nobody is written to."""
    reports = next(key for key in keys_of(account_id) if key.name == "Nightly reports")
    for kind, line in BUDGETS:
        alerts.add(account_id, RuleTerms(kind, line), by=user_id)
    alerts.add(account_id, RuleTerms(AlertKind.BUDGET_DAY, Decimal("0.05"), api_key_id=reports.id, by_mail=False), by=user_id)
    session.flush()
    for each in TOLD:
        at = until - timedelta(days=each.days_ago)
        session.add(
            Alert(
                id=new_id(at),
                created_at=at,
                account_id=account_id,
                crossing=f"demo {each.days_ago}",
                kind=each.kind,
                line=each.line,
                about=each.about,
                value_usd=Decimal(each.value_usd),
                starts_on=at.date() if each.kind.is_budget else None,
                dismissed_at=at if each.is_put_away else None,
            )
        )
