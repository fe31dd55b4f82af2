"""What a page of usage is asked to show, all of it in the address: links can be kept, sent and pressed by programs."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import flash, request

from reseller.domain import usage
from reseller.domain.usage.account_sums import Slice
from reseller.domain.usage.breakdown import Grouped
from reseller.errors import NotFound
from reseller.portal import acting
from reseller.web import ranges
from reseller.web.ranges import Chosen

MAX_HOURLY_DAYS = 14
HOURLY_DAYS = 2  # up to so many days hours say more than days
MAX_CHARACTERS = 200

MEASURES = {"charge": "Charge", "calls": "Calls", "tokens": "Tokens", "errors": "Errors and refusals", "latency": "Latency"}
GROUPS: dict[str, Grouped | None] = {"none": None, "model": "model", "key": "key"}
KINDS = {"live": False, "test": True}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which calls of the account: of one model, with one key, with live or test keys."""

    model: str | None
    key_id: UUID | None
    kind: str | None

    @property
    def args(self) -> dict[str, Any]:
        """As an address has them."""
        named = {"model": self.model, "key": str(self.key_id) if self.key_id else None, "kind": self.kind}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Choices:
    """A range, filters, and what is drawn of it."""

    chosen: Chosen
    filters: Filters
    measure: str
    group: str
    is_hourly: bool

    @property
    def args(self) -> dict[str, Any]:
        """The arguments that lead to this page again."""
        drawn = {"measure": self.measure, "group": self.group, "step": "hour" if self.is_hourly else "day"}
        return self.chosen.args | self.filters.args | drawn

    def slice(self) -> Slice:
        """The calls asked for: whole days, so that what comes later today is in them when it comes."""
        period, filters = self.chosen.period, self.filters
        is_test = KINDS[filters.kind] if filters.kind else None
        return Slice(acting.scope().account_id, period.start, period.whole_end, filters.model, filters.key_id, is_test)


def choices() -> Choices:
    """What the address asks for. What it cannot mean is told or left out. Raises NotFound for a key that is not the account's."""
    chosen = ranges.chosen()
    days = chosen.period.days
    step = request.args.get("step") or ("hour" if days <= HOURLY_DAYS else "day")
    if step == "hour" and days > MAX_HOURLY_DAYS:
        flash(f"Hours are shown for up to {MAX_HOURLY_DAYS} days. Showing days.", "error")
        step = "day"
    return Choices(chosen, filters(), _one_of(MEASURES, "measure", "charge"), _one_of(GROUPS, "group", "none"), step == "hour")


def filters() -> Filters:
    """The filters of the address. Raises NotFound for a key that is not the account's."""
    kind = request.args.get("kind")
    return Filters(clean(request.args.get("model")), _key(clean(request.args.get("key"))), kind if kind in KINDS else None)


def clean(given: str | None) -> str | None:
    """Text that can be the name of something; None for what cannot."""
    text = (given or "").strip()
    return text if text and len(text) <= MAX_CHARACTERS else None


def _key(given: str | None) -> UUID | None:
    if given is None:
        return None
    try:
        key_id = UUID(given)
    except ValueError:
        raise NotFound("There is no such key.") from None
    if key_id not in usage.labels_of_keys(acting.scope().account_id, [key_id]):
        raise NotFound("There is no such key.")
    return key_id


def _one_of(options: dict[str, Any], name: str, default: str) -> str:
    given = request.args.get(name, default)
    return given if given in options else default
