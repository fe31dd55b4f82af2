"""Reads one account for its page.

Fourteen queries, however much the account has done: head (account, balance, limits, windows), people, keys, last calls,
last errors, calls above their hold, ledger, top-ups and their sum, webhooks, waiting adjustments, notes, timeline, names. Each
reads a page's worth of rows at most, by an index of the account.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, select, text
from sqlalchemy.orm import Session, aliased

from reseller.clock import instant_of
from reseller.database import transaction
from reseller.domain import company, keys, webhooks
from reseller.domain.accounts import MemberRole, Membership, User
from reseller.domain.desk.actors import names_of
from reseller.domain.desk.customer import money
from reseller.domain.desk.customer.parts import CallRow, Customer, KeyRow, Limits, LimitUse, Member, Money, NoteRow
from reseller.domain.desk.timeline import timeline
from reseller.domain.identity.tables import SecondFactor
from reseller.domain.keys import ApiKey
from reseller.domain.ledger import AdjustmentState
from reseller.domain.limits import LIMIT_COLUMNS, RateLimit, RequestCounter, used_now
from reseller.domain.notes import AccountNote
from reseller.domain.payments import reading as payments
from reseller.domain.standing.rows import AccountRows, rows_of
from reseller.domain.usage import UsageLog
from reseller.domain.usage.tables import ERRORS
from reseller.errors import NotFound

KEYS, CALLS, ENTRIES, PAYMENTS, NOTES, WAITING = 50, 10, 20, 10, 20, 20

LABELS = {
    "rpm": "Requests a minute",
    "rph": "Requests an hour",
    "rpd": "Requests a day",
    "concurrent": "Calls at once",
    "max_tokens": "Output tokens a call",
}
_WINDOWS = {"rpm": "minute", "rph": "hour", "rpd": "day"}


def customer(account_id: UUID, *, before: str | None = None) -> Customer:
    """The account as it is now, its timeline before that place. Raises NotFound."""
    with transaction() as session:
        account, balance, limits, counter, at = _head(session, account_id)
        overage_usd, overage_calls = money.overage_of(session, account_id)
        rows = _keys(session, account_id, at)
        entries = money.entries_of(session, account_id, limit=ENTRIES)
        notes = _notes(session, account_id)
        events = timeline(account_id, before=before)
        actors = [row.actor for row in entries] + [row.actor for row in notes] + [line.actor for line in events.lines if line.actor]
        return Customer(
            account_id=account_id,
            name=account.name,
            status=account.status,
            status_reason=account.status_reason or "",
            halted_at=account.halted_at,
            halted_reason=account.halted_reason or "",
            since=account.created_at,
            company=company.written(account),
            members=_members(session, account_id),
            money=Money(
                settled_usd=balance.settled_usd,
                held_usd=balance.held_usd,
                available_usd=balance.settled_usd - balance.held_usd,
                spent_today_usd=balance.unposted_usd if balance.usage_day == at.date() else balance.unposted_usd * 0,
                open_calls=balance.open_calls,
                overage_usd=overage_usd,
                overage_calls=overage_calls,
            ),
            limits=_limits(limits, counter, balance.open_calls, at),
            keys=rows[:KEYS],
            has_more_keys=len(rows) > KEYS,
            calls=_calls(session, account_id),
            errors=_calls(session, account_id, errors=True),
            entries=entries,
            payments=tuple(payments.of_account(account_id, limit=PAYMENTS)),
            topped_up_usd=money.topped_up(session, account_id),
            webhooks=tuple(webhooks.endpoints_of(account_id)),
            waiting=money.adjustments_of(session, account_id, state=AdjustmentState.WAITING, limit=WAITING),
            notes=notes,
            timeline=events,
            names=names_of(actors),
        )


def call_shown(account_id: UUID, call_id: UUID) -> CallRow | None:
    """One call of the account, as the lists show it; None if it is none of its calls."""
    with transaction() as session:
        query = _call_query(account_id).where(UsageLog.id == call_id, UsageLog.created_at == instant_of(call_id))
        row = session.execute(query).first()
        return None if row is None else CallRow(*row)


def _head(session: Session, account_id: UUID) -> AccountRows:
    """One row of everything that an account has once, out of the session."""
    rows = rows_of(session, account_id)
    if rows is None:
        raise NotFound("There is no such customer.")
    session.expunge_all()
    return rows


def _members(session: Session, account_id: UUID) -> tuple[Member, ...]:
    query: Any = (
        select(
            User.id,
            User.email,
            User.full_name,
            Membership.role,
            User.role,
            User.email_verified_at.is_not(None),
            SecondFactor.user_id.is_not(None),
        )
        .join(Membership, Membership.user_id == User.id)
        .outerjoin(SecondFactor, SecondFactor.user_id == User.id)
        .where(Membership.account_id == account_id)
        .order_by(case((Membership.role == MemberRole.OWNER, 0), else_=1), Membership.created_at)
    )
    return tuple(Member(*row) for row in session.execute(query))


def _limits(limits: RateLimit, counter: RequestCounter, open_calls: int, at: datetime) -> Limits:
    used: dict[str, int | None] = dict.fromkeys(LABELS)
    counts = used_now(counter, at.timestamp())
    used |= {name: counts[window] for name, window in _WINDOWS.items()} | {"concurrent": open_calls}
    uses = tuple(LimitUse(name, label, getattr(limits, LIMIT_COLUMNS[name]), used[name]) for name, label in LABELS.items())
    back: dict[str, int | None] = limits.reverts_to or {}
    changed = tuple(
        (LABELS[name], back[column]) for name, column in LIMIT_COLUMNS.items() if column in back and back[column] != getattr(limits, column)
    )
    return Limits(uses, limits.version, limits.reverts_at, changed)


def _keys(session: Session, account_id: UUID, at: datetime) -> tuple[KeyRow, ...]:
    """Those that work first, then newest first; one more than is shown, if there are more."""
    purse, before = aliased(ApiKey), aliased(ApiKey)
    query = (
        select(ApiKey, purse, before.key_prefix)
        .outerjoin(purse, purse.id == ApiKey.spends_as_id)
        .outerjoin(before, before.id == ApiKey.replaces_id)
        .where(ApiKey.account_id == account_id)
        .order_by(ApiKey.revoked_at.is_not(None), ApiKey.id.desc())
        .limit(KEYS + 1)
    )
    return tuple(_key_row(key, purse or key, before, at) for key, purse, before in session.execute(query))


def _key_row(key: ApiKey, purse: ApiKey, replaces: str | None, at: datetime) -> KeyRow:
    """The limit and what is spent of it are those of the purse that the key spends from."""
    return KeyRow(
        id=key.id,
        prefix=keys.shown_prefix(key.key_prefix),
        name=key.name,
        is_test=key.is_test,
        status=keys.state_of(key, at),
        replaces=keys.shown_prefix(replaces) if replaces else None,
        spend_limit_usd=purse.spend_limit_usd,
        spend_period=purse.spend_period,
        spent_usd=keys.spent_now(purse, at),
        total_usd=key.total_usd,
        calls=key.calls,
        model_patterns=None if key.model_patterns is None else tuple(key.model_patterns),
        last_used_at=key.last_used_at,
        last_used_address=key.last_used_address,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        created_at=key.created_at,
    )


def _call_query(account_id: UUID) -> Any:
    return (
        select(
            UsageLog.id,
            UsageLog.created_at,
            UsageLog.status,
            UsageLog.error_code,
            UsageLog.model,
            UsageLog.total_tokens,
            UsageLog.charge_usd,
            UsageLog.is_test,
            UsageLog.api_key_id,
            func.coalesce(ApiKey.key_prefix, "").label("key_prefix"),
        )
        .outerjoin(ApiKey, ApiKey.id == UsageLog.api_key_id)
        .where(UsageLog.account_id == account_id)
    )


def _calls(session: Session, account_id: UUID, *, errors: bool = False) -> tuple[CallRow, ...]:
    query = _call_query(account_id)
    if errors:
        query = query.where(text(ERRORS))
    return tuple(CallRow(*row) for row in session.execute(query.order_by(UsageLog.created_at.desc()).limit(CALLS)))


def _notes(session: Session, account_id: UUID) -> tuple[NoteRow, ...]:
    query = select(AccountNote.id, AccountNote.created_at, AccountNote.author, AccountNote.body)
    query = query.where(AccountNote.account_id == account_id).order_by(AccountNote.id.desc()).limit(NOTES)
    return tuple(NoteRow(*row) for row in session.execute(query))
