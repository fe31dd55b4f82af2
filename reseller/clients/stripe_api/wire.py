"""The SDK as we use it: one pool of connections for all greenlets, bounded waits, our own errors.

The SDK's default session is one per thread, which under gevent is one per greenlet and so a TLS handshake per call; its default
timeout is 80 seconds. What it says when something fails can hold whole bodies, so none of its exceptions is passed on or chained.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import stripe
import structlog
from requests.adapters import HTTPAdapter

from reseller.clients.stripe_api.contract import StripeDown, StripeRefused
from reseller.clients.stripe_api.reading import storable

CONNECT_SECONDS, READ_SECONDS = 3.0, 15.0
RETRIES = 1
"""By the SDK, with the same idempotency key, after half a second."""
POOL_CONNECTIONS = 8
API_VERSION = stripe.api_version
"""The version that this release of the SDK was written for, whatever the account's default is (docs.stripe.com/api/versioning)."""
MAX_MESSAGE_CHARACTERS = 300
_SECRET = re.compile(r"\b(?:sk|rk|pk|whsec)_[A-Za-z0-9_*]+")

log = structlog.get_logger()
logging.getLogger("stripe").setLevel(logging.WARNING)  # below that it tells the bodies of requests and answers


def client_of(secret_key: str, api_base: str) -> stripe.StripeClient:
    """The SDK's client of this key. `api_base` "" is Stripe itself."""
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=POOL_CONNECTIONS, pool_block=True))
    return stripe.StripeClient(
        secret_key,
        http_client=stripe.RequestsClient(session=session, timeout=(CONNECT_SECONDS, READ_SECONDS)),
        stripe_version=API_VERSION,
        max_network_retries=RETRIES,
        base_addresses={"api": api_base.rstrip("/")} if api_base else {},
    )


@contextmanager
def asking() -> Iterator[None]:
    """Whatever the SDK raises inside is StripeDown or StripeRefused, and in the log."""
    try:
        yield
    except stripe.StripeError as error:
        trouble = _trouble(error)
        told = {"kind": type(error).__name__, "status": error.http_status, "code": error.code, "request_id": error.request_id}
        log.warning("stripe_down" if isinstance(trouble, StripeDown) else "stripe_refused", error=str(trouble), **told)
        raise trouble from None


def plain(found: Any) -> dict[str, Any]:
    """An object of the SDK's as a dict that a database can keep. Raises StripeDown for what is none."""
    if not isinstance(found, stripe.StripeObject):
        raise StripeDown("Stripe answers with no object")
    told: dict[str, Any] = storable(found.to_dict())
    return told


def _trouble(error: stripe.StripeError) -> StripeDown | StripeRefused:
    """Source: docs.stripe.com/api/errors and docs.stripe.com/error-low-level, 2026-10: 409, 424 and 429 are to be tried again.

    401 says nothing of what was asked, only that our key is none any more: what was under way stays in doubt. Other 4xx are a no.
    """
    status = error.http_status
    if status is None:
        return StripeDown("Stripe cannot be reached")
    if status == 401:
        return StripeDown(f"Stripe does not take our key: {_safe(error.user_message)}")
    is_busy = status in (409, 424, 429) or isinstance(error, stripe.RateLimitError)
    if is_busy or not 400 <= status < 500 or error.error is None:
        return StripeDown(f"Stripe answers with status {status}")
    code = error.code or error.error.to_dict().get("type")
    return StripeRefused(_safe(error.user_message), code, getattr(error, "param", None))


def _safe(message: str | None) -> str:
    """Stripe's words without keys, on one line, and not endless."""
    line = " ".join(_SECRET.sub("…", message or "Stripe refuses without a reason.").split())
    return line[:MAX_MESSAGE_CHARACTERS]
