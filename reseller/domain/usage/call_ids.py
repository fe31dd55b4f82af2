"""The ids that customers see for one call. All of them end in the 32 hexadecimal digits of its UUIDv7:
`req_<hex>` in headers and errors, `chatcmpl-<hex>` and the like in bodies; programs may write the bare id too.
"""

import re
from uuid import UUID

from reseller.clock import instant_of

_SHAPE = re.compile(r"(?:[a-z]{2,16}[_-])?([0-9a-f]{32})", re.ASCII | re.IGNORECASE)
_DASHED = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def request_id(call_id: UUID) -> str:
    """How headers, errors and pages write it."""
    return f"req_{call_id.hex}"


def call_id_of(shown_id: str) -> UUID | None:
    """The call that an id in any of these shapes names; None for what is no such id."""
    text = shown_id.strip()
    found = _SHAPE.fullmatch(text)
    if not found and not _DASHED.fullmatch(text):
        return None
    call_id = UUID(found[1] if found else text)
    if call_id.version != 7:
        return None
    try:
        instant_of(call_id)
    except (ValueError, OverflowError):  # an instant that no calendar has
        return None
    return call_id
