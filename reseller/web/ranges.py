"""Which days a page of figures is about: presets, or days of one's own, in the viewer's zone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from flask import flash, request

from reseller.clock import now
from reseller.domain.usage.period import MAX_DAYS, Period
from reseller.web.formats import viewer_zone

FIRST_YEAR = 2000
DEFAULT = "30"
LABELS = {"today": "Today", "7": "7 days", "30": "30 days", "90": "90 days", "month": "This month", "last-month": "Last month"}
PRESETS: dict[str, Callable[[ZoneInfo], Period]] = {
    "today": lambda zone: Period.latest(1, zone),
    "7": lambda zone: Period.latest(7, zone),
    "30": lambda zone: Period.latest(30, zone),
    "90": lambda zone: Period.latest(90, zone),
    "month": Period.this_month,
    "last-month": Period.last_month,
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The range of this request, and the arguments that lead to it again."""

    period: Period
    preset: str | None
    args: dict[str, str]


def chosen() -> Chosen:
    """What the address asks for; what it cannot mean is told and left out."""
    first, last = request.args.get("from", ""), request.args.get("to", "")
    if first or last:
        try:
            return _own(first, last)
        except ValueError as problem:
            flash(f"{problem} Showing the last 30 days.", "error")
    preset = request.args.get("range", DEFAULT)
    preset = preset if preset in PRESETS else DEFAULT
    return Chosen(PRESETS[preset](viewer_zone()), preset, {"range": preset})


def _own(first_text: str, last_text: str) -> Chosen:
    """These two days. Raises ValueError with a sentence for people."""
    at, zone = now(), viewer_zone()
    first, last = _day(first_text, "first"), _day(last_text, "last")
    if first > last:
        raise ValueError("The first day is after the last one.")
    if last > at.astimezone(zone).date():
        raise ValueError("The last day is in the future.")
    if first.year < FIRST_YEAR or (last - first).days >= MAX_DAYS:
        raise ValueError(f"A range is at most {MAX_DAYS} days.")
    return Chosen(Period(first, last, zone, at), None, {"from": first.isoformat(), "to": last.isoformat()})


def _day(text: str, which: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"Give a {which} day such as 2026-11-22.") from None
