"""Incidents: staff open one, write what they know, and resolve it. Everybody may read them; what was written stays as it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, Row, select, text

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.uptime.tables import Incident, IncidentUpdate
from reseller.errors import Conflict, InvalidRequest, NotFound
from reseller.tally import Part

MAX_TITLE_CHARACTERS = 120
MAX_WORDS_CHARACTERS = 2_000
MOST_SHOWN = 50


PART_NAMES = {Part.API: "API", Part.MODELS: "Models", Part.WEBSITE: "Website", Part.PAYMENTS: "Payments"}
"""What people call the parts."""


class Impact(StrEnum):
    MINOR = "minor"  # some calls or pages fail, or are slow
    MAJOR = "major"  # most do
    MAINTENANCE = "maintenance"  # planned work


class IncidentState(StrEnum):
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    WATCHING = "watching"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class IncidentDraft:
    """What somebody of staff wants to tell."""

    title: str
    impact: str
    parts: Sequence[str]
    words: str


@dataclass(frozen=True, slots=True)
class ToldUpdate:
    """One thing that was written."""

    state: IncidentState
    words: str
    created_at: datetime
    author: str | None = None  # for staff alone


@dataclass(frozen=True, slots=True)
class ToldIncident:
    """An incident with what was written about it, newest first."""

    id: UUID
    title: str
    impact: Impact
    parts: tuple[Part, ...]
    state: IncidentState
    created_at: datetime
    resolved_at: datetime | None
    version: int
    updates: tuple[ToldUpdate, ...]

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None

    @property
    def part_names(self) -> list[str]:
        return [PART_NAMES[part] for part in self.parts]


def open_incident(draft: IncidentDraft, *, user_id: UUID) -> UUID:
    """Everybody can read it within seconds; its id. Raises InvalidRequest; its `param` names what is wrong."""
    title = _bounded(draft.title, "title", MAX_TITLE_CHARACTERS)
    words = _bounded(draft.words, "words", MAX_WORDS_CHARACTERS)
    impact, parts = _impact(draft.impact), _parts(draft.parts)
    with transaction() as session:
        incident = Incident(title=title, impact=impact, parts=parts, state=IncidentState.INVESTIGATING)
        session.add(incident)
        session.flush()
        _write(incident, words, user_id)
        changes = {"title": [None, title], "impact": [None, impact], "parts": [None, ", ".join(parts)]}
        staff.record(staff.actor_of(user_id), "incident.open", "incident", incident.id, reason=words[:500], changes=changes)
        return incident.id


def add_update(incident_id: UUID, *, state: str, impact: str, words: str, user_id: UUID, seen_version: int) -> None:
    """The incident stands so now, and everybody can read why. Resolved ones are closed for good.

    Raises NotFound, InvalidRequest, and Conflict if it is resolved or somebody wrote in the meantime.
    """
    words = _bounded(words, "words", MAX_WORDS_CHARACTERS)
    if state not in set(IncidentState):
        raise InvalidRequest("Say how it stands now.", param="state")
    with transaction() as session:
        incident = session.get(Incident, incident_id, with_for_update=True)
        if incident is None:
            raise NotFound("There is no such incident.")
        if incident.resolved_at is not None:
            raise Conflict("This incident is resolved. Open another one if it is back.")
        incident.claim(seen_version)
        changes = {"state": [incident.state, state], "impact": [incident.impact, _impact(impact)]}
        incident.state, incident.impact = state, _impact(impact)
        incident.resolved_at = now() if state == IncidentState.RESOLVED else None
        session.flush()
        _write(incident, words, user_id)
        verb = "resolve" if state == IncidentState.RESOLVED else "update"
        moved = {name: pair for name, pair in changes.items() if pair[0] != pair[1]}
        staff.record(staff.actor_of(user_id), f"incident.{verb}", "incident", incident.id, reason=words[:500], changes=moved)


def recent(since: timedelta, *, connection: Connection | None = None) -> tuple[ToldIncident, ...]:
    """Open incidents and those opened since then, the open ones first, then newest first; the last MOST_SHOWN."""
    query = select(*_COLUMNS).where(Incident.resolved_at.is_(None) | (Incident.created_at >= now() - since))
    return _told(query.order_by(Incident.resolved_at.is_not(None), Incident.id.desc()).limit(MOST_SHOWN), connection)


def open_now(*, connection: Connection | None = None) -> tuple[ToldIncident, ...]:
    """What is not resolved yet, newest first."""
    return _told(select(*_COLUMNS).where(Incident.resolved_at.is_(None)).order_by(Incident.id.desc()).limit(MOST_SHOWN), connection)


def one(incident_id: UUID) -> ToldIncident:
    """Raises NotFound."""
    found = _told(select(*_COLUMNS).where(Incident.id == incident_id), None)
    if not found:
        raise NotFound("There is no such incident.")
    return found[0]


_COLUMNS = (
    Incident.id, Incident.title, Incident.impact, Incident.parts, Incident.state, Incident.created_at, Incident.resolved_at,
    Incident.version,
)  # fmt: skip
_UPDATES = text(
    """SELECT i.incident_id, i.state, i.words, i.created_at, u.email FROM incident_updates i JOIN users u ON u.id = i.author_id
        WHERE i.incident_id = ANY(:ids) ORDER BY i.id DESC"""
)


def _told(query: object, connection: Connection | None) -> tuple[ToldIncident, ...]:
    if connection is not None:
        return _read(connection, query)
    with transaction() as session:
        return _read(session.connection(), query)


def _read(connection: Connection, query: object) -> tuple[ToldIncident, ...]:
    rows = connection.execute(query).all()  # type: ignore[call-overload]
    updates: dict[UUID, list[ToldUpdate]] = {row.id: [] for row in rows}
    for row in connection.execute(_UPDATES, {"ids": list(updates)}):
        updates[row.incident_id].append(ToldUpdate(IncidentState(row.state), row.words, row.created_at, row.email))
    return tuple(_incident(row, tuple(updates[row.id])) for row in rows)


def _incident(row: Row[tuple[object, ...]], updates: tuple[ToldUpdate, ...]) -> ToldIncident:
    return ToldIncident(
        id=row.id,
        title=row.title,
        impact=Impact(row.impact),
        parts=tuple(Part(part) for part in row.parts),
        state=IncidentState(row.state),
        created_at=row.created_at,
        resolved_at=row.resolved_at,
        version=row.version,
        updates=updates,
    )


def _write(incident: Incident, words: str, user_id: UUID) -> None:
    with transaction() as session:
        session.add(IncidentUpdate(incident_id=incident.id, state=incident.state, words=words, author_id=user_id))


def _bounded(given: str, param: str, most: int) -> str:
    said = given.strip()
    if not 0 < len(said) <= most or "\x00" in said:
        raise InvalidRequest(f"Write 1 to {most:,} characters.", param=param)
    return said


def _impact(given: str) -> Impact:
    if given not in set(Impact):
        raise InvalidRequest("Say how bad it is.", param="impact")
    return Impact(given)


def _parts(given: Sequence[str]) -> list[str]:
    known = [part.value for part in Part if part.value in given]
    if not known or len(known) != len(set(given)):
        raise InvalidRequest("Say which parts of the service it is about.", param="parts")
    return known
