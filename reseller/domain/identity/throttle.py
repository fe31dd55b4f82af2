"""Brakes on guessing passwords and codes: failures counted in the database, so that they hold in every process.

Each attempt is counted before it is looked at and given back when it succeeds, so a thousand at once get no more
guesses than a thousand in a row. An attempt that is refused is not counted: who waits gets in.

Nobody can be locked out for ever by failures that somebody else makes. A browser in which a person has signed in
before (a sealed cookie says so) counts for itself alone; strangers' failures fill only the strangers' counts. Of those,
one network fills its own for a mailbox (`here`) long before the one that all networks share (`account`). Every count
starts anew when its time is over, and a new password from an operator clears those of the mailbox.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from itertools import groupby
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, delete, or_, select, text, update

from reseller.database import transaction
from reseller.digest import digest_of
from reseller.domain.accounts import normal_email
from reseller.domain.identity.tables import Throttle
from reseller.errors import InvalidRequest, TooManyFailures

log = structlog.get_logger()

QUARTER, HOUR, DAY = 900, 3_600, 86_400
FEW_LETTERS = 2  # of one network to one mailbox in a day

_LOOK = text(
    """SELECT name, failures, extract(epoch FROM started_at + make_interval(secs => :seconds) - now())::float8 AS wait_seconds
         FROM throttles WHERE name = ANY(:names) AND started_at > now() - make_interval(secs => :seconds)"""
)
_COUNT = text(
    """INSERT INTO throttles AS t (name, started_at, failures)
       SELECT name, now(), 1 FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS given (name, place) ORDER BY place
       ON CONFLICT (name) DO UPDATE SET
              failures = CASE WHEN t.started_at <= now() - make_interval(secs => :seconds) THEN 1 ELSE t.failures + 1 END,
              started_at = CASE WHEN t.started_at <= now() - make_interval(secs => :seconds) THEN now() ELSE t.started_at END
       RETURNING name, failures, extract(epoch FROM t.started_at + make_interval(secs => :seconds) - now())::float8 AS wait_seconds"""
)
_PRUNE = text("DELETE FROM throttles WHERE started_at < now() - make_interval(secs => :seconds)")


@dataclass(frozen=True, slots=True)
class Brake:
    """At most `limit` failures under a name within `seconds` of the first."""

    name: str
    limit: int
    seconds: int = QUARTER
    is_shared: bool = False  # by several people: one's success does not clear what others failed


def password_brakes(email: str, address: str, browser: str | None) -> tuple[Brake, ...]:
    """Who is counted for a password: the known browser, or else the network, the network at this mailbox, and the mailbox.

    Locked always in this order, so that attempts never wait for each other in a circle.
    """
    if browser is not None:
        return (Brake(f"browser:{browser}", 10),)
    network, mailbox = network_of(address), mailbox_of(email)
    return Brake(f"address:{network}", 50, is_shared=True), Brake(f"here:{mailbox}:{network}", 10), Brake(f"account:{mailbox}", 100)


def code_brakes(user_id: UUID, browser: str | None) -> tuple[Brake, ...]:
    """Who is counted for a code or the own password again: three of a million codes are right, so a year of guessing must not reach one."""
    whose = f"browser:{browser}" if browser is not None else f"person:{user_id}"
    return Brake(f"codes:{whose}", 5), Brake(f"codes-a-day:{whose}", 20, DAY)


def provider_brakes(address: str) -> tuple[Brake, ...]:
    """Who is counted for coming back from a provider without a proof: each time, we ask the provider something."""
    return (Brake(f"provider:{network_of(address)}", 30, is_shared=True),)


def ask_letter(email: str, address: str, browser: str | None) -> None:
    """A letter to this mailbox may go out and is counted: none is flooded, and no network floods many. Raises TooManyFailures.

    A known browser counts for itself. Of strangers' letters, the first few that a network asks for in a day have places
    of their own, which it takes many networks to fill; else four of them kept everybody from a letter for a day.
    Nothing is given back. The same whether the mailbox is somebody's or not.
    """
    mailbox = mailbox_of(email)
    whose = f"browser:{browser}" if browser is not None else f"{mailbox}:{network_of(address)}"
    here, today = Brake(f"letters-here:{whose}", 5, HOUR), Brake(f"letters-today:{whose}", 20, DAY)
    if browser is not None:
        attempt((here, today))
        return
    with transaction() as session:
        attempt((Brake(f"letters-from:{network_of(address)}", 30, HOUR, is_shared=True), here, today))
        asked = session.scalar(select(Throttle.failures).where(Throttle.name == today.name)) or 0
        attempt((Brake(f"letters-few-to:{mailbox}", 60, DAY) if asked <= FEW_LETTERS else Brake(f"letters-to:{mailbox}", 20, DAY),))


def attempt(brakes: Sequence[Brake]) -> None:
    """The attempt may be made and counts as a failure until `succeed`. Raises TooManyFailures, and then counts nothing.

    Looked at first without a lock, so that a flood of attempts that are refused anyway writes nothing and waits for nobody.
    """
    with transaction() as session:
        for seconds, group in groupby(brakes, key=lambda brake: brake.seconds):
            limits = {brake.name: brake.limit for brake in group}
            given = {"names": list(limits), "seconds": seconds}
            for row in session.execute(_LOOK, given):
                _refuse_beyond(limits[row.name] - 1, row)
            for row in session.execute(_COUNT, given):
                _refuse_beyond(limits[row.name], row)


def _refuse_beyond(limit: int, row: Row[Any]) -> None:
    if row.failures > limit:
        log.warning("guessing_braked", brake=row.name, wait_seconds=round(row.wait_seconds))
        raise TooManyFailures(f"Too many attempts. Try again in {_in_words(row.wait_seconds)}.", retry_after_seconds=row.wait_seconds)


def succeed(brakes: Sequence[Brake]) -> None:
    """The attempt was no failure: counts that are somebody's own begin anew, shared ones give it back."""
    with transaction() as session:
        for brake in brakes:
            if brake.is_shared:
                given_back = update(Throttle).where(Throttle.name == brake.name, Throttle.failures > 0)
                session.execute(given_back.values(failures=Throttle.failures - 1))
            else:
                session.execute(delete(Throttle).where(Throttle.name == brake.name))


def forgive(email: str) -> None:
    """Strangers may try this mailbox anew: it has a new password."""
    mailbox = mailbox_of(email)
    with transaction() as session:
        session.execute(delete(Throttle).where(or_(Throttle.name == f"account:{mailbox}", Throttle.name.startswith(f"here:{mailbox}:"))))


def forget_old() -> int:
    """Counts whose time is over are gone; how many were."""
    with transaction() as session:
        return int(session.execute(_PRUNE, {"seconds": DAY}).rowcount)  # type: ignore[attr-defined]


def mailbox_of(email: str) -> str:
    """An e-mail address as counts and cookies name it: in any spelling that sign-in takes for it the same, and not the address itself."""
    plain = email.strip().lower()
    with contextlib.suppress(InvalidRequest):  # nobody's address; its failures are counted under what was typed
        plain = normal_email(plain)
    return digest_of(plain)


def network_of(address: str) -> str:
    """The address; of IPv6 the first 64 bits, since whoever has one address there has them all."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:100]
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))


def _in_words(seconds: float) -> str:
    if seconds < 60:
        return "a minute"
    return f"{-int(-seconds // 60)} minutes" if seconds < 7200 else f"{-int(-seconds // 3600)} hours"
