"""When what happened to one call, in milliseconds since it came in. Pure.

All but the last step were measured by the process that had the call, with a clock that never jumps; "settled" is
the database's clock against that process's, so the two may differ by as much as those clocks do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_MARKS = (
    ("admitted_ms", "admitted", "checked against account, key, limits and balance; the hold is committed"),
    ("sent_ms", "sent", "the rebuilt request goes to the upstream"),
    ("first_byte_ms", "first byte", "the upstream begins to answer"),
    ("ended_ms", "ended", "the answer is over, or the client has left"),
    ("refused_ms", "refused", "nothing was sent, held or charged"),
)
_CLOCKS_APART_MS = 5_000.0


@dataclass(frozen=True, slots=True)
class Step:
    """`took_ms` is since the step before; `share` of the whole time in percent, for a bar."""

    name: str
    words: str
    at_ms: float
    took_ms: float


def timeline_of(received_at: datetime, marks: Mapping[str, Any], settled_at: datetime | None) -> tuple[Step, ...]:
    """The steps that are known, in order; a call without marks has but its beginning and its end."""
    seen = [("received", "the request's head and body are here", 0.0)]
    seen += [(name, words, float(marks[mark])) for mark, name, words in _MARKS if isinstance(marks.get(mark), (int, float))]
    is_refused = "refused_ms" in marks
    if settled_at is not None and not is_refused:
        last = seen[-1][2]
        at = (settled_at - received_at).total_seconds() * 1000
        if at > last - _CLOCKS_APART_MS:
            seen.append(("settled", "charge, usage row and release of the hold, in one commit", max(at, last)))
    steps = []
    before = 0.0
    for name, words, at_ms in seen:
        steps.append(Step(name, words, at_ms, max(at_ms - before, 0.0)))
        before = at_ms
    return tuple(steps)
