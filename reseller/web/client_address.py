"""Where a request comes from, as far as routers in front may be believed."""

from flask import Request


def client_address(request: Request, trusted_proxies: int) -> str:
    """The client's address: the socket's, or as many steps into X-Forwarded-For as proxies are trusted."""
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if trusted_proxies and len(forwarded) >= trusted_proxies:
        return forwarded[-trusted_proxies]
    return request.remote_addr or ""
