"""Why somebody does what they do: whatever a form of staff changes, it says why, and the audit row keeps it."""

from flask import request

from reseller.errors import InvalidRequest

MAX_CHARACTERS = 500


def reason_given() -> str:
    """The reason in the form. Raises InvalidRequest without one, or for one that is too long."""
    reason = note_given()
    if not reason:
        raise _refusal()
    return reason


def note_given() -> str:
    """The same, where none is needed."""
    note = request.form.get("reason", "").strip()
    if len(note) > MAX_CHARACTERS or "\x00" in note:
        raise _refusal()
    return note


def _refusal() -> InvalidRequest:
    return InvalidRequest(f"Say why, in at most {MAX_CHARACTERS} characters.", param="reason")
