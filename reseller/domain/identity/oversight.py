"""What an admin does to the sign-in of another person: end their sessions, take away a lost authenticator. Never to their own."""

from uuid import UUID

from reseller.database import transaction
from reseller.domain import accounts, staff
from reseller.domain.accounts import User
from reseller.domain.identity import second_factor, sessions
from reseller.errors import Forbidden, InvalidRequest, NotFound


def end_sessions(user_id: UUID, *, actor: str, reason: str) -> int:
    """The person is signed out everywhere; how many sessions that ended.

    Raises Forbidden for oneself, InvalidRequest without a reason, NotFound for nobody.
    """
    reason = _checked(user_id, actor, reason)
    with transaction() as session:
        if session.get(User, user_id) is None:
            raise NotFound("There is no such person.")
        ended = sessions.end_all(user_id)
        accounts.record(actor, "user.end_sessions", user_id, reason=reason, changes={"sessions": [ended, 0]})
        return ended


def reset_second_factor(user_id: UUID, *, actor: str, reason: str) -> int:
    """The person has no authenticator and enrols anew at their next sign-in; how many sessions that ended. Raises as `end_sessions`."""
    reason = _checked(user_id, actor, reason)
    return second_factor.reset(user_id, actor=actor, reason=reason)


def _checked(user_id: UUID, actor: str, reason: str) -> str:
    if actor == staff.actor_of(user_id):
        raise Forbidden("This is for others. Your own sessions and authenticator are on your own page, Settings.")
    if not reason.strip():
        raise InvalidRequest("Say why; the audit log keeps it.", param="reason")
    return reason.strip()
