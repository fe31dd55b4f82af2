"""One HTTP request to a receiver of webhooks: to an address that a customer chose, and so to nobody's friend (promise R33), or to
the operator's own.

The host is resolved once, every answer must be within the sender's `Reach`, and the connection goes to one of those answers: a name
that changes its mind between check and use gains nothing. No redirects, no proxies, no cookies, no content encodings. Everything
together, from the name to the last byte, has one deadline: a receiver that drips a byte at a time is cut off like one that is
silent. Of what it answers at most MAX_HEAD_BYTES and MAX_BODY_BYTES are kept.

`http.client` and not `requests`: that one bounds each read and not the whole, and chooses the address by itself.
If we die here: the delivery's lease runs out, and the same message is sent again under the same id.
"""

import io
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import SplitResult, urlsplit

import certifi

from reseller.addresses import is_loopback, is_public
from reseller.clients.name_lookup import NotResolved, lookups
from reseller.clock import monotonic

CONNECT_SECONDS = 4.0
"""For one of several addresses."""

MAX_ADDRESSES = 4
MAX_BODY_BYTES = 2_048
MAX_HEAD_BYTES = 16_384
MAX_SHOWN_HEADERS = 30


class NotSent(Exception):
    """Nothing was delivered; the text says why, for whoever gave the address."""


class Reach(Enum):
    """Where a sender may go; which one is decided by who gives the addresses."""

    PUBLIC = "public addresses, over https"
    PUBLIC_OR_HERE = "and this machine, over plain http too: for development and tests alone"
    ANYWHERE = "private networks and plain http too: for an address that the operator gives"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said: `body` is its beginning, `headers` at most MAX_SHOWN_HEADERS of them."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """Where to, once resolved and checked."""

    parts: SplitResult
    host: str
    port: int
    addresses: tuple[str, ...]

    @property
    def path(self) -> str:
        query = f"?{self.parts.query}" if self.parts.query else ""
        return (self.parts.path or "/") + query

    @property
    def host_header(self) -> str:
        return self.parts.netloc.rpartition("@")[2]


class WebhookSender:
    """Posts webhooks; safe for many greenlets or threads at once."""

    def __init__(self, *, user_agent: str, reach: Reach, total_seconds: float) -> None:
        self._user_agent = user_agent
        self._reach = reach
        self._total_seconds = total_seconds

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, owner: str = "") -> Answer:
        """The receiver's answer, whatever its status. Raises NotSent if there was none. `owner`: who gave the address."""
        deadline = monotonic() + self._total_seconds
        try:
            target = self._target(url, deadline, owner)
            with _connected(target, deadline) as wire, _cut_off(wire, deadline) as is_cut:
                try:
                    return self._exchange(wire, target, body, headers)
                except (OSError, HTTPException, ValueError) as error:
                    raise NotSent(self._too_slow() if is_cut.is_set() or isinstance(error, TimeoutError) else _words(error)) from None
        except TimeoutError:
            raise NotSent(self._too_slow()) from None

    def _exchange(self, wire: socket.socket, target: Target, body: bytes, headers: Mapping[str, str]) -> Answer:
        ours = {"Host": target.host_header, "User-Agent": self._user_agent, "Accept-Encoding": "identity", "Connection": "close"}
        with _secured(wire, target) as secured:
            connection = HTTPConnection("receiver")  # never asked for: the connection is there, and so is the Host
            connection.sock = _Wire(secured)
            connection.request("POST", target.path, body, {**ours, "Content-Type": "application/json", **headers})
            response = connection.getresponse()
            return Answer(response.status, _shown(response), _beginning(response))

    def _target(self, url: str, deadline: float, owner: str) -> Target:
        """Raises NotSent for what we do not connect to."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise NotSent("the address cannot be read") from None
        addresses = _resolved(host, port, deadline, owner)
        if not self._may_go_anywhere(addresses):
            if parts.scheme != "https":
                raise NotSent("the address is not https")
            if not all(is_public(address) for address in addresses):
                raise NotSent("its name leads to an address that is not public")
        return Target(parts, host, port, addresses)

    def _may_go_anywhere(self, addresses: Sequence[str]) -> bool:
        is_here = self._reach is Reach.PUBLIC_OR_HERE and all(is_loopback(address) for address in addresses)
        return is_here or self._reach is Reach.ANYWHERE

    def _too_slow(self) -> str:
        return f"no whole answer within {self._total_seconds:g} seconds"


def _resolved(host: str, port: int, deadline: float, owner: str) -> tuple[str, ...]:
    """Every address of the host, asked once. Raises NotSent, TimeoutError."""
    try:
        return lookups().addresses_of(host, port, owner=owner, seconds=deadline - monotonic())
    except NotResolved as error:
        raise NotSent(str(error)) from None


def _connected(target: Target, deadline: float) -> socket.socket:
    """A connection to one of the checked addresses, and to no other. Raises NotSent, TimeoutError."""
    trouble: OSError = ConnectionError("no address")
    tried = target.addresses[:MAX_ADDRESSES]
    for left, address in zip(range(len(tried), 0, -1), tried, strict=True):
        remaining = deadline - monotonic()
        if remaining <= 0:
            raise TimeoutError
        try:
            wire = socket.create_connection((address, target.port), timeout=remaining if left == 1 else min(remaining, CONNECT_SECONDS))
        except OSError as error:
            trouble = error
            continue
        wire.settimeout(max(deadline - monotonic(), 0.001))  # until here it was the time to connect, which is no time for an answer
        return wire
    if isinstance(trouble, TimeoutError):
        raise trouble
    raise NotSent(_words(trouble))


def _secured(wire: socket.socket, target: Target) -> socket.socket:
    """The connection under TLS, where the address says https; it lives in what is returned from then on."""
    return _tls().wrap_socket(wire, server_hostname=target.host) if target.parts.scheme == "https" else wire


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


@contextmanager
def _cut_off(wire: socket.socket, deadline: float) -> Iterator[threading.Event]:
    """Whoever still shakes hands, writes or reads at the deadline finds the connection ended; the event says that it was."""
    is_cut = threading.Event()
    with closing(wire.dup()) as same:  # TLS takes the socket over; this one stays

        def cut() -> None:
            is_cut.set()
            with suppress(OSError):
                same.shutdown(socket.SHUT_RDWR)

        watch = threading.Timer(max(deadline - monotonic(), 0), cut)
        watch.daemon = True
        watch.start()
        try:
            yield is_cut
        finally:
            watch.cancel()


class _Wire:
    """A socket as `http.client` uses it, of which no more than the bounds allow is ever read."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire

    def sendall(self, data: bytes) -> None:
        self._wire.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 - http.client asks for "rb"
        return io.BufferedReader(_Bounded(self._wire), 4_096)

    def close(self) -> None:
        """The connection ends with its own block."""


class _Bounded(io.RawIOBase):
    """What arrives, up to the bounds; then it has ended."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._left = MAX_HEAD_BYTES + 2 * MAX_BODY_BYTES  # chunks have frames

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with memoryview(buffer) as view:
            got = self._wire.recv_into(view[: min(len(view), self._left)]) if self._left else 0
        self._left -= got
        return got


def _beginning(response: HTTPResponse) -> bytes:
    """The first bytes of the body. Once the status is there, the answer counts, whatever becomes of the rest."""
    body = b""
    with suppress(OSError, HTTPException, ValueError):
        while len(body) < MAX_BODY_BYTES and (more := response.read1(MAX_BODY_BYTES - len(body))):
            body += more
    return body


def _shown(response: HTTPResponse) -> dict[str, str]:
    return {name[:100]: value[:200] for name, value in response.getheaders()[:MAX_SHOWN_HEADERS]}


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, HTTPException | ValueError):
        return "what it answered is not HTTP, or too much of it"
    return "the connection was broken off" if isinstance(error, ConnectionError) else "the host was not reached"
