"""Money that does not fit: put aside, alarmed about, and looked at by somebody (promise R18)."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from reseller import alarms
from reseller.clock import new_id, now
from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.payments.tables import EventState, Payment, PaymentRefund, PaymentStatus, RefundStatus, StripeEvent, SuspenseItem
from reseller.errors import Conflict, InvalidRequest, NotFound

STALE = timedelta(hours=24)
UNDECIDED = timedelta(days=14)
"""A bank debit may take that long (docs.stripe.com/payments/payment-methods, "Payment confirmation")."""
MAX_WORDS = 500


class Why(StrEnum):
    """What does not fit."""

    FOREIGN = "foreign"  # paid, and no order of ours
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    WRONG_MODE = "wrong_mode"  # test money where live money is expected, or the other way round
    WRONG_SESSION = "wrong_session"  # another session or payment than the order's
    UNKNOWN_MONEY = "unknown_money"  # a refund or dispute in another currency
    NOT_PAID = "not_paid"  # credited here, and Stripe does not have it as paid
    UNREADABLE = "unreadable"  # what Stripe says of it, or refuses to say, cannot be used


@dataclass(frozen=True, slots=True)
class Aside:
    """What is put aside. `subject` is Stripe's id of it: the same thing is put aside once."""

    why: Why
    subject: str
    words: str
    payment_id: UUID | None = None
    amount_usd: Decimal | None = None
    event_id: str | None = None


def put_aside(aside: Aside) -> None:
    """Somebody will look at it, and is alarmed the first time; nothing else has changed."""
    with transaction() as session:
        row = {
            "id": new_id(),
            "created_at": now(),
            "kind": aside.why,
            "subject": aside.subject,
            "payment_id": aside.payment_id,
            "event_id": aside.event_id,
            "amount_usd": aside.amount_usd,
            "words": aside.words[:MAX_WORDS],
            "resolution": "",
        }
        added = session.execute(insert(SuspenseItem).values(row).on_conflict_do_nothing().returning(SuspenseItem.id)).first()
    if added is not None:
        alarms.sound(f"payment_{aside.why}", aside.subject, aside.words, payment_id=aside.payment_id)


def resolve(item_id: UUID, *, actor: str, resolution: str) -> None:
    """Somebody has looked and says what became of it. Raises InvalidRequest without words, NotFound, Conflict if it is resolved."""
    words = resolution.strip()
    if not words or len(words) > MAX_WORDS:
        raise InvalidRequest(f"Say what became of it, in at most {MAX_WORDS} characters.", param="resolution")
    with transaction() as session:
        item = session.get(SuspenseItem, item_id, with_for_update=True)
        if item is None:
            raise NotFound("There is no such item.")
        if item.resolved_at is not None:
            raise Conflict("Somebody else has resolved it in the meantime.")
        item.resolved_at, item.resolved_by, item.resolution = now(), actor, words
        staff.record(actor, "suspense.resolve", "suspense_item", item_id, reason=words)


def holds_money_of(payment_id: UUID) -> bool:
    """Whether money that came for this order waits for somebody to look at it."""
    with transaction() as session:
        found = select(SuspenseItem.id).where(SuspenseItem.payment_id == payment_id, SuspenseItem.resolved_at.is_(None)).limit(1)
        return session.scalar(found) is not None


def stale() -> int:
    """How many things have waited too long: items that nobody resolved, events that could not be applied and refunds that Stripe has
    not confirmed within STALE, and payments that a bank has not decided within UNDECIDED."""
    at = now()
    waiting = (
        select(func.count()).where(SuspenseItem.resolved_at.is_(None), SuspenseItem.created_at < at - STALE),
        select(func.count()).where(StripeEvent.state == EventState.RECEIVED, StripeEvent.received_at < at - STALE),
        select(func.count()).where(PaymentRefund.status == RefundStatus.ASKED, PaymentRefund.created_at < at - STALE),
        select(func.count()).where(Payment.status == PaymentStatus.PROCESSING, Payment.created_at < at - UNDECIDED),
    )
    with transaction() as session:
        return sum(int(session.scalar(query) or 0) for query in waiting)
