"""What went well and what failed of each part of the service that customers see: noted as it happens, until a heart hands it over.

For the public status page. A process that is killed loses a second of it; a database that is down gets it later.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from reseller.clock import now

SLOT = timedelta(minutes=5)
MOST_SLOTS = 2_000
"""A week without a database, of all parts; then the oldest is forgotten."""
MOST_DURATIONS = 5_000


class Part(StrEnum):
    API = "api"
    MODELS = "models"
    WEBSITE = "website"
    PAYMENTS = "payments"


@dataclass(slots=True)
class Noted:
    """Of one part in one slot."""

    good: int = 0
    bad: int = 0
    milliseconds: list[float] = field(default_factory=list)  # of those that went well, the first MOST_DURATIONS


Slot = tuple[Part, datetime]

_noted: dict[Slot, Noted] = {}


def note(part: Part, *, is_good: bool, milliseconds: float | None = None) -> None:
    """One more of that part has ended so."""
    noted = _noted_of((part, slot_of(now())))
    if not is_good:
        noted.bad += 1
        return
    noted.good += 1
    if milliseconds is not None and len(noted.milliseconds) < MOST_DURATIONS:
        noted.milliseconds.append(milliseconds)


def take() -> dict[Slot, Noted]:
    """Everything noted so far; it is not here any more."""
    taken = dict(_noted)
    _noted.clear()
    return taken


def give_back(taken: dict[Slot, Noted]) -> None:
    """It could not be kept elsewhere yet."""
    for slot, noted in taken.items():
        kept = _noted_of(slot)
        kept.good += noted.good
        kept.bad += noted.bad
        kept.milliseconds = (kept.milliseconds + noted.milliseconds)[:MOST_DURATIONS]


def slot_of(at: datetime) -> datetime:
    """When the slot of this instant begins."""
    return at - (at - at.replace(minute=0, second=0, microsecond=0)) % SLOT


def _noted_of(slot: Slot) -> Noted:
    noted = _noted.get(slot)
    if noted is None:
        while len(_noted) >= MOST_SLOTS:
            del _noted[next(iter(_noted))]
        noted = _noted[slot] = Noted()
    return noted
