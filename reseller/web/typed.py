"""What people write into forms and addresses, read the same everywhere."""

from decimal import Decimal
from uuid import UUID

from flask import abort

from reseller.money import parse_usd

NO_DOLLARS = "Write dollars as 12.50; a $ before it may stand, other signs and separators may not."


def typed_usd(text: str | None) -> Decimal:
    """An amount as people write it: 12.50, $12.50. Raises ValueError."""
    return parse_usd((text or "").strip().removeprefix("$"))


def typed_id(text: str) -> UUID:
    """An id in an address; 404 for what is none."""
    try:
        return UUID(text)
    except ValueError:
        abort(404)
