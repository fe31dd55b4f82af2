"""Security headers of every page: a strict Content-Security-Policy without inline script or style, no framing, no sniffing."""

from urllib.parse import urlsplit, urlunsplit

from flask import Flask, Response, request
from werkzeug.routing import RequestRedirect

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)


HTTPS_ONLY = "max-age=31536000"


def install(app: Flask, *, is_https: bool) -> None:
    """Every HTML answer carries the policy; every answer of a page forbids sniffing and, unless it says otherwise, keeping.

    Behind TLS, browsers come back by TLS only. A redirect to the same address with its slash names no host: the one in the
    request may be anybody's, and its scheme is the one inside the platform.
    """

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if response.mimetype == "text/html":
            response.headers.setdefault("Content-Security-Policy", POLICY)
            response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "no-store")
        if is_https:
            response.headers.setdefault("Strict-Transport-Security", HTTPS_ONLY)
        if isinstance(request.routing_exception, RequestRedirect):
            response.location = _on_this_host(request.routing_exception.new_url)
        return response


def _on_this_host(url: str) -> str:
    """The address without its host. Slashes at its beginning become one: two would be a host again."""
    parts = urlsplit(url)
    return urlunsplit(("", "", "/" + parts.path.lstrip("/"), parts.query, ""))
