"""From what is known of a payment to the ledger: what it should have moved, less what it has moved.

Called under the lock of the payment's row. Whatever order facts come in, the same facts end in the same books (R17, R19).
"""

from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy.orm import Session

from reseller.domain import ledger, letters
from reseller.domain.accounts import User, owners_of
from reseller.domain.ledger import EntryDraft, EntryKind
from reseller.domain.letters import LetterKind
from reseller.domain.payments.moves import write_moves
from reseller.domain.payments.tables import Payment, PaymentStatus
from reseller.domain.payments.taken import Taken, taken_of
from reseller.money import exact_usd, to_nano, to_usd

ACTOR = "system:payments"
BACK_REASONS = {
    (EntryKind.REFUND, False): "Refund of a payment",
    (EntryKind.REFUND, True): "A refund that did not reach you",
    (EntryKind.DISPUTE, False): "Payment disputed with your bank",
    (EntryKind.DISPUTE, True): "Dispute settled, payment given back",
    (EntryKind.BONUS, False): "Bonus of a payment that went back",
    (EntryKind.BONUS, True): "Bonus of a payment that came back",
}


def book(session: Session, payment: Payment) -> None:
    """The ledger has of this payment what it should have now, no more and no less; nothing before it is paid."""
    if payment.status != PaymentStatus.PAID:
        return
    before = ledger.balance_now(payment.account_id).available_nano
    ledger.post(EntryDraft(payment.account_id, EntryKind.TOP_UP, to_nano(payment.amount_usd), str(payment.id), ACTOR, reason="Top-up"))
    if payment.bonus_usd:
        bonus = EntryDraft(
            payment.account_id, EntryKind.BONUS, to_nano(payment.bonus_usd), str(payment.id), ACTOR, reason="Bonus on your top-up"
        )
        ledger.post(bonus)
    taken = taken_of(session, payment)
    write_moves(session, payment, taken)
    for kind, difference in _differences(payment, taken):
        payment.reversals += 1
        reference = f"{payment.id}:{payment.reversals}"
        ledger.post(EntryDraft(payment.account_id, kind, difference, reference, ACTOR, reason=BACK_REASONS[kind, difference > 0]))
    after = ledger.balance_now(payment.account_id).available_nano
    if after < 0 <= before:
        _tell_of_frozen(session, payment, after)


def _differences(payment: Payment, taken: Taken) -> Iterator[tuple[EntryKind, int]]:
    """What each kind still has to move, in nano-dollars; the payment's row already says that it has."""
    wanted = {
        EntryKind.REFUND: ("taken_by_refunds_usd", taken.refunded_credit),
        EntryKind.DISPUTE: ("taken_by_disputes_usd", taken.disputed_credit),
        EntryKind.BONUS: ("taken_bonus_usd", taken.bonus),
    }
    for kind, (column, nano) in wanted.items():
        difference = to_nano(getattr(payment, column)) - nano
        if difference:
            setattr(payment, column, to_usd(nano))
            yield kind, difference


def _tell_of_frozen(session: Session, payment: Payment, available_nano: int) -> None:
    """Whoever bought, or else whoever owns the account, learns why paid calls are refused from now on."""
    buyer = None if payment.user_id is None else session.get(User, payment.user_id)
    facts = {"balance": exact_usd(to_usd(available_nano)), "amount": exact_usd(Decimal(payment.amount_usd))}
    for email in owners_of(payment.account_id) if buyer is None else [buyer.email]:
        letters.write(LetterKind.ACCOUNT_FROZEN, email, facts=facts)
