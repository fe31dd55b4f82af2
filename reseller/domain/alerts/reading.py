"""Rules and alerts as people look at them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, update

from reseller.clock import now
from reseller.database import transaction
from reseller.domain.accounts import Membership, User
from reseller.domain.alerts.rules import RuleTerms, terms_of
from reseller.domain.alerts.tables import Alert, AlertKind, AlertRule
from reseller.domain.keys import ApiKey, usable_at
from reseller.errors import NotFound

ON_OVERVIEW, SHOWN_FOR = 3, timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ListedRule:
    """A rule; `about` is a key's name or a member's address, "" for the account. `waits`: its balance has not been above it yet."""

    id: UUID
    terms: RuleTerms
    about: str
    fired_at: datetime | None
    waits: bool
    version: int


@dataclass(frozen=True, slots=True)
class ListedAlert:
    """What was told."""

    id: UUID
    kind: AlertKind
    line: str
    about: str
    value_usd: Decimal
    starts_on: date | None
    fired_at: datetime
    dismissed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Subjects:
    """Whose budget there can be: id and name of each."""

    keys: list[tuple[UUID, str]]
    members: list[tuple[UUID, str]]


def rules_of(account_id: UUID) -> list[ListedRule]:
    """The account's rules, oldest first."""
    query = (
        select(AlertRule, ApiKey.name, User.email)
        .outerjoin(ApiKey, ApiKey.id == AlertRule.api_key_id)
        .outerjoin(User, User.id == AlertRule.member_id)
        .where(AlertRule.account_id == account_id)
        .order_by(AlertRule.id)
    )
    with transaction() as session:
        return [_listed(rule, key or member or "") for rule, key, member in session.execute(query)]


def rule_of(account_id: UUID, rule_id: UUID) -> ListedRule:
    """One of them. Raises NotFound."""
    found = next((rule for rule in rules_of(account_id) if rule.id == rule_id), None)
    if found is None:
        raise NotFound("There is no such alert.")
    return found


def subjects_of(account_id: UUID) -> Subjects:
    """Live keys that work, and members."""
    keys = select(ApiKey.id, ApiKey.name).where(ApiKey.account_id == account_id, ~ApiKey.is_test, usable_at(now())).order_by(ApiKey.name)
    members = select(User.id, User.email).join(Membership, Membership.user_id == User.id).where(Membership.account_id == account_id)
    with transaction() as session:
        return Subjects(
            [(row.id, row.name) for row in session.execute(keys)],
            [(row.id, row.email) for row in session.execute(members.order_by(User.email))],
        )


def told(account_id: UUID, *, most: int) -> list[ListedAlert]:
    """What was told, newest first."""
    query = select(Alert).where(Alert.account_id == account_id).order_by(Alert.id.desc()).limit(most)
    with transaction() as session:
        return [_told(alert) for alert in session.scalars(query)]


def undismissed(account_id: UUID) -> list[ListedAlert]:
    """What the overview shows: the newest that nobody has put away."""
    fresh = Alert.account_id == account_id, Alert.dismissed_at.is_(None), Alert.created_at >= now() - SHOWN_FOR
    with transaction() as session:
        return [_told(alert) for alert in session.scalars(select(Alert).where(*fresh).order_by(Alert.id.desc()).limit(ON_OVERVIEW))]


def dismiss(account_id: UUID, alert_id: UUID, *, actor: str) -> None:
    """The overview shows it no more; the history does. Raises NotFound."""
    own = Alert.id == alert_id, Alert.account_id == account_id
    with transaction() as session:
        if session.scalar(select(Alert.id).where(*own)) is None:
            raise NotFound("There is no such alert.")
        session.execute(update(Alert).where(*own, Alert.dismissed_at.is_(None)).values(dismissed_at=now(), dismissed_by=actor))


def _listed(rule: AlertRule, about: str) -> ListedRule:
    terms = terms_of(rule)
    return ListedRule(rule.id, terms, about, rule.fired_at, not terms.kind.is_budget and not rule.is_armed, rule.version)


def _told(row: Alert) -> ListedAlert:
    return ListedAlert(row.id, AlertKind(row.kind), row.line, row.about, row.value_usd, row.starts_on, row.created_at, row.dismissed_at)
