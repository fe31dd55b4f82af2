"""Kept-alive connections to one fixed host, newest first: opened in bounded time, checked before reuse.

Not a queue: there is no upper bound on connections in use (the limits of accounts are that
bound) and nobody waits for one; only the number of idle ones is capped. TLS is verified against
the system's and certifi's authorities, and its session is kept, because a handshake costs about
a millisecond of processor time. Proxies of the environment are not used.
"""

import ssl
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import certifi
import gevent
import gevent.ssl
import structlog
from gevent import socket
from gevent.monkey import get_original

from reseller.clients.failures import DOWN
from reseller.clock import monotonic
from reseller.errors import UpstreamDown

MAX_KEPT = 4000
KEPT_SECONDS = 50.0
"""Most servers close idle connections after 60 s or more; those that do it sooner are noticed by the check."""
ADDRESS_SECONDS = 30.0

_poll = get_original("select", "poll")
_POLLIN = 1
"""The system's own poll: with no waiting there is nothing to cooperate about. (`select` fails above 1,024 sockets.)"""

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Connection:
    """One socket; `is_kept` once it has served an exchange before."""

    socket: Any
    is_kept: bool = False
    idle_since: float = 0.0


class Connections:
    """Connections to the host of `base_url`. Safe for any number of greenlets of one thread."""

    def __init__(self, base_url: str, *, connect_seconds: float = 5.0, max_kept: int = MAX_KEPT, tls: ssl.SSLContext | None = None) -> None:
        """`connect_seconds` covers name, connection and handshake together. `tls` replaces the authorities."""
        url = urlsplit(base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("an upstream needs a full http:// or https:// address")
        if url.username or url.password or url.query or url.fragment:
            raise ValueError("an upstream's address is a host and a path, nothing else")
        self._host = url.hostname
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._tls = _strict(tls or _verified_tls()) if url.scheme == "https" else None
        self._tls_session: Any = None
        self._connect_seconds = connect_seconds
        self._max_kept = max_kept
        self._kept: deque[Connection] = deque()
        self._addresses: list[Any] = []
        self._addresses_until = 0.0
        self.host_header = url.netloc
        self.path_prefix = url.path.rstrip("/")

    @property
    def kept(self) -> int:
        """Idle connections ready for reuse."""
        return len(self._kept)

    def take(self) -> Connection:
        """A connection that is alive as far as one can see. Raises UpstreamDown when none can be made."""
        while self._kept:
            connection = self._kept.pop()
            if monotonic() - connection.idle_since < KEPT_SECONDS and _is_quiet(connection.socket):
                return connection
            self.drop(connection)
        return Connection(self._connect())

    def give_back(self, connection: Connection) -> None:
        """It may serve the next exchange. Those idle for too long go, oldest first."""
        now = monotonic()
        if self._tls is not None and not connection.is_kept:
            self._tls_session = connection.socket.session
        connection.is_kept = True
        connection.idle_since = now
        self._kept.append(connection)
        while len(self._kept) > self._max_kept or now - self._kept[0].idle_since >= KEPT_SECONDS:
            self.drop(self._kept.popleft())

    def drop(self, connection: Connection) -> None:
        """Closed; a greenlet that waits on it wakes with an error. Unread bytes make the peer see a reset at once."""
        try:
            connection.socket.close()
        except (OSError, ValueError):
            log.debug("connection_close_failed", host=self._host)

    def close(self) -> None:
        """No idle connection is left."""
        while self._kept:
            self.drop(self._kept.pop())

    def _connect(self) -> Any:
        """A new connection, tried twice: a connect error is the one failure that may be repeated (promise R32)."""
        limit = gevent.Timeout.start_new(self._connect_seconds)
        try:
            try:
                return self._open()
            except ssl.SSLCertVerificationError:
                raise
            except OSError:
                self._addresses = []
                return self._open()
        except gevent.Timeout as expired:
            if expired is not limit:
                raise
            raise UpstreamDown(DOWN) from None
        except OSError as error:
            alarm = "upstream_certificate_refused" if isinstance(error, ssl.SSLCertVerificationError) else None
            raise UpstreamDown(DOWN, alarm=alarm) from error
        finally:
            limit.close()

    def _open(self) -> Any:
        addresses = self._resolve()
        for position, (family, kind, protocol, _, address) in enumerate(addresses, start=1):
            is_last = position == len(addresses)
            try:
                return self._open_one((family, kind, protocol), address, seconds=None if is_last else self._connect_seconds / 2)
            except ssl.SSLCertVerificationError:
                raise
            except OSError:
                if is_last:
                    raise
        raise OSError("the name has no address")

    def _open_one(self, kind: tuple[int, int, int], address: Any, *, seconds: float | None) -> Any:
        connection = socket.socket(*kind)
        try:
            connection.settimeout(seconds)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.connect(address)
            if self._tls is None:
                return connection
            return self._tls.wrap_socket(connection, server_hostname=self._host, suppress_ragged_eofs=False, session=self._tls_session)
        except BaseException:
            connection.close()
            raise

    def _resolve(self) -> list[Any]:
        if not self._addresses or monotonic() >= self._addresses_until:
            self._addresses = socket.getaddrinfo(self._host, self._port, 0, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            self._addresses_until = monotonic() + ADDRESS_SECONDS
        return self._addresses


def _verified_tls() -> Any:
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


def _strict(context: Any) -> Any:
    """An answer that was cut without TLS's own goodbye is an error, also where Python asks OpenSSL to overlook it."""
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # OpenSSL 1.1.1 has no such option
    return context


def _is_quiet(connection: Any) -> bool:
    """An idle connection must have nothing to say: readable means closed by the peer, or out of step."""
    poller = _poll()
    try:
        poller.register(connection.fileno(), _POLLIN)
        return not poller.poll(0)
    except (OSError, ValueError):
        return False
