"""People and what guards their doors: role, second factor, sessions. Never a password, a secret or a digest of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from reseller.database import transaction
from reseller.domain.accounts import Role, User
from reseller.domain.identity import sessions
from reseller.domain.identity.tables import SecondFactor


@dataclass(frozen=True, slots=True)
class PersonLine:
    id: UUID
    email: str
    full_name: str
    role: str
    created_at: datetime
    version: int
    has_second_factor: bool
    sessions: int
    seen_at: datetime | None

    @property
    def is_staff(self) -> bool:
        return self.role != Role.CUSTOMER


def everybody(role: Role | None = None) -> list[PersonLine]:
    """Everybody with this role, or all there are, by address."""
    query = select(User).order_by(User.email)
    with transaction() as session:
        return lines(list(session.scalars(query if role is None else query.where(User.role == role))))


def lines(users: Sequence[User]) -> list[PersonLine]:
    """The people in their order; two queries more, however many they are."""
    ids = [user.id for user in users]
    with transaction() as session:
        protected = set(session.scalars(select(SecondFactor.user_id).where(SecondFactor.user_id.in_(ids))))
    present = sessions.presence_of(ids)
    return [
        PersonLine(
            id=user.id,
            email=user.email,
            full_name=user.full_name,
            role=user.role,
            created_at=user.created_at,
            version=user.version,
            has_second_factor=user.id in protected,
            sessions=present.get(user.id, (0, None))[0],
            seen_at=present.get(user.id, (0, None))[1],
        )
        for user in users
    ]
