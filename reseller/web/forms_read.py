"""Forms are read within a time, and few of one network at once: who sends one byte by byte keeps a connection, and no more (R29, R31).

A form has usually arrived with its head. Read here, before anything looks into it.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from flask import abort, request
from gevent import Timeout
from werkzeug.exceptions import RequestTimeout

from reseller.domain.identity.throttle import network_of
from reseller.web.client_address import client_address
from reseller.wiring import wiring

FORM_SECONDS = 10.0
OF_A_NETWORK, OF_ALL = 40, 400
"""Forms that are being read at once."""


class TooSlow(RequestTimeout):
    description = "The form did not arrive in time. Nothing was changed; go back and send it again."


class Readers:
    """Forms of one process that have not arrived yet."""

    def __init__(self) -> None:
        self._by_network: Counter[str] = Counter()

    @contextmanager
    def reading(self, network: str) -> Iterator[None]:
        """One form more is being read; 429 if there are too many already, 408 after FORM_SECONDS."""
        if self._by_network[network] >= OF_A_NETWORK or self._by_network.total() >= OF_ALL:
            abort(429, "Too many forms are being sent from your network at once. Try again in a moment.")
        self._by_network[network] += 1
        try:
            with Timeout(FORM_SECONDS, TooSlow()):
                yield
        finally:
            self._by_network[network] -= 1
            if not self._by_network[network]:
                del self._by_network[network]


def read(readers: Readers) -> None:
    """The form of this request has arrived; what waits longer is refused."""
    if request.method == "POST":
        with readers.reading(network_of(client_address(request, wiring().settings.trusted_proxies))):
            request.form  # noqa: B018 - parsed and kept by the request
