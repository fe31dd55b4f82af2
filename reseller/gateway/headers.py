"""Response headers of the API. Names and units: OpenAI's and go-openai's (`x-ratelimit-reset-*` is a Go duration)."""

from flask import Response

from reseller.domain.calls import Admitted
from reseller.domain.limits import Allowance
from reseller.money import format_nano

EXPOSED = "x-request-id, x-request-cost, x-credits-remaining, x-should-retry, retry-after, retry-after-ms, " + ", ".join(
    f"x-ratelimit-{what}-requests{window}" for window in ("", "-minute", "-hour", "-day") for what in ("limit", "remaining", "reset")
)
ALLOWED_METHODS = "GET, POST, OPTIONS"
PREFLIGHT_SECONDS = "86400"


def go_duration(seconds: float) -> str:
    """A length of time as Go prints it: "12ms", "1.5s", "6m0s", "1h2m3s"."""
    if seconds < 1:
        return f"{max(round(seconds * 1000), 0)}ms"
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    if minutes:
        return f"{minutes}m{rest}s"
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def allowance_headers(allowance: Allowance) -> list[tuple[str, str]]:
    """The tightest window under the plain names, every window under its own."""
    headers = []
    tightest = allowance.tightest
    for use in allowance.windows:
        names = [f"-{use.name}"] + ([""] if use is tightest else [])
        for suffix in names:
            headers.append((f"x-ratelimit-limit-requests{suffix}", str(use.limit)))
            headers.append((f"x-ratelimit-remaining-requests{suffix}", str(use.remaining)))
            headers.append((f"x-ratelimit-reset-requests{suffix}", go_duration(use.reset_seconds)))
    return headers


def call_headers(admitted: Admitted, charge_nano: int | None = None) -> list[tuple[str, str]]:
    """Headers of an admitted call; with its charge where that is known before the body."""
    headers = allowance_headers(admitted.allowance)
    if charge_nano is not None:
        headers.append(("x-request-cost", format_nano(charge_nano)))
        headers.append(("x-credits-remaining", format_nano(admitted.available_nano + admitted.hold_nano - charge_nano)))
    return headers


def allow_browsers(response: Response, asked_headers: str | None) -> Response:
    """CORS for any origin, never with credentials: the key is the credential and the page must hold it itself."""
    response.headers.add("Access-Control-Allow-Origin", "*")  # nobody else sets these, so nothing need be looked for
    response.headers.add("Access-Control-Expose-Headers", EXPOSED)
    if asked_headers is not None:
        response.headers["Access-Control-Allow-Methods"] = ALLOWED_METHODS
        response.headers["Access-Control-Allow-Headers"] = asked_headers[:2000]
        response.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
        response.headers["Vary"] = "Access-Control-Request-Headers"
    return response
