"""A person's role in the back office. Changing it ends their sessions, so nobody goes on with rights they no longer have (R24, R26)."""

from uuid import UUID

from sqlalchemy import select

from reseller.database import transaction
from reseller.domain import accounts, staff
from reseller.domain.accounts import Role, User
from reseller.domain.identity import links, sessions
from reseller.errors import Conflict, Forbidden, InvalidRequest, NotFound


def change_role(user_id: UUID, role: Role, *, seen_version: int | None, actor: str, reason: str) -> int:
    """The person has this role from their next sign-in on; how many sessions ended.

    Nobody changes their own role, and one admin always stays: Forbidden and Conflict. Conflict also if somebody else
    changed the person in the meantime, InvalidRequest without a reason, NotFound for nobody.
    """
    if actor == staff.actor_of(user_id):
        raise Forbidden("Nobody changes their own role. Another admin can.")
    if not reason.strip():
        raise InvalidRequest("Say why; the audit log keeps it.", param="reason")
    with transaction() as session:
        # Every admin's row is locked first, and always in this order: two admins who demote each other wait for one another here.
        admins = list(session.scalars(select(User.id).where(User.role == Role.ADMIN).order_by(User.id).with_for_update()))
        user = session.get(User, user_id, with_for_update=True, populate_existing=True)
        if user is None:
            raise NotFound("There is no such person.")
        before = Role(user.role)
        if before == role:
            raise Conflict(f"{user.email} has the role {role} already.")
        if admins == [user_id]:
            raise Conflict("This is the last admin. Make another person an admin first.")
        user.claim(seen_version)
        user.role = role
        accounts.record(actor, "user.change_role", user_id, reason=reason.strip(), changes={"role": [before, role]})
        links.void(user_id)  # made for somebody who was less
        return sessions.end_all(user_id)
