"""Rules are made, changed and removed by whoever owns the account; each of these has an audit row."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.database import lock_name, transaction
from reseller.domain import accounts, staff
from reseller.domain.accounts import Membership
from reseller.domain.alerts.tables import AlertKind, AlertRule
from reseller.domain.keys import ApiKey
from reseller.errors import Conflict, Forbidden, InvalidRequest, NotFound
from reseller.money import display_usd, format_decimal

MAX_RULES = 20
MAX_USD = Decimal(1_000_000)
BOUNDS: Mapping[AlertKind, tuple[int, int]] = {AlertKind.BALANCE_PERCENT: (1, 99), AlertKind.BALANCE_DAYS: (1, 365)}
DEFAULT_USD = Decimal(5)
"""A new account is told when its balance falls below this."""


@dataclass(frozen=True, slots=True)
class RuleTerms:
    """What is watched. `line`: dollars, percent or days, as the kind says. At most one of key and member, and of budgets alone."""

    kind: AlertKind
    line: Decimal
    api_key_id: UUID | None = None
    member_id: UUID | None = None
    by_mail: bool = True


def furnish(account_id: UUID) -> None:
    """The new account has the rule that every account begins with."""
    with transaction() as session:
        session.add(AlertRule(account_id=account_id, kind=AlertKind.BALANCE_AMOUNT, amount_usd=DEFAULT_USD))


def add(account_id: UUID, terms: RuleTerms, *, by: UUID) -> UUID:
    """The rule watches from now on; its id. Raises InvalidRequest, Forbidden, Conflict for one too many or one that is there."""
    with transaction() as session:
        _require_owner(account_id, by)
        _check(session, account_id, terms)
        lock_name(f"alert rules of {account_id}")
        if (session.scalar(select(func.count()).where(AlertRule.account_id == account_id)) or 0) >= MAX_RULES:
            raise Conflict(f"An account has at most {MAX_RULES} alerts. Remove one that is not needed any more.")
        _require_new(session, account_id, terms, but=None)
        rule = AlertRule(account_id=account_id)
        _put(rule, terms)
        session.add(rule)
        session.flush()
        _record("alert_rule.add", rule, by, {"line": [None, written(terms)]})
        return rule.id


def change(account_id: UUID, rule_id: UUID, terms: RuleTerms, *, by: UUID, seen_version: int | None) -> None:
    """The rule watches this from now on. Where more than the letter differs, what it told before counts no more.

    Raises as `add`, and NotFound.
    """
    with transaction() as session:
        _require_owner(account_id, by)
        _check(session, account_id, terms)
        lock_name(f"alert rules of {account_id}")
        rule = _rule(session, account_id, rule_id)
        _require_new(session, account_id, terms, but=rule_id)
        rule.claim(seen_version)
        before = terms_of(rule)
        _put(rule, terms)
        if replace(before, by_mail=terms.by_mail) != terms:
            rule.is_armed, rule.fired_at, rule.looked_at, rule.armings = False, None, None, rule.armings + 1
            rule.watched_since = now()
        _record("alert_rule.change", rule, by, {"line": [written(before), written(terms)]})


def remove(account_id: UUID, rule_id: UUID, *, by: UUID) -> None:
    """Nobody is told of it any more; what was told stays. Raises NotFound, Forbidden."""
    with transaction() as session:
        _require_owner(account_id, by)
        rule = _rule(session, account_id, rule_id)
        _record("alert_rule.remove", rule, by, {"line": [written(terms_of(rule)), None]})
        session.execute(delete(AlertRule).where(AlertRule.id == rule.id))


def terms_of(rule: AlertRule) -> RuleTerms:
    line = rule.amount_usd if rule.amount_usd is not None else Decimal(rule.number or 0)
    return RuleTerms(AlertKind(rule.kind), line, rule.api_key_id, rule.member_id, rule.by_mail)


def written(terms: RuleTerms) -> str:
    """The rule in one line, for the audit log."""
    about = f" of key {terms.api_key_id}" if terms.api_key_id else f" of member {terms.member_id}" if terms.member_id else ""
    return f"{terms.kind} {format_decimal(terms.line)}{about}{'' if terms.by_mail else ', no letter'}"


def _put(rule: AlertRule, terms: RuleTerms) -> None:
    rule.kind, rule.by_mail = terms.kind, terms.by_mail
    rule.amount_usd = terms.line if terms.kind.is_amount else None
    rule.number = None if terms.kind.is_amount else int(terms.line)
    rule.api_key_id, rule.member_id = terms.api_key_id, terms.member_id


def _check(session: Session, account_id: UUID, terms: RuleTerms) -> None:
    if terms.kind.is_amount:
        if not 0 < terms.line <= MAX_USD:
            raise InvalidRequest(f"More than zero, and at most {display_usd(MAX_USD)}.", param="line")
    else:
        least, most = BOUNDS[terms.kind]
        if terms.line != int(terms.line) or not least <= terms.line <= most:
            raise InvalidRequest(f"A whole number from {least} to {most}.", param="line")
    has_subject = terms.api_key_id is not None or terms.member_id is not None
    if has_subject and not terms.kind.is_budget:
        raise InvalidRequest("The balance is that of the whole account.", param="subject")
    if terms.api_key_id is not None:
        key = session.get(ApiKey, terms.api_key_id)
        if key is None or key.account_id != account_id:
            raise InvalidRequest("There is no such key.", param="subject")
    is_member = select(Membership.id).where(Membership.account_id == account_id, Membership.user_id == terms.member_id)
    if terms.member_id is not None and session.scalar(is_member) is None:
        raise InvalidRequest("There is no such member.", param="subject")


def _require_new(session: Session, account_id: UUID, terms: RuleTerms, *, but: UUID | None) -> None:
    rules = session.scalars(select(AlertRule).where(AlertRule.account_id == account_id, AlertRule.id != but))
    same = [rule for rule in rules if terms_of(rule).line == terms.line and rule.kind == terms.kind]
    if any((rule.api_key_id, rule.member_id) == (terms.api_key_id, terms.member_id) for rule in same):
        raise InvalidRequest("There is such an alert already.", param="line")


def _require_owner(account_id: UUID, by: UUID) -> None:
    if accounts.home_of(by) != account_id:
        raise Forbidden("Only an owner of the account decides what it is told.")


def _rule(session: Session, account_id: UUID, rule_id: UUID) -> AlertRule:
    rule = session.get(AlertRule, rule_id, with_for_update=True, populate_existing=True)
    if rule is None or rule.account_id != account_id:
        raise NotFound("There is no such alert.")
    return rule


def _record(action: str, rule: AlertRule, by: UUID, changes: dict[str, list[str | None]]) -> None:
    staff.record(staff.actor_of(by), action, "alert_rule", rule.id, account_id=rule.account_id, changes=changes)
