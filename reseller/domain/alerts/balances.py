"""Alerts about balances: told when a balance crosses the line downwards, and again only after it was clearly above it.

The balance is the settled one: what calls that run have put aside is still the customer's. Clearly above is a tenth above the line
in dollars, a quarter in days, since the pace wavers by itself. A rule that is new, or was changed, waits until the balance is above
its line: what is low already was known to whoever made it.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text

from reseller.by_itself import each_by_itself
from reseller.clock import now
from reseller.database import transaction
from reseller.domain import ledger
from reseller.domain.alerts.firing import Crossing, fire
from reseller.domain.alerts.tables import AlertKind, AlertRule
from reseller.domain.usage.pace import pace_of
from reseller.money import exact_usd, to_nano, to_usd

AT_A_TIME = 500
LOOK_AGAIN = timedelta(hours=1)
"""The pace of an account that makes no calls falls by itself, too."""
CLEARLY_IN_USD, CLEARLY_IN_DAYS = (11, 10), (5, 4)
"""Armed again at line × the first / the second."""

# Each rule with its balance and its line now. Without a top-up a share of it is no line, and its rule waits.
_LINES = """
SELECT r.id, b.settled_nano, CASE r.kind WHEN 'balance_amount' THEN r.amount_nano ELSE (
         SELECT e.amount_nano FROM ledger_entries e WHERE e.account_id = r.account_id AND e.kind = 'top_up' ORDER BY e.id DESC LIMIT 1
       ) * r.number / 100 END AS line_nano
  FROM alert_rules r JOIN balances b ON b.account_id = r.account_id JOIN accounts a ON a.id = r.account_id AND a.status = 'active'
 WHERE r.kind IN ('balance_amount', 'balance_percent')"""

_ARM = text(
    f"""UPDATE alert_rules r SET is_armed = true, armings = r.armings + 1 FROM ({_LINES} AND NOT r.is_armed) l
         WHERE l.id = r.id AND NOT r.is_armed
           AND l.settled_nano >= CASE WHEN r.fired_at IS NULL THEN l.line_nano ELSE l.line_nano * :more / :less END"""  # noqa: S608
)
_BELOW = text(
    f"""SELECT l.id, l.settled_nano, l.line_nano FROM ({_LINES} AND r.is_armed) l WHERE l.settled_nano < l.line_nano
         ORDER BY l.id LIMIT :limit"""  # noqa: S608
)

_IN_DAYS = text(
    """SELECT r.id FROM alert_rules r JOIN balances b ON b.account_id = r.account_id JOIN accounts a ON a.id = r.account_id
        WHERE r.kind = 'balance_days' AND a.status = 'active'
          AND (r.looked_at IS NULL OR b.updated_at >= r.looked_at - interval '1 minute' OR r.looked_at < :long_ago)
        ORDER BY r.looked_at NULLS FIRST LIMIT :limit"""
)


def sweep() -> int:
    """Whoever's balance has crossed a line of theirs is told; how many crossings.

    One rule that cannot be looked at keeps no other from it, and is raised at the end.
    """
    lines = {"amounts": _sweep_amounts, "days": _sweep_days}
    return each_by_itself(lambda line: lines[line](), lines, of="looking at balances")


def _sweep_amounts() -> int:
    with transaction() as session:
        session.execute(_ARM, dict(zip(("more", "less"), CLEARLY_IN_USD, strict=True)))
    with transaction() as session:
        below = session.execute(_BELOW, {"limit": AT_A_TIME}).all()
    return each_by_itself(
        lambda row: _tell(row.id, int(row.settled_nano), int(row.line_nano)), below, of="telling of balances", named=lambda row: row.id
    )


def _tell(rule_id: UUID, settled_nano: int, line_nano: int) -> bool:
    with transaction() as session:
        query = select(AlertRule).where(AlertRule.id == rule_id, AlertRule.is_armed).with_for_update(skip_locked=True)
        rule = session.scalar(query.execution_options(populate_existing=True))
        if rule is None:
            return False
        rule.is_armed = False
        line = to_usd(line_nano)
        words = exact_usd(line) if rule.kind == AlertKind.BALANCE_AMOUNT else f"{rule.number} % of the last top-up ({exact_usd(line)})"
        return fire(rule, Crossing(words, line, to_usd(settled_nano)))


def _sweep_days() -> int:
    at = now()
    with transaction() as session:
        due = list(session.scalars(_IN_DAYS, {"long_ago": at - LOOK_AGAIN, "limit": AT_A_TIME}))
    return each_by_itself(lambda rule_id: _look_at_days(rule_id, at), due, of="looking at days left")


def _look_at_days(rule_id: UUID, at: datetime) -> bool:
    with transaction() as session:
        query = select(AlertRule).where(AlertRule.id == rule_id).with_for_update(skip_locked=True)
        rule = session.scalar(query.execution_options(populate_existing=True))
        if rule is None:
            return False
        rule.looked_at = at
        settled_nano = ledger.balance_now(rule.account_id).settled_nano
        pace = pace_of(rule.account_id)
        days = rule.number or 0
        line_nano = to_nano(pace.charge_usd) * days // pace.days
        more, less = CLEARLY_IN_DAYS if rule.fired_at else (1, 1)
        if not rule.is_armed:
            # A pace of nothing makes any balance last; it arms no new rule, whose account has not begun.
            is_back = settled_nano * less >= line_nano * more and settled_nano > 0
            rule.is_armed, rule.armings = is_back, rule.armings + is_back
            return False
        if settled_nano >= line_nano:
            return False
        rule.is_armed = False
        return fire(rule, Crossing(f"{days} day{'s' if days > 1 else ''} of use", to_usd(line_nano), to_usd(settled_nano)))
