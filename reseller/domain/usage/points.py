"""The days and hours of somebody's time zone as instants, so that quarter-hours can be counted into them. Pure.

The database counts by instants and knows no zones: there is one calendar, Python's, and days on which clocks change are as
long as they are. Where an hour comes twice, both are one point; where one is missing, there is none.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

ZONES = frozenset(zone for zone in available_timezones() if "/" in zone) | {"UTC"}  # a server's own (localtime) is nobody's
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Points:
    """Local times of day in order (`locals`), and the instants at which they begin."""

    local: tuple[datetime, ...]
    starts: tuple[datetime, ...]


def zone_named(name: str) -> ZoneInfo:
    """The zone of this IANA name. Raises ValueError for what is none: names are not looked up as paths."""
    if name not in ZONES:
        raise ValueError(f"no time zone: {name!r}")
    return ZoneInfo(name)


def days(first: date, last: date, zone: ZoneInfo) -> Points:
    """A point for each day."""
    return _points(first, last, zone, timedelta(days=1))


def hours(first: date, last: date, zone: ZoneInfo) -> Points:
    """A point for each hour of these days."""
    return _points(first, last, zone, HOUR)


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """When the day begins in the zone."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _points(first: date, last: date, zone: ZoneInfo, step: timedelta) -> Points:
    found: dict[datetime, datetime] = {}
    local, end = datetime.combine(first, time()), datetime.combine(last, time()) + timedelta(days=1)
    while local < end:
        found[local.replace(tzinfo=zone).astimezone(UTC)] = local  # the later of two names for one instant is the one on the clock
        local += step
    return Points(tuple(found.values()), tuple(found))
