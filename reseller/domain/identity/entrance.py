"""Coming in and going out, each with its audit row: the first step, the second step, and showing it again."""

from uuid import UUID

from reseller.database import transaction
from reseller.domain import accounts, staff
from reseller.domain.identity import links, recovery_codes, second_factor, sessions
from reseller.domain.identity.links import Purpose
from reseller.domain.identity.sealing import Seal
from reseller.errors import Forbidden


def enter(user_id: UUID, *, address: str, user_agent: str, provider: str | None = None) -> str:
    """The token of a new session of somebody who has proved their password, or for whom the provider of this name has vouched.

    Raises Forbidden while their address is not verified.
    """
    with transaction():
        if not accounts.is_verified(user_id):
            raise Forbidden("This address is not verified yet. The letter we sent there has a link that does it.")
        token = sessions.begin(user_id, address=address, user_agent=user_agent)
        _record(user_id, "user.sign_in", **({} if provider is None else {"by": provider}))
    return token


def show_second_factor(session_id: UUID, user_id: UUID, code: str, *, seal: Seal) -> str | None:
    """The session's new token if this is a fresh code of the authenticator or an unused recovery code; None if it is neither."""
    with transaction():
        by = _means(user_id, code, seal)
        if by is None:
            return None
        _record(user_id, "user.show_second_factor", by=by)
        return sessions.raise_to_second_factor(session_id)


def confirm(session_id: UUID, user_id: UUID, *, by: str = "password") -> str:
    """The session's new token after somebody without an authenticator has proved again what they sign in with."""
    with transaction():
        _record(user_id, "user.confirm", by=by)
        return sessions.confirm(session_id)


def leave(session_id: UUID, user_id: UUID) -> None:
    """The session is over."""
    with transaction():
        if sessions.end(session_id, user_id=user_id):
            _record(user_id, "user.sign_out")


def end_session(session_id: UUID, user_id: UUID) -> bool:
    """Another session of the person is over; False if it was none of theirs."""
    with transaction():
        has_ended = sessions.end(session_id, user_id=user_id)
        if has_ended:
            _record(user_id, "user.end_session")
        return has_ended


def end_others(session_id: UUID, user_id: UUID) -> int:
    """Every session of the person but this one is over; how many were."""
    with transaction():
        ended = sessions.end_all(user_id, but=session_id)
        links.void(user_id, Purpose.CHANGE_ADDRESS)  # whoever is signed out may have asked for it
        _record(user_id, "user.end_other_sessions", ended=ended)
        return ended


def _means(user_id: UUID, code: str, seal: Seal) -> str | None:
    if recovery_codes.use(user_id, code):
        return "recovery code"
    return "authenticator" if second_factor.shown(user_id, code, seal=seal) else None


def _record(user_id: UUID, action: str, **facts: object) -> None:
    changes = {name: [None, value] for name, value in facts.items()}
    accounts.record(staff.actor_of(user_id), action, user_id, changes=changes)
