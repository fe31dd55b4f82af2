"""What one of staff may move in a day on nobody's word but their own (promise R25).

Adjustments count, up and down, and of refunds the part that is spent already. The cap is counted under a lock on the
person's own row, so that of two requests sent at the same instant the second sees the first. Roles are read under
that lock too: what a session remembers does not count.
"""

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, func, select, text, type_coerce
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import day_start, now
from reseller.database import Base, Created, Identified, db, transaction
from reseller.domain.accounts import Role, User
from reseller.errors import Forbidden
from reseller.money import ZERO_USD, Usd, to_usd

Caps = Mapping[Role, Decimal]

# In one statement, so that an adjustment is seen with its use or not at all: a form chooses its nonce, and may choose one twice.
_GIVE_BACK = text("DELETE FROM cap_uses WHERE id = :nonce AND NOT EXISTS (SELECT FROM adjustments WHERE adjustments.id = cap_uses.id)")


class CapUse(Identified, Created, Base):
    """So much was moved by one person alone. `id` is the nonce of the form: that of the adjustment or the refund."""

    __tablename__ = "cap_uses"
    __table_args__ = (
        CheckConstraint("amount_nano > 0", name="amount_positive"),
        Index("ix_cap_uses_user_id_created_at", "user_id", "created_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    amount_usd: Mapped[Decimal] = mapped_column("amount_nano", Usd)


def lock_person(user_id: UUID) -> Role:
    """The person's role; nobody else counts their cap or changes their role until this transaction ends. Forbidden for customers."""
    role = db.session.scalar(select(User.role).where(User.id == user_id).with_for_update(key_share=True))
    if role is None or role == Role.CUSTOMER:
        raise Forbidden("Only staff adjust credit and refund.")
    return Role(role)


def spent_today(user_id: UUID) -> Decimal:
    """What this person has moved alone in this UTC day, up or down."""
    midnight = day_start(now().date())
    used = func.sum(type_coerce(CapUse.amount_usd, BigInteger))
    query = select(used).where(CapUse.user_id == user_id, CapUse.created_at >= midnight)
    return to_usd(int(db.session.scalar(query) or 0))


def left_today(user_id: UUID, role: Role, caps: Caps) -> Decimal:
    """What this person may still move alone today."""
    return max(caps.get(role, ZERO_USD) - spent_today(user_id), ZERO_USD)


def use(nonce: UUID, user_id: UUID, amount_usd: Decimal) -> None:
    """So much less is left of the person's cap today. Called under `lock_person`, by whoever has seen that enough is left."""
    db.session.add(CapUse(id=nonce, user_id=user_id, amount_usd=abs(amount_usd)))
    db.session.flush()


def give_back(nonce: UUID) -> None:
    """A refund moved nothing after all, so it has used nothing. What an adjustment has used under the same nonce stays used."""
    with transaction() as session:
        session.execute(_GIVE_BACK, {"nonce": nonce})
