"""What a key can be made with and changed to, and what is wrong with terms that no key may have. Pure but for the clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from reseller.clock import now
from reseller.domain.keys.tables import SpendPeriod
from reseller.errors import InvalidRequest
from reseller.money import ZERO_USD

MAX_NAME_CHARACTERS = 100
MAX_PATTERNS = 50
MAX_PATTERN_CHARACTERS = 200
MAX_STARS = 8
MAX_SPEND_USD = Decimal(1_000_000)
MAX_LIFE = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class SpendLimit:
    """At most this much in each span of that kind."""

    usd: Decimal
    period: SpendPeriod


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """Everything about a key that people decide. None is no expiry, no limit, every model."""

    name: str
    expires_at: datetime | None = None
    spend: SpendLimit | None = None
    model_patterns: tuple[str, ...] | None = None


def check(terms: KeyTerms) -> KeyTerms:
    """The terms as they are stored. Raises InvalidRequest; its `param` names what is wrong: name, expiry, spend_limit, models."""
    name = terms.name.strip()
    if not name:
        raise InvalidRequest("A key needs a name.", param="name")
    if len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise InvalidRequest(f"A key's name has at most {MAX_NAME_CHARACTERS} characters, all of them printable.", param="name")
    return KeyTerms(name, _expiry(terms.expires_at), _spend(terms.spend), check_patterns(terms.model_patterns))


def _expiry(at: datetime | None) -> datetime | None:
    if at is not None and not now() < at <= now() + MAX_LIFE:
        raise InvalidRequest("A key must expire in the future, within ten years.", param="expiry")
    return at


def _spend(spend: SpendLimit | None) -> SpendLimit | None:
    if spend is not None and not (spend.usd.is_finite() and ZERO_USD < spend.usd <= MAX_SPEND_USD):
        raise InvalidRequest(f"A spend limit is more than zero and at most ${MAX_SPEND_USD:,}.", param="spend_limit")
    return spend


def check_patterns(given: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Each once, in order. Every admission tries them, so they are few and short. Raises InvalidRequest."""
    patterns = tuple(dict.fromkeys(given or ()))
    for pattern in patterns:
        if not 0 < len(pattern) <= MAX_PATTERN_CHARACTERS or not pattern.isprintable() or pattern.count("*") > MAX_STARS:
            limits = f"1 to {MAX_PATTERN_CHARACTERS} printable characters and at most {MAX_STARS} stars"
            raise InvalidRequest(f"A model pattern has {limits}.", param="models")
    if len(patterns) > MAX_PATTERNS:
        raise InvalidRequest(f"A key has at most {MAX_PATTERNS} model patterns.", param="models")
    return patterns or None
