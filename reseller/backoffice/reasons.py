"""Why somebody does what they do: whatever a form of staff changes, it says why, and the audit row keeps it."""

from flask import request

from reseller.errors import InvalidRequest

MAX_CHARACTERS = 500


def reason_given() -> str:
    """The reason in the form. Raises InvalidRequest without one."""
    reason = request.form.get("reason", "").strip()
    if not reason or len(reason) > MAX_CHARACTERS or "\x00" in reason:
        raise InvalidRequest(f"Say why, in at most {MAX_CHARACTERS} characters.", param="reason")
    return reason
