"""Which pricing rule wins for a model and an account. Pure.

Order, each step deciding only where the ones before are equal: the highest priority number;
the more specific pattern (a pattern without wildcards first, then more literal characters,
then fewer wildcards); a rule for this account alone before one for everybody; the newer rule.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Rule:
    """A pricing rule as the domain reasons about it. `min_cost_nano` is in nano-dollars."""

    id: UUID
    model_pattern: str
    markup_percent: Decimal
    min_cost_nano: int
    priority: int
    effective_from: datetime
    created_at: datetime
    account_id: UUID | None = None  # None: for everybody
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule and why it lost; `lost_because` is None for the winner."""

    rule: Rule
    lost_because: str | None


def matches(model_pattern: str, model: str) -> bool:
    """Whether the pattern covers the model's name, case-sensitively: `*` any characters, `?` exactly one, all else itself."""
    return _compiled(model_pattern).fullmatch(model) is not None


def winner(rules: Iterable[Rule], model: str, *, account_id: UUID | None, at: datetime) -> Rule | None:
    """The one rule that prices this model for this account at this instant, or None: then it is not for sale."""
    candidates = [rule for rule in rules if _excluded(rule, model, account_id, at) is None]
    return max(candidates, key=_rank, default=None)


def ranking(rules: Iterable[Rule], model: str, *, account_id: UUID | None, at: datetime) -> list[Candidate]:
    """Every rule, the winner first, then the losers in order, then those that did not take part; each with the reason."""
    known = list(rules)
    reasons = {rule.id: _excluded(rule, model, account_id, at) for rule in known}
    ordered = sorted((rule for rule in known if reasons[rule.id] is None), key=_rank, reverse=True)
    best = ordered[:1]
    lost = [Candidate(rule, _why_lost(rule, ordered[0])) for rule in ordered[1:]]
    absent = [Candidate(rule, reasons[rule.id]) for rule in sorted(known, key=_rank, reverse=True) if reasons[rule.id]]
    return [Candidate(rule, None) for rule in best] + lost + absent


def _excluded(rule: Rule, model: str, account_id: UUID | None, at: datetime) -> str | None:
    if not rule.is_active:
        return "retired"
    if rule.effective_from > max(at, rule.created_at):  # made to hold at once, it does for whoever knows it, whatever their clock says
        return f"not in effect before {rule.effective_from.isoformat()}"
    if rule.account_id is not None and rule.account_id != account_id:
        return "for another account"
    if not matches(rule.model_pattern, model):
        return "does not match the model"
    return None


def _why_lost(rule: Rule, best: Rule) -> str:
    if rule.priority != best.priority:
        return f"lower priority ({rule.priority} < {best.priority})"
    if _specificity(rule.model_pattern) != _specificity(best.model_pattern):
        return "less specific pattern"
    if (rule.account_id is None) != (best.account_id is None):
        return "the winner is for this account alone"
    return "older rule"


def _rank(rule: Rule) -> tuple[int, tuple[bool, int, int], bool, datetime, int]:
    return rule.priority, _specificity(rule.model_pattern), rule.account_id is not None, rule.created_at, rule.id.int


def _specificity(pattern: str) -> tuple[bool, int, int]:
    wildcards = pattern.count("*") + pattern.count("?")
    return wildcards == 0, len(pattern) - wildcards, -wildcards


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Each piece between two stars is taken where it first fits and never looked for again (an atomic group): what comes
    after it loses nothing by that, and with backtracking six stars already keep the process busy for minutes."""
    first, *others = pattern.split("*")
    if not others:
        return re.compile(_literal(first), re.DOTALL)
    between = "".join(f"(?>.*?{_literal(piece)})" for piece in others[:-1] if piece)
    return re.compile(f"{_literal(first)}{between}.*{_literal(others[-1])}", re.DOTALL)


def _literal(piece: str) -> str:
    return "".join("." if character == "?" else re.escape(character) for character in piece)
