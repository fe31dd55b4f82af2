"""Everything that happened to an account in one stream, newest first: what staff did, money, notes, the first call.

Paged by key: each page costs the same. Rows that say the same thing twice (an audit row and the entry or note that it
is about) appear once; the charges that are posted every day are for the ledger, and would drown the rest.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import text

from reseller.database import transaction
from reseller.domain.desk.change_words import changes_told
from reseller.errors import NotFound
from reseller.money import to_usd

PAGE_LINES = 25

_LINES = text(
    """
SELECT * FROM (
  (SELECT created_at AS at, id, 'audit' AS source, action AS what, reason AS words, actor, NULL::bigint AS amount_nano, changes,
          subject_kind, subject_id
     FROM staff_actions
    WHERE account_id = :account_id AND (created_at, id) < (:at, :id)
      AND action NOT IN ('note.add', 'credit.grant', 'adjustment.post', 'account.grant_trial_credit')
    ORDER BY created_at DESC, id DESC LIMIT :lines)
  UNION ALL
  (SELECT created_at, id, 'entry', kind, reason, actor, amount_nano, NULL, 'reference', reference
     FROM ledger_entries
    WHERE account_id = :account_id AND kind <> 'usage' AND (created_at, id) < (:at, :id) ORDER BY created_at DESC, id DESC LIMIT :lines)
  UNION ALL
  (SELECT created_at, id, 'note', 'note', body, author, NULL, NULL, 'account', account_id::text
     FROM account_notes
    WHERE account_id = :account_id AND (created_at, id) < (:at, :id) ORDER BY created_at DESC, id DESC LIMIT :lines)
  UNION ALL
  (SELECT * FROM (SELECT created_at, id, 'call', 'first call', model, '', NULL::bigint, NULL::jsonb, 'call', id::text AS call
                    FROM usage_logs WHERE account_id = :account_id ORDER BY created_at LIMIT 1) first
    WHERE (created_at, id) < (:at, :id))
) lines ORDER BY at DESC, id DESC LIMIT :lines
"""
)

WORDS = {
    "user.create": "Registered",
    "user.register_anew": "Registered again, before the address was verified",
    "user.verify_address": "Address verified",
    "user.ask_for_address": "Asked for another e-mail address",
    "user.change_address": "E-mail address changed",
    "user.send_reset_link": "Link to a new password sent",
    "user.sign_in": "Signed in",
    "user.sign_out": "Signed out",
    "user.show_second_factor": "Showed the second factor",
    "user.confirm": "Showed again what they sign in with",
    "user.change_profile": "Name or time zone changed",
    "user.choose_notices": "Chose what to be told by letter",
    "user.change_role": "Role changed",
    "user.set_password": "Password set",
    "user.end_session": "Session ended",
    "user.end_sessions": "All sessions ended",
    "user.end_other_sessions": "All other sessions ended",
    "user.enrol_second_factor": "Authenticator enrolled",
    "user.replace_second_factor": "Authenticator replaced",
    "user.reset_second_factor": "Authenticator taken away",
    "user.issue_recovery_codes": "New recovery codes",
    "user.discard_recovery_codes": "Recovery codes discarded",
    "user.forget_ways_in": "Password and authenticator taken away after a restore",
    "user.link_identity": "Sign-in through a provider added",
    "user.unlink_identity": "Sign-in through a provider removed",
    "account.change_company": "Company changed",
    "account.suspend": "Suspended",
    "account.restore": "Restored",
    "account.halt": "Halted: the books did not add up",
    "account.resume": "Resumed after a halt",
    "account.grant_trial_credit": "Trial credit given",
    "alert_rule.add": "Alert added",
    "alert_rule.change": "Alert changed",
    "alert_rule.remove": "Alert removed",
    "key.create": "Key made",
    "key.change": "Key changed",
    "key.rotate": "Key rotated",
    "key.revoke": "Key revoked",
    "webhook.add": "Webhook endpoint added",
    "webhook.change": "Webhook endpoint changed",
    "webhook.rotate": "Secret of a webhook rotated",
    "webhook.switch_off": "Webhook endpoint switched off",
    "webhook.switch_on": "Webhook endpoint switched on",
    "webhook.remove": "Webhook endpoint removed",
    "webhook.test": "Test event sent",
    "webhook.redeliver": "Webhook sent again",
    "webhook.redeliver_all": "Webhooks that were given up sent again",
    "limits.change": "Limits changed",
    "limits.revert": "Limits put back",
    "viewing.begin": "Viewed as the customer",
    "viewing.end": "Viewing as the customer ended",
    "adjustment.request": "Adjustment asked for, above the cap",
    "adjustment.approve": "Adjustment approved",
    "adjustment.reject": "Adjustment rejected",
    "adjustment.withdraw": "Adjustment taken back",
    "top_up": "Top-up",
    "bonus": "Bonus",
    "refund": "Refund",
    "dispute": "Dispute",
    "adjustment": "Adjustment",
    "note": "Note",
    "first call": "First call",
}
"""What happened, for people; an action without words of its own shows its name."""


class Source(StrEnum):
    AUDIT = "audit"
    ENTRY = "entry"
    NOTE = "note"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened. `changes`: (field, before, after) as text."""

    at: datetime
    id: UUID
    source: Source
    title: str
    words: str
    actor: str
    amount_usd: Decimal | None
    changes: tuple[tuple[str, str, str], ...]
    subject_kind: str
    subject_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines, and where the next older ones begin; None at the end."""

    lines: tuple[Line, ...]
    older: str | None


def timeline(account_id: UUID, *, before: str | None = None, lines: int = PAGE_LINES) -> Page:
    """What happened before that place in the stream; without one, the newest. One query. Raises NotFound for a place that is none."""
    at, id_ = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1)) if before is None else _place(before)
    with transaction() as session:
        found = session.execute(_LINES, {"account_id": account_id, "at": at, "id": id_, "lines": lines + 1}).mappings().all()
    shown = tuple(_line(row) for row in found[:lines])
    return Page(shown, f"{shown[-1].at.astimezone(UTC).isoformat()}_{shown[-1].id}" if len(found) > lines else None)


def _place(before: str) -> tuple[datetime, UUID]:
    at, _, id_ = before.partition("_")
    try:
        instant = datetime.fromisoformat(at)
        if instant.tzinfo is None:
            raise ValueError(before)
        return instant, UUID(id_)
    except ValueError:
        raise NotFound("There is no such place in the timeline.") from None


def _line(row: Any) -> Line:
    changes = dict(row["changes"] or {})
    amount_usd = None if row["amount_nano"] is None else to_usd(row["amount_nano"])
    if row["subject_kind"] == "adjustment" and "amount_usd" in changes:  # its amount belongs into the line, its state is the title
        amount_usd = Decimal(changes["amount_usd"][1])
        changes = {}
    return Line(
        at=row["at"].astimezone(UTC),
        id=row["id"],
        source=Source(row["source"]),
        title=WORDS.get(row["what"], row["what"].replace(".", " ").replace("_", " ").capitalize()),
        words=row["words"],
        actor=row["actor"],
        amount_usd=amount_usd,
        changes=tuple((change.field, change.before, change.after) for change in changes_told(changes)),
        subject_kind=row["subject_kind"],
        subject_id=row["subject_id"],
    )
