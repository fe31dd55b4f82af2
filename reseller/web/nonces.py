"""Nonces: ids that a form brings along, so that the same form sent twice is carried out once."""

from datetime import timedelta
from uuid import UUID

from flask import request

from reseller.clock import instant_of, now
from reseller.errors import InvalidRequest

AHEAD = timedelta(hours=1)  # another process's clock


def nonce_given(lasts: timedelta) -> UUID:
    """The id that the form brought along, made by us not longer ago than a session lasts. Raises InvalidRequest for none.

    It becomes the key of a row: one of another time would stand at a place in lists where nobody looks for it.
    """
    try:
        nonce = UUID(request.form.get("nonce", ""))
        is_ours = nonce.version == 7 and -lasts <= instant_of(nonce) - now() <= AHEAD
    except (ValueError, OverflowError):  # no id, or of an instant that no calendar has
        is_ours = False
    if not is_ours:
        raise InvalidRequest("The form is not complete, or too old. Open the page again; nothing was changed.")
    return nonce
