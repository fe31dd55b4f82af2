"""Whose key is this? And how often may one address be wrong about it (promises R21, R31).

Wrong keys are counted per address before any database work; the limit is well above what a
mistaken client sends. A key that this process already knows is never slowed down.
"""

from uuid import UUID

from flask import Request

from reseller.clock import monotonic
from reseller.domain.keys import Caller, has_key_shape
from reseller.errors import InvalidKey
from reseller.web.client_address import client_address
from reseller.web.failures import FailureThrottle
from reseller.wiring import Wiring

FAILURES_PER_MINUTE = 240


class LookUps:
    """A few unknown but well-formed keys a second are looked up whoever asks, so that one address full of wrong
    keys (a router that hides its clients, say) does not lock out the others behind it."""

    def __init__(self, per_second: int = 20) -> None:
        self._per_second = per_second
        self._second, self._left = 0.0, per_second

    def take(self) -> bool:
        """Whether this second has one left."""
        if monotonic() - self._second >= 1:
            self._second, self._left = monotonic(), self._per_second
        self._left -= 1
        return self._left >= 0


_throttle = FailureThrottle(FAILURES_PER_MINUTE, "Too many requests with invalid API keys from this address.")
_look_ups = LookUps()


def identify(request: Request, house: Wiring) -> Caller:
    """The caller behind the request's key. Raises InvalidKey, TooManyFailures."""
    token = presented_key(request)
    known = house.directory.remembered(token)
    if known is not None:
        return known
    address = client_address(request, house.settings.trusted_proxies)
    if not (has_key_shape(token) and _look_ups.take()):
        _throttle.check(address)
    try:
        return house.directory.identify(token)
    except InvalidKey:
        _throttle.failed(address)
        raise


def culprit_of(request: Request, house: Wiring) -> UUID | str:
    """Whose fault a refusal is: the account whose key we know, else the address."""
    known = house.directory.remembered(presented_key(request))
    if known is not None:
        return known.account_id
    return client_address(request, house.settings.trusted_proxies)


def presented_key(request: Request) -> str:
    """The key in `Authorization: Bearer` or `x-api-key`; "" if there is none."""
    header = request.headers.get("Authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.headers.get("x-api-key", "").strip()
