"""What an account was charged on each of its last days, in the viewer's zone."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from reseller.clock import now
from reseller.database import transaction
from reseller.domain.usage import points
from reseller.domain.usage.account_sums import Reading, Slice


@dataclass(frozen=True, slots=True)
class DaySpend:
    """One day; `share_percent` compares it with the dearest one shown."""

    day: date
    charge_nano: int
    share_percent: int


def spend_by_day(account_id: UUID, zone: ZoneInfo, *, days: int) -> tuple[DaySpend, ...]:
    """So many days that end with today, the oldest first; days without calls too."""
    today = now().astimezone(zone).date()
    first = today - timedelta(days=days - 1)
    begins = points.days(first, today, zone).starts
    charges = [0] * len(begins)
    with transaction() as session:
        reading = Reading(session, Slice(account_id, begins[0], points.start_of(today + timedelta(days=1), zone)))
        query = f"SELECT starts_at, sum(charge_nano) AS charge_nano FROM {reading.rows()} GROUP BY starts_at"  # noqa: S608 - constants
        for row in reading.fetch(query):
            charges[bisect_right(begins, row.starts_at) - 1] += int(row.charge_nano)
    most = max(charges) or 1
    return tuple(DaySpend(first + timedelta(days=n), charge, -(-100 * charge // most)) for n, charge in enumerate(charges))
