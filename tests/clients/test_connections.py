"""Connections are opened in bounded time, verified, checked before reuse, and replaced when they died."""

import ssl
import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from reseller.clients import connections as connections_module
from reseller.clients.connections import Connections
from reseller.clients.failures import BrokenAnswer
from reseller.errors import UpstreamDown, UpstreamTimeout
from tests.clients.exchanges import OK, post, read, transport_to
from tests.clients.raw_server import RawServer
from tests.fakes.openrouter import FakeOpenRouter

Serve = Callable[..., RawServer]


def test_a_kept_connection_that_the_server_closed_is_not_used(serve: Serve) -> None:
    server = serve(OK, OK, ending="close")
    transport, _ = transport_to(server.base_url)
    first = read(transport)
    assert server.closed.wait(5)

    second = read(transport)

    assert (first, second) == (b"ok", b"ok")
    assert server.connections == 2


def test_a_dead_kept_connection_that_took_no_byte_is_replaced(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """R32: sent once more only where no byte was accepted."""
    server = serve(OK, OK, ending="reset")
    transport, _ = transport_to(server.base_url)
    read(transport)
    assert server.closed.wait(5)
    monkeypatch.setattr(connections_module, "_is_quiet", lambda connection: True)

    assert read(transport) == b"ok"
    assert len(server.requests) == 2


def test_nobody_listening_is_told_at_once() -> None:
    transport, _ = transport_to("http://127.0.0.1:9/v1")
    started = time.monotonic()

    with pytest.raises(UpstreamDown):
        post(transport)

    assert time.monotonic() - started < 1


def test_a_connect_error_is_tried_once_more(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """R32: a connect error is the one failure that is repeated, once."""
    transport, connections = transport_to(serve(OK).base_url)
    real = Connections._open
    failures = [OSError("first")]
    monkeypatch.setattr(Connections, "_open", lambda self: _fail_or(failures, real, self))

    answer = read(transport)

    assert answer == b"ok"
    assert failures == []


def _fail_or(failures: list[OSError], real: Callable[[Connections], Any], connections: Connections) -> Any:
    if failures:
        raise failures.pop()
    return real(connections)


def test_idle_connections_are_capped() -> None:
    with FakeOpenRouter() as fake:
        connections = Connections(fake.base_url, max_kept=2)
        taken = [connections.take() for _ in range(5)]

        for connection in taken:
            connections.give_back(connection)

        assert connections.kept == 2
        connections.close()
        assert connections.kept == 0


@pytest.mark.parametrize("url", ["ftp://x", "openrouter.ai/api", "http://user:pw@x/", "http://x/?a=1", ""])
def test_an_address_that_is_not_one_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="upstream"):
        Connections(url)


def test_an_unknown_certificate_is_refused_and_told_to_staff(serve: Serve, server_tls: ssl.SSLContext) -> None:
    transport, _ = transport_to(serve(OK, tls=server_tls).base_url)

    with pytest.raises(UpstreamDown) as refused:
        post(transport)

    assert refused.value.alarm == "upstream_certificate_refused"


def test_encrypted_connections_are_kept_too(serve: Serve, server_tls: ssl.SSLContext, client_tls: Any) -> None:
    server = serve(OK, OK, OK, tls=server_tls)
    transport, _ = transport_to(server.base_url, tls=client_tls)

    answers = [read(transport) for _ in range(3)]

    assert answers == [b"ok"] * 3
    assert server.connections == 1


def test_a_cut_encrypted_answer_without_length_is_broken(serve: Serve, server_tls: ssl.SSLContext, client_tls: Any) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\n\r\nhalf of it", tls=server_tls, ending="close")
    transport, _ = transport_to(server.base_url, tls=client_tls)

    with pytest.raises(BrokenAnswer):
        read(transport)


def test_an_encrypted_answer_that_stalls_is_given_up(serve: Serve, server_tls: ssl.SSLContext, client_tls: Any) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"", tls=server_tls)
    transport, _ = transport_to(server.base_url, tls=client_tls)

    with pytest.raises(UpstreamTimeout):
        read(transport)


def test_closing_wakes_a_reader_of_an_encrypted_stream(serve: Serve, server_tls: ssl.SSLContext, client_tls: Any) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"", tls=server_tls)
    transport, _ = transport_to(server.base_url, tls=client_tls, idle_seconds=30)
    exchange = post(transport)
    reader = gevent.spawn(exchange.read_all)
    reader.join(timeout=0.1)

    exchange.close()

    with pytest.raises(BrokenAnswer):
        reader.get(timeout=10)
