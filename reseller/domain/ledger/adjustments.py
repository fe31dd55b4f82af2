"""Credit and debit by staff: a reason, a cap for each role and day, and a different person above it (promise R25)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified, db, transaction
from reseller.domain import staff
from reseller.domain.accounts import Account, Role, is_member
from reseller.domain.ledger.caps import Caps, left_today, lock_person, use
from reseller.domain.ledger.posting import EntryDraft, post
from reseller.domain.ledger.tables import EntryKind, LedgerEntry
from reseller.errors import Conflict, Forbidden, InvalidRequest, NotFound
from reseller.money import Usd, display_usd, format_decimal, to_nano

MOST_USD = Decimal(1_000_000)
MAX_REASON_CHARACTERS = 500
APPROVERS = frozenset({Role.FINANCE, Role.ADMIN})


class AdjustmentState(StrEnum):
    WAITING = "waiting"  # above the requester's cap; somebody else decides
    POSTED = "posted"  # in the ledger
    REJECTED = "rejected"


class Adjustment(Identified, Created, Base):
    """`id` is the nonce of the form that asked, so a form sent twice moves money once."""

    __tablename__ = "adjustments"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'posted', 'rejected')", name="state_known"),
        CheckConstraint("amount_nano <> 0", name="amount_not_zero"),
        CheckConstraint("decided_by_id IS NULL OR decided_by_id <> requested_by_id OR entry_id IS NULL", name="approved_by_another"),
        CheckConstraint("(state = 'posted') = (entry_id IS NOT NULL)", name="posted_has_entry"),
        Index("ix_adjustments_waiting", "created_at", postgresql_where="state = 'waiting'"),
        Index("ix_adjustments_requested_by_id_created_at", "requested_by_id", "created_at"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    amount_usd: Mapped[Decimal] = mapped_column("amount_nano", Usd)  # + is the customer's to spend
    reason: Mapped[str] = mapped_column(Text)  # shown to the customer
    state: Mapped[str] = mapped_column(Text)
    requested_by_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    decided_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))  # None: within the requester's own cap, or waiting
    decided_at: Mapped[datetime | None]
    decision_note: Mapped[str] = mapped_column(Text, default="")
    entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("ledger_entries.id"))


@dataclass(frozen=True, slots=True)
class AdjustmentDraft:
    """What a form asks for. `id` is its nonce; a positive amount is the customer's to spend."""

    id: UUID
    account_id: UUID
    amount_usd: Decimal
    reason: str


def request(draft: AdjustmentDraft, requester_id: UUID, caps: Caps) -> Adjustment:
    """The money has moved if it lies within what the requester may still adjust today alone, else it waits for somebody else.

    The same draft again returns what became of the first and moves nothing.
    Raises InvalidRequest for an amount or reason that cannot be used, NotFound, Forbidden for the requester's own
    account, InsufficientBalance for a debit of more than is available, Conflict for a nonce of another adjustment.
    """
    draft = _usable(draft)
    try:
        with transaction() as session:
            role = lock_person(requester_id)
            known = session.get(Adjustment, draft.id)
            if known is not None:
                return _same(known, draft, requester_id)
            _check_strangers(requester_id, draft.account_id)
            is_within_cap = abs(draft.amount_usd) <= left_today(requester_id, role, caps)
            return _begin(draft, requester_id, is_posted=is_within_cap)
    except IntegrityError:  # somebody else's form brought the same nonce at the same instant
        raise _other_nonce() from None


def is_known(adjustment_id: UUID) -> bool:
    """Whether a form with this nonce has been used: what it asks for again moves nothing."""
    with transaction() as session:
        return session.get(Adjustment, adjustment_id) is not None


def approve(adjustment_id: UUID, approver_id: UUID, *, note: str = "") -> Adjustment:
    """The money has moved, on the word of two people.

    Raises NotFound, Conflict if it is decided already, Forbidden for the requester, for a member of the account (either of the two) and
    for roles that approve nothing, InsufficientBalance for a debit of more than is available now (it goes on waiting).
    """
    with transaction():
        adjustment = _lock_waiting(adjustment_id)
        if adjustment.requested_by_id == approver_id:
            raise Forbidden("You asked for this yourself. Somebody else must approve it.")
        if lock_person(approver_id) not in APPROVERS:
            raise Forbidden("Only finance and admins approve adjustments.")
        _check_strangers(approver_id, adjustment.account_id)
        if is_member(adjustment.requested_by_id, adjustment.account_id):  # since they asked
            raise Forbidden("This account belongs to whoever asked for it by now. Reject it; somebody else may ask anew.")
        _decide(adjustment, approver_id, note)
        _post(adjustment, staff.actor_of(approver_id))
        _record(adjustment, approver_id, "approve", AdjustmentState.WAITING, note)
        return adjustment


def reject(adjustment_id: UUID, decider_id: UUID, *, note: str) -> Adjustment:
    """Nothing will move, on the word of somebody who might have approved it. Raises as `approve`, InvalidRequest without a note."""
    with transaction():
        adjustment = _lock_waiting(adjustment_id)
        if lock_person(decider_id) not in APPROVERS:
            raise Forbidden("Only finance and admins decide on adjustments of others.")
        _check_strangers(decider_id, adjustment.account_id)
        return _end(adjustment, decider_id, "reject", note)


def withdraw(adjustment_id: UUID, requester_id: UUID, *, note: str) -> Adjustment:
    """Nothing will move: whoever asked has thought again. Raises Forbidden for anybody else, else as `reject`."""
    with transaction():
        adjustment = _lock_waiting(adjustment_id)
        if adjustment.requested_by_id != requester_id:
            raise Forbidden("Only whoever asked for it takes it back.")
        return _end(adjustment, requester_id, "withdraw", note)


def _end(adjustment: Adjustment, person_id: UUID, verb: str, note: str) -> Adjustment:
    if not note.strip():
        raise InvalidRequest("Say why.", param="note")
    _decide(adjustment, person_id, note)
    adjustment.state = AdjustmentState.REJECTED
    _record(adjustment, person_id, verb, AdjustmentState.WAITING, note)
    return adjustment


def _usable(draft: AdjustmentDraft) -> AdjustmentDraft:
    reason = draft.reason.strip()
    if not reason or len(reason) > MAX_REASON_CHARACTERS or "\x00" in reason:
        raise InvalidRequest(f"An adjustment needs a reason of at most {MAX_REASON_CHARACTERS} characters.", param="reason")
    try:
        nano = to_nano(draft.amount_usd)
    except ValueError:
        raise InvalidRequest("The amount must be dollars with at most nine places.", param="amount") from None
    if nano == 0 or abs(draft.amount_usd) > MOST_USD:
        raise InvalidRequest(f"The amount must not be zero, nor more than {display_usd(MOST_USD)}.", param="amount")
    return AdjustmentDraft(draft.id, draft.account_id, draft.amount_usd, reason)


def _begin(draft: AdjustmentDraft, requester_id: UUID, *, is_posted: bool) -> Adjustment:
    """The row first, so that its nonce is taken before anything moves."""
    adjustment = Adjustment(
        id=draft.id,
        account_id=draft.account_id,
        amount_usd=draft.amount_usd,
        reason=draft.reason,
        state=AdjustmentState.WAITING,
        requested_by_id=requester_id,
    )
    db.session.add(adjustment)
    db.session.flush()
    if is_posted:
        use(adjustment.id, requester_id, adjustment.amount_usd)
        _post(adjustment, staff.actor_of(requester_id))
    _record(adjustment, requester_id, "post" if is_posted else "request", None, draft.reason)
    return adjustment


def _post(adjustment: Adjustment, actor: str) -> None:
    """The ledger has the entry; an entry under this reference that is none of ours moves nothing and is a Conflict."""
    reference = str(adjustment.id)
    query = select(LedgerEntry.id).where(LedgerEntry.kind == EntryKind.ADJUSTMENT, LedgerEntry.reference == reference)
    if db.session.scalar(query) is not None:
        raise _other_nonce()
    nano = to_nano(adjustment.amount_usd)
    entry = post(EntryDraft(adjustment.account_id, EntryKind.ADJUSTMENT, nano, reference, actor, reason=adjustment.reason))
    adjustment.state, adjustment.entry_id = AdjustmentState.POSTED, entry.id
    db.session.flush()


def _decide(adjustment: Adjustment, decider_id: UUID, note: str) -> None:
    adjustment.decided_by_id, adjustment.decided_at, adjustment.decision_note = decider_id, now(), note.strip()[:MAX_REASON_CHARACTERS]


def _record(adjustment: Adjustment, person_id: UUID, verb: str, before: str | None, reason: str) -> None:
    changes = {"state": [before, str(adjustment.state)], "amount_usd": [None, format_decimal(adjustment.amount_usd)]}
    staff.record(
        staff.actor_of(person_id),
        f"adjustment.{verb}",
        "adjustment",
        adjustment.id,
        account_id=adjustment.account_id,
        reason=reason,
        changes=changes,
    )


def _lock_waiting(adjustment_id: UUID) -> Adjustment:
    adjustment = db.session.get(Adjustment, adjustment_id, with_for_update=True)
    if adjustment is None:
        raise NotFound("There is no such adjustment.")
    if adjustment.state != AdjustmentState.WAITING:
        raise Conflict(f"This adjustment is {adjustment.state} already; nothing was changed.")
    return adjustment


def _check_strangers(user_id: UUID, account_id: UUID) -> None:
    if db.session.get(Account, account_id) is None:
        raise NotFound("There is no such account.")
    if is_member(user_id, account_id):
        raise Forbidden("This account is your own. Somebody else must adjust it.")


def _same(known: Adjustment, draft: AdjustmentDraft, requester_id: UUID) -> Adjustment:
    facts = (known.account_id, known.amount_usd, known.reason, known.requested_by_id)
    if facts != (draft.account_id, draft.amount_usd, draft.reason, requester_id):
        raise _other_nonce()
    return known


def _other_nonce() -> Conflict:
    return Conflict("This form was used for another adjustment. Open the page again; nothing was moved.")
