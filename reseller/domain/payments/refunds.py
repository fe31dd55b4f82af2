"""Money back to a customer by staff: first the credit is taken, then Stripe is asked. If Stripe says no, the credit returns (R19).

What is spent already goes back at our cost, so that part counts like an adjustment of that size (R25): against the same cap of the
day, under the same lock. Above the cap nothing is refunded: the way there is to give the account the missing credit first, which
somebody else approves.
"""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reseller.database import transaction
from reseller.domain import ledger, staff
from reseller.domain.accounts import is_member
from reseller.domain.ledger import Caps, adjustments
from reseller.domain.ledger import caps as own
from reseller.domain.payments.booking import book
from reseller.domain.payments.packs import CENT
from reseller.domain.payments.reading import gone_back
from reseller.domain.payments.tables import Payment, PaymentRefund, PaymentStatus, RefundStatus
from reseller.errors import Conflict, Forbidden, InvalidRequest, NotFound
from reseller.money import ZERO_USD, display_usd, format_decimal, to_usd

MAX_REASON_CHARACTERS = 500
MEANWHILE_USD = Decimal(1)
"""So much more may be spent than the form told of: of an account that is in use, no form could be sent else."""
UNREACHED = "did not reach the customer, and its credit is theirs again"


@dataclass(frozen=True, slots=True)
class Refundable:
    """What could go back of a payment, in dollars.

    `most_usd`: what has not gone back yet. `unspent_usd`: the part of it whose credit is still there; more than that makes the
    account owe us. `spent_usd`: the rest of it, whose credit calls have used or hold, or which was taken otherwise.
    """

    total_usd: Decimal
    refunded_usd: Decimal
    disputed_usd: Decimal
    most_usd: Decimal
    unspent_usd: Decimal
    spent_usd: Decimal


@dataclass(frozen=True, slots=True)
class RefundDraft:
    """What a form asks for. `id` is its nonce; `unspent_usd` is what the form said could go back without anything of it being spent."""

    id: UUID
    payment_id: UUID
    amount_usd: Decimal
    reason: str
    unspent_usd: Decimal


@dataclass(frozen=True, slots=True)
class Asked:
    """What Stripe is to be asked: `refund_id` is the idempotency key."""

    refund_id: UUID
    payment_id: UUID
    intent_id: str
    amount_usd: Decimal
    reason: str


def refundable(payment_id: UUID) -> Refundable:
    """What could go back now. Raises NotFound."""
    with transaction() as session:
        payment = session.get(Payment, payment_id)
        if payment is None:
            raise NotFound("There is no such payment.")
        return _refundable(payment)


def ask(draft: RefundDraft, requester_id: UUID, caps: Caps) -> Asked:
    """The credit is taken, and the refund waits to be told to Stripe. Sent twice, the same draft is one refund.

    Raises InvalidRequest for an amount or reason that will not do, for more of what is spent than the form told of or than the requester
    may still move alone today, NotFound, Forbidden for whoever may not refund this payment, Conflict for one that cannot be refunded.
    """
    words = draft.reason.strip()
    if not words or len(words) > MAX_REASON_CHARACTERS or "\x00" in words:
        raise InvalidRequest(f"Say why, in at most {MAX_REASON_CHARACTERS} characters.", param="reason")
    try:
        with transaction() as session:
            role = own.lock_person(requester_id)
            if role not in adjustments.APPROVERS:
                raise Forbidden("Only finance and admins refund.")
            payment = session.get(Payment, draft.payment_id, with_for_update=True, populate_existing=True)
            if payment is None:
                raise NotFound("There is no such payment.")
            known = session.get(PaymentRefund, draft.id)
            if known is not None:
                return _same(known, draft, payment, requester_id)
            if adjustments.is_known(draft.id):
                raise _other_nonce()
            _check_stranger(requester_id, payment)
            spent = _spent_part(payment, draft, own.left_today(requester_id, role, caps))
            if spent:
                own.use(draft.id, requester_id, spent)
            return _begin(session, draft, payment, staff.actor_of(requester_id), spent)
    except IntegrityError:  # somebody else's form brought the same nonce
        raise _other_nonce() from None


def is_own(payment_id: UUID, person_id: UUID) -> bool:
    """Whether the money would go to this person or into an account of theirs, so that somebody else must refund it."""
    with transaction() as session:
        payment = session.get(Payment, payment_id)
        return payment is not None and _is_own(person_id, payment)


def is_under_way(refund_id: UUID) -> bool:
    """Whether the money is with the customer, or on its way there."""
    with transaction() as session:
        return RefundStatus(session.get_one(PaymentRefund, refund_id, populate_existing=True).status).is_returned


def refused(refund_id: UUID, *, words: str) -> None:
    """Stripe did not take it: the credit is the customer's again. Nothing if it was taken meanwhile."""
    with transaction() as session:
        row = session.get(PaymentRefund, refund_id)
        if row is None:
            return
        payment = session.get_one(Payment, row.payment_id, with_for_update=True, populate_existing=True)
        session.refresh(row)
        if row.status != RefundStatus.ASKED or row.refund_id is not None:
            return
        row.status = RefundStatus.REFUSED
        changes = {"status": [str(RefundStatus.ASKED), str(RefundStatus.REFUSED)]}
        staff.record(
            "system:stripe", "payment.refund_refused", "payment", payment.id, account_id=payment.account_id, reason=words, changes=changes
        )
        session.flush()
        book(session, payment)
        own.give_back(refund_id)


def waiting() -> list[Asked]:
    """Refunds that Stripe may not have heard of, the oldest first."""
    with transaction() as session:
        query = (
            select(PaymentRefund, Payment.intent_id)
            .join(Payment, Payment.id == PaymentRefund.payment_id)
            .where(PaymentRefund.status == RefundStatus.ASKED, PaymentRefund.refund_id.is_(None))
            .order_by(PaymentRefund.id)
        )
        return [Asked(row.id, row.payment_id, str(intent_id), row.amount_usd, row.reason) for row, intent_id in session.execute(query)]


def _spent_part(payment: Payment, draft: RefundDraft, left_usd: Decimal) -> Decimal:
    """How much of this amount is spent already. Raises Conflict and InvalidRequest as `ask` does.

    The balance stays locked: of two refunds of one account at once, the second sees what the first has left of it. A customer may
    spend on while somebody decides about their refund; whoever decides then looks again.
    """
    if payment.status != PaymentStatus.PAID or payment.intent_id is None:
        raise Conflict("Only a payment that was paid can be refunded.")
    ledger.balance_locked(payment.account_id)
    found, amount_usd = _refundable(payment), draft.amount_usd
    if not amount_usd.is_finite() or not 0 < amount_usd <= found.most_usd or amount_usd != amount_usd.quantize(CENT):
        most = display_usd(found.most_usd)
        raise InvalidRequest(f"At most {most} of this payment can go back, in whole cents.", param="amount_usd")
    spent = max(amount_usd - found.unspent_usd, ZERO_USD)
    if spent > left_usd:
        words = (
            f"{display_usd(spent)} of it is spent already, and of what is spent you may refund {display_usd(left_usd)} more today: "
            f"refund at most {display_usd(found.unspent_usd + left_usd)}, ask somebody who has more left, such as an admin, or give the "
            "account the missing credit first, which somebody else approves. Nothing was changed."
        )
        raise InvalidRequest(words, param="amount_usd")
    if spent > max(amount_usd - draft.unspent_usd, ZERO_USD) + MEANWHILE_USD:
        words = (
            f"Credit was spent since you opened this page: {display_usd(spent)} of this refund is not there any more. "
            "Look at it again, and refund what is right now. Nothing was changed."
        )
        raise InvalidRequest(words, param="amount_usd")
    return spent


def _begin(session: Session, draft: RefundDraft, payment: Payment, actor: str, spent_usd: Decimal) -> Asked:
    """The row first, so that its nonce is taken before anything moves."""
    words = draft.reason.strip()
    row = PaymentRefund(
        id=draft.id,
        payment_id=payment.id,
        account_id=payment.account_id,
        amount_usd=draft.amount_usd,
        status=RefundStatus.ASKED,
        reason=words,
        actor=actor,
    )
    session.add(row)
    changes = {"amount_usd": [None, format_decimal(draft.amount_usd)]}
    if spent_usd:
        changes["of_it_spent_usd"] = [None, format_decimal(spent_usd)]
    staff.record(actor, "payment.refund", "payment", payment.id, account_id=payment.account_id, reason=words, changes=changes)
    session.flush()
    book(session, payment)
    return Asked(row.id, payment.id, str(payment.intent_id), draft.amount_usd, words)


def _same(known: PaymentRefund, draft: RefundDraft, payment: Payment, requester_id: UUID) -> Asked:
    facts = (known.payment_id, known.amount_usd, known.reason, known.actor)
    if facts != (payment.id, draft.amount_usd, draft.reason.strip(), staff.actor_of(requester_id)):
        raise _other_nonce()
    if known.status == RefundStatus.REFUSED:
        raise Conflict("Stripe has refused this refund. Open the page again to ask for another; nothing was changed.")
    if not RefundStatus(known.status).is_returned:
        raise Conflict(f"This refund {UNREACHED}. Open the page again to ask for another; nothing was changed.")
    return Asked(known.id, payment.id, str(payment.intent_id), known.amount_usd, known.reason)


def _other_nonce() -> Conflict:
    return Conflict("This form was sent before with something else in it. Open the page again; nothing was changed.")


def _check_stranger(person_id: UUID, payment: Payment) -> None:
    if _is_own(person_id, payment):
        raise Forbidden("This payment is your own or that of an account of yours. Somebody else must refund it.")


def _is_own(person_id: UUID, payment: Payment) -> bool:
    """The money goes back to whoever paid, the credit is their account's: neither may be the person's own."""
    return payment.user_id == person_id or is_member(person_id, payment.account_id)


def _refundable(payment: Payment) -> Refundable:
    """Inside the caller's transaction."""
    with transaction():
        back = gone_back([payment.id])[payment.id]
        available = to_usd(ledger.balance_now(payment.account_id).available_nano)
    total = payment.whole_usd
    most = max(total - back.refunded_usd - back.disputed_usd, ZERO_USD) if payment.status == PaymentStatus.PAID else ZERO_USD
    granted = payment.amount_usd + payment.bonus_usd
    unspent = min(most, max((available * total / granted).quantize(CENT, "ROUND_DOWN"), ZERO_USD))
    return Refundable(total, back.refunded_usd, back.disputed_usd, most, unspent, max(most - unspent, ZERO_USD))
