"""Forms are read within a time, and few of one network at once: who sends one byte by byte keeps a connection, and no more (R29, R31).

A form has usually arrived with its head. Read here, before anything looks into it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import abort, request
from werkzeug.exceptions import RequestTimeout

from reseller.clock import monotonic
from reseller.domain.identity.throttle import network_of
from reseller.slow_senders import SentTooSlowly, SlowSenders
from reseller.web.client_address import client_address
from reseller.wiring import wiring

FORM_SECONDS = 10.0
OF_A_NETWORK, OF_ALL = 40, 400
"""Forms that are being read at once. One more of a network is refused; of all, those that have been waited for longest are ended:
who trickles from many networks must not shut the door to everybody else, whose forms are there."""


class TooSlow(RequestTimeout):
    description = "The form did not arrive in time. Nothing was changed; go back and send it again."


class Readers:
    """Forms of one process that have not arrived yet."""

    def __init__(self) -> None:
        self._by_network: Counter[str] = Counter()
        self._slow_senders = SlowSenders(OF_ALL)

    def read(self, network: str, form: Callable[[], object]) -> None:
        """`form` has been called, which reads it; 429 if too many of its network are being read, 408 when it is ended."""
        with self.place(network):
            try:
                self._slow_senders.read(monotonic() + FORM_SECONDS, form)
            except SentTooSlowly:
                raise TooSlow from None

    @contextmanager
    def place(self, network: str) -> Iterator[None]:
        """Inside, one form more of this network is being read; 429 if there are too many already."""
        if self._by_network[network] >= OF_A_NETWORK:
            abort(429, "Too many forms are being sent from your network at once. Try again in a moment.")
        self._by_network[network] += 1
        try:
            yield
        finally:
            self._by_network[network] -= 1
            if not self._by_network[network]:
                del self._by_network[network]


def read(readers: Readers) -> None:
    """The form of this request has arrived; what waits longer is refused."""
    if request.method == "POST":
        network = network_of(client_address(request, wiring().settings.trusted_proxies))
        readers.read(network, lambda: request.form)  # parsed and kept by the request
