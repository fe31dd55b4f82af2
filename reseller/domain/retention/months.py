"""Details of calls go by the month, oldest first, and only when nothing needs them any more (R36).

A month may go when every charge of it is an entry of the ledger and equals it, every sum of it is proved against its rows, and no call of
it is open. Whatever stands in the way is said, and the month waits: it is tried again with the next run. A month that waits keeps those
after it waiting, too, so that what is kept has no holes.
"""

from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import text

from reseller.clock import day_start, month_start, next_month, now
from reseller.database import transaction
from reseller.domain import ledger, staff
from reseller.domain.usage import dropping, partitions, rollup
from reseller.domain.usage.dropping import Busy

ACTOR = "system:retention"

_OPEN = text("SELECT count(*) FROM holds WHERE created_at < :end")
_UNPOSTED = text(
    """SELECT count(*) FROM balances WHERE unposted_nano > 0 AND usage_day <=
              (SELECT coalesce(max(posted_on), CAST(:month AS date)) FROM usage_logs WHERE created_at >= :start AND created_at < :end)"""
)


@dataclass(slots=True)
class Dropping:
    """What one run did: months that are gone, and the one that has to wait, with the reasons."""

    gone: list[date] = field(default_factory=list)
    waits: date | None = None
    reasons: list[str] = field(default_factory=list)


def due(keep_months: int) -> list[date]:
    """Months of which nothing is to be kept, oldest first; none with 0. The running month and so many before it stay."""
    if keep_months < 1:
        return []
    begun = set(dropping.begun())
    there = {partitions.month_of(name) for name in partitions.existing()}
    return sorted(month for month in there | begun if month < kept_from(keep_months))


def kept_from(keep_months: int) -> date:
    """The first day that is kept."""
    today = month_start(now().date())
    months = today.year * 12 + today.month - 1 - keep_months
    return date(months // 12, months % 12 + 1, 1)


def obstacles(month: date) -> list[str]:
    """Why the month has to stay for now, in words; nothing if it may go. Reads the whole month."""
    span = {"month": month, "start": day_start(month), "end": day_start(next_month(month))}
    found = []
    with transaction() as session:
        if calls := session.scalar(_OPEN, span):
            found.append(f"{calls} calls that began before its end are open")
        if accounts := session.scalar(_UNPOSTED, span):
            found.append(f"charges of {accounts} accounts are not posted yet")
    if found:
        return found
    found += [f"{each.row} of account {each.account_id}: {each.problem}" for each in ledger.unproved_days(month, next_month(month))[:3]]
    if wrong := rollup.differences(month):
        found.append(f"{len(wrong)} sums are not those of its calls, first {wrong[0].isoformat()}")
    return found


def drop_due(keep_months: int) -> Dropping:
    """Months that are not to be kept are gone; the first that has to wait ends the run. A drop that was begun is finished first.

    If we die here: see `dropping`.
    """
    done = Dropping()
    begun = set(dropping.begun())
    for month in due(keep_months):
        done.reasons = [] if month in begun else obstacles(month)
        if not done.reasons:
            try:
                drop(month, keep_months)
            except Busy as busy:
                done.reasons = [str(busy)]
        if done.reasons:
            done.waits = month
            return done
        done.gone.append(month)
    return done


def drop(month: date, keep_months: int) -> None:
    """The month's rows are gone, its totals stay. Raises Busy. Whether it may go was asked before."""
    with transaction():
        if month not in set(dropping.begun()):
            staff.record(
                ACTOR, "usage.drop_month", "usage_month", f"{month:%Y-%m}", reason=f"details of calls are kept for {keep_months} months"
            )
        dropping.begin(month, keep_months)
    dropping.finish(month)
