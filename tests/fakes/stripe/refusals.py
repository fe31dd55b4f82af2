"""How Stripe refuses. Source: docs.stripe.com/api/errors."""

from typing import Any


class Refused(Exception):
    """An answer that is an error object."""

    def __init__(self, message: str, *, status: int = 400, kind: str = "invalid_request_error", **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": kind, "message": message, **more}


def missing(kind: str, id_: str, param: str = "id") -> Refused:
    return Refused(f"No such {kind}: '{id_}'", status=404, code="resource_missing", param=param)


def unknown(param: str) -> Refused:
    return Refused(f"Received unknown parameter: {param}", code="parameter_unknown", param=param)


def needed(param: str) -> Refused:
    return Refused(f"Missing required param: {param}.", code="parameter_missing", param=param)


def invalid(param: str, message: str) -> Refused:
    return Refused(message, code="parameter_invalid", param=param)
