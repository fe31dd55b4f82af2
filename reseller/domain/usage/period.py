"""A range of days in somebody's time zone, the same range before it, and the pieces of sums that it is made of. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from reseller.clock import day_start, month_start, now

MAX_DAYS = 366
QUARTER = timedelta(minutes=15)
HOURLY_DAYS = 2  # up to so many days curves have a point for each hour


@dataclass(frozen=True)
class Period:
    """Whole days `first` to `last` of the zone, as far as they have gone by at `at`."""

    first: date
    last: date
    zone: ZoneInfo
    at: datetime

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def is_hourly(self) -> bool:
        return self.days <= HOURLY_DAYS

    @cached_property
    def start(self) -> datetime:
        """When the first day begins."""
        return self._midnight(self.first)

    @cached_property
    def end(self) -> datetime:
        """When the last day ends; for a range that is not over, the end of the quarter-hour that runs at `at`."""
        running = self.at.astimezone(UTC)
        quarter_end = running.replace(minute=running.minute - running.minute % 15, second=0, microsecond=0) + QUARTER
        return max(min(self._midnight(self.last + timedelta(days=1)), quarter_end), self.start)

    @cached_property
    def whole_end(self) -> datetime:
        """When the last day ends, be it over or not."""
        return self._midnight(self.last + timedelta(days=1))

    @cached_property
    def before(self) -> "Period":
        """As many days right before; if this range is not over, up to the same time of its last day."""
        span = timedelta(days=self.days)
        local = self.at.astimezone(self.zone)
        at = (local.replace(tzinfo=None) - span).replace(tzinfo=self.zone) if self.last >= local.date() else self._midnight(self.first)
        return Period(self.first - span, self.first - timedelta(days=1), self.zone, at)

    @property
    def label(self) -> str:
        """The days, for people."""
        return self.first.isoformat() if self.days == 1 else f"{self.first.isoformat()} to {self.last.isoformat()}"

    @classmethod
    def latest(cls, days: int, zone: ZoneInfo) -> "Period":
        """So many days that end with today, as it is in the zone."""
        at = now()
        today = at.astimezone(zone).date()
        return cls(today - timedelta(days=days - 1), today, zone, at)

    @classmethod
    def this_month(cls, zone: ZoneInfo) -> "Period":
        """The month of today, as it is in the zone, up to today."""
        at = now()
        today = at.astimezone(zone).date()
        return cls(month_start(today), today, zone, at)

    @classmethod
    def last_month(cls, zone: ZoneInfo) -> "Period":
        """The month before that of today."""
        at = now()
        last = month_start(at.astimezone(zone).date()) - timedelta(days=1)
        return cls(month_start(last), last, zone, at)

    def bounds(self) -> dict[str, Any]:
        """Parameters of the pieces: whole UTC days `day_from` to before `day_to`, and quarter-hours before and after them."""
        first = self.start.date() if self.start.time() == time() else self.start.date() + timedelta(days=1)
        last = self.end.date()
        if first < last:
            head = (self.start, day_start(first))
            tail = (day_start(last), self.end)
        else:
            first = last
            head, tail = (self.start, self.end), (self.end, self.end)
        return {
            "day_from": first, "day_to": last, "head_from": head[0], "head_to": head[1], "tail_from": tail[0], "tail_to": tail[1],
            "start": self.start, "end": self.end, "zone": self.zone.key,
        }  # fmt: skip

    def local_days(self) -> list[date]:
        """Every day of the range, those to come left out."""
        return [day for n in range(self.days) if self._midnight(day := self.first + timedelta(days=n)) < self.end]

    def span_of(self, day: date) -> tuple[datetime, datetime]:
        """When a day of the zone begins and ends."""
        return self._midnight(day), self._midnight(day + timedelta(days=1))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)
