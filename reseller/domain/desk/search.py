"""The one search box: whatever a customer reads out to support, found.

E-mail, name, company or account name by any part of it; a key by its prefix; a call by any of its ids; anything by its
UUID; a payment by its reference. A handful of queries whatever the text is; nothing is counted.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, text, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from reseller.clock import instant_of
from reseller.database import transaction
from reseller.domain import keys
from reseller.domain.accounts import Account, Membership, User
from reseller.domain.desk import payment_lines
from reseller.domain.keys import ApiKey
from reseller.domain.ledger import Balance, EntryKind, LedgerEntry
from reseller.domain.usage import call_id_of, request_id

MIN_CHARACTERS, MAX_CHARACTERS = 2, 200
MAX_HITS = 20

_KEY = re.compile(r"sk_(live|test)_[0-9A-Za-z]{0,49}", re.ASCII)
_STRIPE = re.compile(r"(cs|pi|ch|py|re|pyr|dp|du)_[0-9A-Za-z_]{6,200}", re.ASCII)
_BY_ID = text(
    """SELECT 'account' AS kind, id, id AS account_id FROM accounts WHERE id = :id
       UNION ALL SELECT 'person', user_id, account_id FROM memberships WHERE user_id = :id
       UNION ALL SELECT 'key', id, account_id FROM api_keys WHERE id = :id
       UNION ALL SELECT 'entry', id, account_id FROM ledger_entries WHERE id = :id
       UNION ALL SELECT 'adjustment', id, account_id FROM adjustments WHERE id = :id
       UNION ALL SELECT 'payment', id, account_id FROM payments WHERE id = :id
       UNION ALL SELECT 'call', id, account_id FROM usage_logs WHERE id = :id AND created_at = :at
       UNION ALL SELECT 'call', h.id, h.account_id FROM holds h
                  WHERE h.id = :id AND NOT EXISTS (SELECT FROM usage_logs WHERE id = :id AND created_at = :at)"""
)


class HitKind(StrEnum):
    ACCOUNT = "account"
    PERSON = "person"
    KEY = "key"
    CALL = "call"
    ENTRY = "entry"
    ADJUSTMENT = "adjustment"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found, and whose it is."""

    kind: HitKind
    id: UUID
    account_id: UUID
    title: str
    detail: str = ""
    status: str = ""
    balance_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Results:
    """`exact` is the one thing that the text names and nothing else; a list of everything found otherwise."""

    asked: str
    customers: tuple[Hit, ...] = ()
    keys: tuple[Hit, ...] = ()
    others: tuple[Hit, ...] = ()
    exact: Hit | None = None
    is_whole_key: bool = False  # somebody pasted a secret
    is_too_short: bool = False

    @property
    def count(self) -> int:
        return len(self.customers) + len(self.keys) + len(self.others)

    @property
    def is_cut(self) -> bool:
        """Whether there may be more of one kind than is shown."""
        return MAX_HITS in (len(self.customers), len(self.keys), len(self.others))


def search(asked: str) -> Results:
    """Everything that the text may mean. Runs as the operator."""
    words = asked.replace("\x00", "").strip()[:MAX_CHARACTERS]
    if len(words) < MIN_CHARACTERS:
        return Results(words, is_too_short=True)
    with transaction() as session:
        if _KEY.fullmatch(words.removesuffix("…").removesuffix("...")):
            return _keys(session, words)
        by_id = _by_id(session, words) or _payment(session, words)
        if by_id:
            return Results(words, others=tuple(by_id), exact=by_id[0] if len({hit.account_id for hit in by_id}) == 1 else None)
        customers, entries = _customers(session, words), _entries(session, words)
        named = [hit for hit in customers if words.lower() in (hit.title.lower(), hit.detail.lower())]
        certain = [*entries, *named]
        return Results(words, customers=tuple(customers), others=tuple(entries), exact=certain[0] if len(certain) == 1 else None)


def _keys(session: Session, words: str) -> Results:
    """By the whole key if one was pasted, else by what is shown of it."""
    query = select(ApiKey.id, ApiKey.account_id, ApiKey.key_prefix, ApiKey.name, ApiKey.revoked_at)
    is_whole = keys.has_key_shape(words)
    begun = words.removesuffix("…").removesuffix("...")[: keys.SHOWN_CHARACTERS]
    if is_whole:
        query = query.where(ApiKey.key_hash == keys.digest_of(words))
    else:
        query = query.where(ApiKey.key_prefix.startswith(begun, autoescape=True))
    rows = session.execute(query.order_by(ApiKey.id.desc()).limit(MAX_HITS))
    hits = tuple(
        Hit(HitKind.KEY, row[0], row[1], keys.shown_prefix(row[2]), row[3], status="revoked" if row[4] else "active") for row in rows
    )
    is_exact = len(hits) == 1 and len(begun) == keys.SHOWN_CHARACTERS
    return Results(begun + "…" if is_whole else words, keys=hits, exact=hits[0] if is_exact else None, is_whole_key=is_whole)


def _by_id(session: Session, words: str) -> list[Hit]:
    try:
        return _rows_with(session, call_id_of(words) or UUID(words))
    except ValueError:
        return []


def _rows_with(session: Session, id_: UUID) -> list[Hit]:
    """`at` finds the month of a call; nothing else needs it."""
    found = session.execute(_BY_ID, {"id": id_, "at": instant_of(id_) if call_id_of(id_.hex) else None})
    return [Hit(HitKind(kind), row_id, account_id, _title(kind, row_id)) for kind, row_id, account_id in found]


def _title(kind: str, row_id: UUID) -> str:
    return request_id(row_id) if kind == HitKind.CALL else str(row_id)


def _payment(session: Session, words: str) -> list[Hit]:
    """The payment that Stripe knows by this id: of a session, an intent, a charge, a refund or a dispute."""
    if not _STRIPE.fullmatch(words):
        return []
    payment_id = payment_lines.find(words)
    return [] if payment_id is None else _rows_with(session, payment_id)


def _entries(session: Session, words: str) -> list[Hit]:
    """Ledger entries that were caused by something of this name: a payment's id, an adjustment's."""
    query = select(LedgerEntry.id, LedgerEntry.account_id, LedgerEntry.kind, LedgerEntry.amount_usd).where(
        LedgerEntry.kind.in_([str(kind) for kind in EntryKind]), LedgerEntry.reference == words
    )
    rows = session.execute(query.limit(MAX_HITS))
    return [Hit(HitKind.ENTRY, row[0], row[1], words, row[2].replace("_", "-"), balance_usd=row[3]) for row in rows]


def about(words: str) -> ColumnElement[bool]:
    """The account's own name or anything about its people has the text somewhere, whatever its case."""
    person = (User.email, User.full_name)
    theirs = (
        select(Membership.account_id)
        .join(User, User.id == Membership.user_id)
        .where(or_(*(column.icontains(words, autoescape=True) for column in person)))
    )
    return or_(*(column.icontains(words, autoescape=True) for column in (Account.name, Account.company)), Account.id.in_(theirs))


def _customers(session: Session, words: str) -> list[Hit]:
    """Accounts by a part of their own name or of anything about their people, newest first."""
    query = select(Account.id, Account.name, Account.status, Balance.settled_usd).join(Balance, Balance.account_id == Account.id)
    query = query.where(about(words))
    accounts = session.execute(query.order_by(Account.id.desc()).limit(MAX_HITS)).all()
    emails = _first_emails(session, [row[0] for row in accounts], words)
    return [Hit(HitKind.ACCOUNT, row[0], row[0], row[1], emails.get(row[0], ""), row[2], row[3]) for row in accounts]


def _first_emails(session: Session, account_ids: list[UUID], words: str) -> dict[UUID, str]:
    """One address for each account: that of a person who matches, else of the first one."""
    if not account_ids:
        return {}
    matches = User.email.icontains(words, autoescape=True)
    query = (
        select(Membership.account_id, User.email)
        .join(User, User.id == Membership.user_id)
        .where(Membership.account_id.in_(account_ids))
        .ext(distinct_on(Membership.account_id))
        .order_by(Membership.account_id, (matches == true()).desc(), Membership.created_at)
    )
    return {row.account_id: row.email for row in session.execute(query)}
