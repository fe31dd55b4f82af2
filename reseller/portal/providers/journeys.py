"""What a browser carries while it is at a provider: sealed in its session, good for minutes, and for one return.

The `state` in the address proves nothing by itself: it has to be the one that this browser set out with, for the same
provider. So nobody is signed in by an address that somebody else sends them (login CSRF).
"""

import hmac
import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from flask import session

from reseller.clients.providers import Journey
from reseller.domain.identity.sealing import Broken
from reseller.portal import acting

KEPT = "journey"
LASTS = timedelta(minutes=15)
MAX_ONWARDS_CHARACTERS = 1_000
"""A sealed path is longer than the path, and browsers drop cookies above 4,096 bytes."""


class Purpose(StrEnum):
    ENTER = "enter"
    LINK = "link"
    CONFIRM = "confirm"


@dataclass(frozen=True, slots=True)
class Underway:
    """One journey to a provider. `session_id`: whose session it began in, if the person was signed in."""

    provider: str
    purpose: Purpose
    journey: Journey
    onwards: str
    session_id: UUID | None = None


def keep(underway: Underway) -> None:
    """This browser is underway; on an earlier journey it is no longer."""
    facts = asdict(underway) | {"session_id": str(underway.session_id or "")}
    session[KEPT] = acting.seal(KEPT).close(json.dumps(facts))


def end(provider: str, state: str) -> Underway | None:
    """The journey that ends here, once; None if this browser did not set out to this provider with this state, or took too long."""
    try:
        facts = json.loads(acting.seal(KEPT).open(session.get(KEPT, ""), within=LASTS))
    except Broken:
        return None
    journey = Journey(**facts["journey"])
    if facts["provider"] != provider or not hmac.compare_digest(journey.state.encode(), state.encode()):
        return None
    session.pop(KEPT)
    session_id = facts["session_id"]
    return Underway(provider, Purpose(facts["purpose"]), journey, facts["onwards"], UUID(session_id) if session_id else None)
