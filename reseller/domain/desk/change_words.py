"""What an audit row says was changed, as people read it. Fields that stayed as they were are not told of."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from reseller.money import exact_usd


@dataclass(frozen=True, slots=True)
class Change:
    """One field, before and after, in words; "" for nothing."""

    field: str
    before: str
    after: str


def changes_told(changes: Mapping[str, Any]) -> tuple[Change, ...]:
    """Pairs are from → to; anything else is what came to be."""
    pairs = {field: value if isinstance(value, list) and len(value) == 2 else [None, value] for field, value in changes.items()}
    return tuple(
        Change(field.removesuffix("_usd").replace("_", " "), _words(field, before), _words(field, after))
        for field, (before, after) in pairs.items()
        if before != after
    )


def _words(field: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    with suppress(ValueError, InvalidOperation):  # rows are for ever; what an older version wrote otherwise stands as it is
        if field.endswith("_at"):
            return f"{datetime.fromisoformat(str(value)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        if field.endswith("_usd"):
            return exact_usd(Decimal(str(value)))
    return str(value)
