"""Alarms as they are sounded: a log line, a figure, and a note in memory that the process's heart writes down within a second.

Whoever sounds one waits for nothing: no database, no socket, and a call that sounds one gets no slower. Without a database the
notes stay here, one for each alarm and subject and at most MAX_KEPT, until it is back. A process that is killed loses those of
its last second, which its log has. What becomes of an alarm is `domain/alarms`.

Safe from every thread: each step on the notes is one step of the interpreter. Two threads at once may count one too few.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog

from config.logging import mask
from reseller import metrics
from reseller.clock import now

MAX_KEPT = 500
MANY = "and others"
"""The subject that stands for all beyond MAX_KEPT."""
MAX_SUBJECT_CHARACTERS, MAX_WORDS_CHARACTERS = 200, 500

log = structlog.get_logger()


@dataclass(slots=True)
class Sighting:
    """One alarm about one subject, as often as it was sounded since the last time somebody took these."""

    alarm: str
    subject: str  # what it is about, such as an upstream's name; "" for the whole shop
    words: str  # of the last time
    count: int
    first_at: datetime
    last_at: datetime


_sightings: dict[tuple[str, str], Sighting] = {}


def sound(alarm: str, subject: str = "", words: str = "", **facts: object) -> None:
    """Staff will hear of it; `facts` are for the log alone."""
    told = {"subject": subject, "words": words}
    log.error("alarm", alarm=alarm, **{name: value for name, value in told.items() if value}, **facts)
    note(alarm, subject, words)


def note(alarm: str, subject: str = "", words: str = "") -> None:
    """The same without the log line, for whoever writes one of their own."""
    metrics.count(metrics.ALARMS, alarm)
    at, subject, words = now(), plain(subject, MAX_SUBJECT_CHARACTERS), plain(words, MAX_WORDS_CHARACTERS)
    _add(Sighting(alarm, subject, words, 1, at, at))


def take() -> list[Sighting]:
    """Everything sounded since the last time; whoever takes it writes it down or gives it back."""
    taken = []
    while _sightings:
        try:
            taken.append(_sightings.popitem()[1])
        except KeyError:  # another thread was quicker
            break
    return taken


def give_back(sightings: list[Sighting]) -> None:
    """What could not be written down is there for the next time."""
    for each in sightings:
        _add(each)


def _add(new: Sighting) -> None:
    key = (new.alarm, new.subject)
    kept = _sightings.get(key)
    if kept is None and len(_sightings) >= MAX_KEPT:
        key, new.subject = (new.alarm, MANY), MANY
        kept = _sightings.get(key)
    if kept is None:
        _sightings[key] = new
        return
    kept.count += new.count
    kept.first_at = min(kept.first_at, new.first_at)
    if new.last_at >= kept.last_at:
        kept.last_at, kept.words = new.last_at, new.words


def plain(text: str, most: int) -> str:
    """Storable, without secrets, and not endless."""
    return mask(text.encode("utf-8", "replace").decode().replace("\x00", " "))[:most]
