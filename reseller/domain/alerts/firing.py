"""A crossing is told once: its row, its letters and its event are one transaction, and the row is unique."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from reseller.clock import new_id, now
from reseller.database import db
from reseller.domain import letters, outbox
from reseller.domain.alerts.tables import Alert, AlertKind, AlertRule
from reseller.domain.letters import LetterKind
from reseller.money import display_usd

_RECIPIENTS = text(
    """SELECT u.email FROM memberships m JOIN users u ON u.id = m.user_id AND u.email_verified_at IS NOT NULL
         LEFT JOIN notice_choices c ON c.user_id = u.id
        WHERE m.account_id = :account_id AND m.role = 'owner' AND coalesce(c.tells_alerts, true) ORDER BY u.id"""
)


@dataclass(frozen=True, slots=True)
class Crossing:
    """What was seen. `line` in words; `value_usd`: the balance, or what was charged since `starts_on`."""

    line: str
    line_usd: Decimal
    value_usd: Decimal
    about: str = ""
    starts_on: date | None = None


def fire(rule: AlertRule, seen: Crossing) -> bool:
    """In the caller's transaction, which holds the rule's row: the alert is told, unless it was; whether it was not.

    If we die here, nothing was told, and the next look finds the same crossing.
    """
    crossing = f"{rule.armings}" if seen.starts_on is None else f"{rule.armings} {seen.starts_on}"
    at = now()
    row = {
        "id": new_id(), "created_at": at, "account_id": rule.account_id, "rule_id": rule.id, "crossing": crossing, "kind": rule.kind,
        "line": seen.line, "about": seen.about, "value_usd": seen.value_usd, "starts_on": seen.starts_on,
    }  # fmt: skip
    added = db.session.execute(insert(Alert).values(row).on_conflict_do_nothing().returning(Alert.id)).first()
    if added is None:
        return False
    rule.fired_at = at
    if rule.by_mail:
        _write(rule, seen)
    _announce(rule, seen)
    return True


def span_of(kind: str, starts_on: date) -> str:
    """The day or month in words."""
    return f"on {starts_on:%-d %B %Y}" if kind == AlertKind.BUDGET_DAY else f"in {starts_on:%B %Y}"


def _write(rule: AlertRule, seen: Crossing) -> None:
    if seen.starts_on is None:
        kind, facts = LetterKind.LOW_BALANCE, {"balance": display_usd(seen.value_usd), "line": seen.line}
    else:
        about = {"api_key_id": "with one of your keys", "member_id": "with the keys of a member"}
        of = next((words for name, words in about.items() if getattr(rule, name) is not None), "of your account")
        facts = {"budget": seen.line, "spent": display_usd(seen.value_usd), "span": span_of(rule.kind, seen.starts_on), "about": of}
        kind = LetterKind.BUDGET_CROSSED
    for email in db.session.scalars(_RECIPIENTS, {"account_id": rule.account_id}):
        letters.write(kind, email, facts=facts)


def _announce(rule: AlertRule, seen: Crossing) -> None:
    told = {"alert_rule_id": rule.id, "kind": rule.kind, "line": seen.line}
    if seen.starts_on is None:
        outbox.announce("balance.low", rule.account_id, **told, line_usd=seen.line_usd, balance_usd=seen.value_usd)
        return
    subjects = {"key_id": rule.api_key_id, "member_id": rule.member_id}
    starts_on = seen.starts_on.isoformat()
    outbox.announce(
        "budget.crossed", rule.account_id, **told, budget_usd=seen.line_usd, spent_usd=seen.value_usd, starts_on=starts_on, **subjects
    )
