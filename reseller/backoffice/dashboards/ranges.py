"""Which days a page of figures is about: presets, or days of one's own, in the viewer's zone."""

from dataclasses import dataclass
from datetime import date

from flask import flash, request

from reseller.clock import now
from reseller.domain.desk.figures import Period
from reseller.domain.usage.period import MAX_DAYS, PRESETS
from reseller.web.formats import viewer_zone

DEFAULT = "30"
LABELS = {"today": "Today", "7": "7 days", "30": "30 days", "90": "90 days"}


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
            return _own(date.fromisoformat(first), date.fromisoformat(last))
        except ValueError:
            flash("Give a first and a last day, at most a year, that are not in the future. Showing the last 30 days.", "error")
    preset = request.args.get("range", DEFAULT)
    preset = preset if preset in PRESETS else DEFAULT
    return Chosen(Period.latest(PRESETS[preset], viewer_zone()), preset, {"range": preset})


def _own(first: date, last: date) -> Chosen:
    at, zone = now(), viewer_zone()
    if not first <= last <= at.astimezone(zone).date() or (last - first).days >= MAX_DAYS or first.year < 2000:
        raise ValueError(first, last)
    return Chosen(Period(first, last, zone, at), None, {"from": first.isoformat(), "to": last.isoformat()})
