"""What an entry of EVENTS says. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Audience(StrEnum):
    """Who is told: the account it happened to, or every account."""

    ACCOUNT = "account"
    EVERY_ACCOUNT = "every_account"


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event: `fields` is what each name in its payload means, `sample` a payload with these names and no others.

    Amounts of money are decimal strings of US dollars, instants ISO 8601 in UTC, ids UUIDs as text.
    """

    description: str
    fields: Mapping[str, str]
    sample: Mapping[str, Any]
    audience: Audience = Audience.ACCOUNT
