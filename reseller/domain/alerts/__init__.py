"""Alerts: what customers want to be told about their balance and their spending, told once a crossing: by letter, event and page.

Credit that is used up and limits that were hit are told by event alone, without a rule.
A budget here tells and stops nothing; a key's spend limit stops. Alarms of staff are another thing (`alarms`).
"""

from reseller.domain.alerts.hit_limits import tell_of_hits
from reseller.domain.alerts.reading import (
    ListedAlert,
    ListedRule,
    Subjects,
    dismiss,
    rule_of,
    rules_of,
    subjects_of,
    told,
    undismissed,
)
from reseller.domain.alerts.rules import BOUNDS, DEFAULT_USD, MAX_RULES, MAX_USD, RuleTerms, add, change, furnish, remove
from reseller.domain.alerts.sweeping import sweep
from reseller.domain.alerts.tables import Alert, AlertKind, AlertRule

__all__ = [
    "BOUNDS", "DEFAULT_USD", "MAX_RULES", "MAX_USD", "Alert", "AlertKind", "AlertRule", "ListedAlert", "ListedRule", "RuleTerms",
    "Subjects", "add", "change", "dismiss", "furnish", "remove", "rule_of", "rules_of", "subjects_of", "sweep", "tell_of_hits", "told",
    "undismissed",
]  # fmt: skip
