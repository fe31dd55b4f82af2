"""What the status page says, from what was measured and what staff wrote. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from reseller.domain.uptime import PART_NAMES, Impact, PartStatus, ServiceStatus, State, ToldIncident
from reseller.tally import Part

ABOUT = {
    Part.API: "Calls that we took and answered, and what we add to each",
    Part.MODELS: "Calls that the models behind us answered, and how soon they began",
    Part.WEBSITE: "Pages of your account, and how soon they were there",
    Part.PAYMENTS: "Checkouts that opened and payments that arrived",
}
WORDS = {State.OPERATIONAL: "Operational", State.DEGRADED: "Degraded", State.DOWN: "Down", State.UNKNOWN: "Not known"}
TONES = {State.OPERATIONAL: "good", State.DEGRADED: "warn", State.DOWN: "bad", State.UNKNOWN: "quiet"}
WINDOWS = (("hour", "Last hour"), ("day", "Last day"), ("quarter", "90 days"))
HEADLINES = {
    State.OPERATIONAL: "Everything works",
    State.DEGRADED: "Something does not work as it should",
    State.DOWN: "Something is down",
    State.UNKNOWN: "We cannot tell just now",
}
WORST_FIRST = (State.DOWN, State.DEGRADED, State.UNKNOWN, State.OPERATIONAL)
OF_IMPACT = {Impact.MAJOR: State.DOWN, Impact.MINOR: State.DEGRADED, Impact.MAINTENANCE: State.OPERATIONAL}
GOOD, FAIR = Decimal("99.5"), Decimal(95)


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of a part: `tone` is good, warn, bad, or empty where nothing happened."""

    words: str
    tone: str


@dataclass(frozen=True, slots=True)
class Line:
    """One part as the page shows it."""

    part: Part
    name: str
    about: str
    state: State
    measured: PartStatus | None
    bars: Sequence[Bar]

    @property
    def state_words(self) -> str:
        return WORDS[self.state]

    @property
    def tone(self) -> str:
        return TONES[self.state]


@dataclass(frozen=True, slots=True)
class Shown:
    """The whole page. `as_of` is None if nothing was ever measured."""

    state: State
    as_of: datetime | None
    is_fresh: bool
    lines: Sequence[Line]
    open_incidents: Sequence[ToldIncident]
    past_incidents: Sequence[ToldIncident]
    windows: Sequence[tuple[str, str]] = WINDOWS

    @property
    def headline(self) -> str:
        return HEADLINES[self.state]

    @property
    def tone(self) -> str:
        return TONES[self.state]


def show(measured: ServiceStatus | None, incidents: Iterable[ToldIncident], *, is_known: bool, sells: bool) -> Shown:
    """Measured figures and incidents together: what staff say of a part counts, if it is worse. Without payments on offer nothing is
    said of them."""
    told = list(incidents)
    opened = [incident for incident in told if incident.is_open]
    found = {each.part: each for each in measured.parts} if measured else {}
    lines = [_line(part, found.get(part), opened, is_known=is_known) for part in Part if part != Part.PAYMENTS or sells]
    states = {line.state for line in lines}
    return Shown(
        state=next(state for state in WORST_FIRST if state in states),
        as_of=measured.made_at if measured else None,
        is_fresh=is_known and measured is not None and measured.is_fresh,
        lines=lines,
        open_incidents=opened,
        past_incidents=[incident for incident in told if not incident.is_open],
    )


def _line(part: Part, measured: PartStatus | None, opened: Sequence[ToldIncident], *, is_known: bool) -> Line:
    told = [OF_IMPACT[incident.impact] for incident in opened if part in incident.parts]
    own = measured.state if measured is not None and is_known else State.UNKNOWN
    state = next(state for state in WORST_FIRST if state in (own, *told))
    bars = [_bar(str(day.strftime("%-d %b %Y")), percent) for day, percent in measured.days] if measured else []
    return Line(part, PART_NAMES[part], ABOUT[part], state, measured, bars)


def _bar(day: str, percent: Decimal | None) -> Bar:
    if percent is None:
        return Bar(f"{day}: nothing happened", "empty")
    return Bar(f"{day}: {percent} %", "good" if percent >= GOOD else "warn" if percent >= FAIR else "bad")


def as_json(shown: Shown) -> dict[str, Any]:
    """The same for programs. Shares are decimal strings, null where nothing happened."""
    return {
        "status": shown.state,
        "as_of": _iso(shown.as_of),
        "is_fresh": shown.is_fresh,
        "components": [_component(line) for line in shown.lines],
        "incidents": [_incident(incident) for incident in (*shown.open_incidents, *shown.past_incidents)],
    }


def _component(line: Line) -> dict[str, Any]:
    windows = line.measured.windows if line.measured else {}
    return {
        "id": line.part,
        "name": line.name,
        "status": line.state,
        "windows": {
            name: {
                "good_percent": None if window.good_percent is None else str(window.good_percent),
                "median_ms": window.median_ms,
                "p95_ms": window.slow_ms,
            }
            for name, window in windows.items()
        },
    }


def _incident(incident: ToldIncident) -> dict[str, Any]:
    return {
        "id": str(incident.id),
        "title": incident.title,
        "impact": incident.impact,
        "components": list(incident.parts),
        "status": incident.state,
        "created_at": _iso(incident.created_at),
        "resolved_at": _iso(incident.resolved_at),
        "updates": [{"status": each.state, "words": each.words, "created_at": _iso(each.created_at)} for each in incident.updates],
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
