"""Links in letters: whoever opens one reads the mailbox it was sent to. Only digests of their tokens are kept.

A link is for one purpose and works once; a newer one of the same purpose, or a change of the address it is about, voids it.
Looking at one changes nothing, since mail scanners look at every link.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update

from reseller.clock import now
from reseller.database import forget_rows, transaction
from reseller.digest import digest_of
from reseller.domain.accounts import User
from reseller.domain.identity.tables import Link
from reseller.errors import NotFound

NO_LINK = "This link does not work any more. Links work once, for a while, and only the newest one does."


class Purpose(StrEnum):
    VERIFY = "verify_address"
    RESET = "reset_password"
    CHANGE_ADDRESS = "change_address"


LASTS = {Purpose.VERIFY: timedelta(hours=24), Purpose.RESET: timedelta(hours=1), Purpose.CHANGE_ADDRESS: timedelta(hours=24)}


@dataclass(frozen=True, slots=True)
class Opened:
    """What a link is about. `is_of` says whether it was asked for from this browser."""

    user_id: UUID
    email: str  # the address whose mailbox it was sent to
    browser_digest: str

    def is_of(self, browser: str | None) -> bool:
        """Whether this browser asked for the link; never for one that no browser asked for."""
        return bool(browser) and bool(self.browser_digest) and secrets.compare_digest(self.browser_digest, digest_of(browser or ""))


def make(user_id: UUID, purpose: Purpose, email: str, *, browser: str | None = None) -> str:
    """The token of a new link; older ones of this purpose are void. `browser`: a secret of the browser that asked for it."""
    token = secrets.token_urlsafe(32)
    with transaction() as session:
        void(user_id, purpose)
        session.add(
            Link(
                token_digest=digest_of(token),
                purpose=purpose,
                user_id=user_id,
                email=email,
                browser_digest=digest_of(browser) if browser else "",
                expires_at=now() + LASTS[purpose],
            )
        )
    return token


def look(token: str, purpose: Purpose) -> Opened:
    """What the link is about. Raises NotFound if it does not work."""
    with transaction() as session:
        row = session.scalar(select(Link).where(*_works(token, purpose)))
        if row is None:
            raise NotFound(NO_LINK)
        return Opened(row.user_id, row.email, row.browser_digest)


def use(token: str, purpose: Purpose) -> Opened:
    """The same, and the link does not work any more. Raises NotFound: of two at once for one of them.

    The person's row is locked first, as by everything else that voids links, so that nobody waits in a circle.
    """
    with transaction() as session:
        opened = look(token, purpose)
        session.get(User, opened.user_id, with_for_update=True, populate_existing=True)
        used = session.execute(update(Link).where(*_works(token, purpose)).values(used_at=now()))
        if used.rowcount != 1:  # type: ignore[attr-defined]
            raise NotFound(NO_LINK)
        return opened


def void(user_id: UUID, purpose: Purpose | None = None) -> None:
    """No link of the person's works any more, or none of this purpose."""
    with transaction() as session:
        query = delete(Link).where(Link.user_id == user_id)
        session.execute(query if purpose is None else query.where(Link.purpose == purpose))


def void_everybodys() -> int:
    """No link of anybody's works any more; how many there were. For a database that went back in time: some were used since."""
    with transaction() as session:
        return int(session.execute(delete(Link)).rowcount)  # type: ignore[attr-defined]


def forget_old() -> int:
    """Links whose time is over have no row; how many had."""
    return forget_rows(Link, Link.expires_at <= now())


def _works(token: str, purpose: Purpose) -> tuple[ColumnElement[bool], ...]:
    return Link.token_digest == digest_of(token), Link.purpose == purpose, Link.used_at.is_(None), Link.expires_at > now()
