"""Requests to addresses of strangers: public ones alone, no redirects, one deadline, little memory (R33)."""

import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from reseller.clients import webhook_sender
from reseller.clients.webhook_sender import MAX_BODY_BYTES, NotSent, Reach, WebhookSender
from tests.fakes.receiver import Receiver
from tests.fakes.smtp import certificate

BODY = b'{"type":"key.created"}'
HEADERS = {"webhook-id": "evt_1", "webhook-timestamp": "1", "webhook-signature": "v1,abc"}


@pytest.fixture
def sender() -> WebhookSender:
    return WebhookSender(user_agent="Webhooks/1.0", reach=Reach.PUBLIC_OR_HERE, total_seconds=1.0)


@pytest.fixture
def strict() -> WebhookSender:
    """As in production."""
    return WebhookSender(user_agent="Webhooks/1.0", reach=Reach.PUBLIC, total_seconds=1.0)


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Names resolve to these addresses, the n-th time to the n-th; the hosts that were asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        addresses = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(webhook_sender.socket, "getaddrinfo", getaddrinfo)
    return asked


def catch_connections(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Connections go nowhere; where they would have gone."""
    tried: list[tuple[str, int]] = []

    def create_connection(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(webhook_sender.socket, "create_connection", create_connection)
    return tried


def test_a_message_arrives_as_it_was_signed(receiver: Receiver, sender: WebhookSender) -> None:
    answer = sender.post(receiver.url("/ok?token=a%20b"), BODY, HEADERS)

    [message] = receiver.messages
    assert (message.path, message.body) == ("/ok?token=a%20b", BODY)
    assert HEADERS.items() <= message.headers.items()
    assert message.headers["host"] == f"localhost:{receiver.port}"
    assert message.headers["content-type"] == "application/json"
    assert message.headers["accept-encoding"] == "identity"
    assert message.headers["user-agent"] == "Webhooks/1.0"
    assert not {"cookie", "authorization"} & message.headers.keys()
    assert (answer.status, answer.body) == (200, b"you said it, and I answer 200")
    assert answer.headers["X-Of"] == "receiver"


@pytest.mark.parametrize("status", [204, 400, 410, 500])
def test_every_status_is_an_answer(receiver: Receiver, sender: WebhookSender, status: int) -> None:
    receiver.behave("/ok", status)

    assert sender.post(receiver.url(), BODY, HEADERS).status == status


def test_a_redirect_is_an_answer_and_nobody_goes_there(receiver: Receiver, sender: WebhookSender) -> None:
    receiver.behave("/ok", "redirect")

    answer = sender.post(receiver.url(), BODY, HEADERS)

    assert answer.status == 302
    assert receiver.at("/elsewhere") == []


@pytest.mark.parametrize("how", ["hang", "drip_head"])
def test_one_that_hangs_or_drips_is_cut_off_at_the_deadline(receiver: Receiver, sender: WebhookSender, how: str) -> None:
    """Guard: each byte that drips would start a time-out of single reads anew."""
    receiver.behave("/ok", how)
    began = time.monotonic()

    with pytest.raises(NotSent, match="within 1 second"):
        sender.post(receiver.url(), BODY, HEADERS)

    assert 0.9 < time.monotonic() - began < 10


def test_the_time_to_connect_to_one_of_several_addresses_is_no_time_to_answer(
    receiver: Receiver, sender: WebhookSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host with several addresses may take as long for its answer as one with a single one."""
    monkeypatch.setattr(webhook_sender, "CONNECT_SECONDS", 0.1)
    monkeypatch.setattr(webhook_sender, "_resolved", lambda *_: ("127.0.0.1", "127.0.0.2"))
    receiver.behave("/ok", lambda _: receiver._over.wait(0.4) or 200)

    assert sender.post(receiver.url(), BODY, HEADERS).status == 200


def test_an_answer_whose_body_drips_counts_by_its_status(receiver: Receiver, sender: WebhookSender) -> None:
    receiver.behave("/ok", "drip_body")
    began = time.monotonic()

    answer = sender.post(receiver.url(), BODY, HEADERS)

    assert answer.status == 200
    assert 0 < len(answer.body) < 20
    assert time.monotonic() - began < 10


def test_of_ten_megabytes_two_kilobytes_are_read(receiver: Receiver, sender: WebhookSender) -> None:
    receiver.behave("/ok", "huge_body")

    answer = sender.post(receiver.url(), BODY, HEADERS)

    assert answer.body == b"z" * MAX_BODY_BYTES
    assert receiver.sent_bytes < 9_000_000  # what the kernel took before the connection ended


def test_endless_headers_are_not_kept(receiver: Receiver, sender: WebhookSender) -> None:
    receiver.behave("/ok", "huge_head")

    answer = sender.post(receiver.url(), BODY, HEADERS)

    assert sum(len(value) for value in answer.headers.values()) < 10_000


def test_a_compressed_answer_is_not_unpacked(receiver: Receiver, sender: WebhookSender) -> None:
    receiver.behave("/ok", "bomb")

    answer = sender.post(receiver.url(), BODY, HEADERS)

    assert len(answer.body) == MAX_BODY_BYTES
    assert answer.body.startswith(b"\x1f\x8b")


@pytest.mark.parametrize(("how", "words"), [("break_off", "is not HTTP"), ("no_http", "is not HTTP")])
def test_what_is_no_answer_is_none(receiver: Receiver, sender: WebhookSender, how: str, words: str) -> None:
    receiver.behave("/ok", how)

    with pytest.raises(NotSent, match=words):
        sender.post(receiver.url(), BODY, HEADERS)


def test_nobody_there_is_said(sender: WebhookSender) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(NotSent, match="refused"):
        sender.post(f"http://127.0.0.1:{port}/", BODY, HEADERS)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "10.0.0.1"]
    + ["169.254.169.254", "[fe80::1]", "[64:ff9b::7f00:1]", "100.64.0.1"],
)
def test_private_addresses_are_not_connected_to_however_they_are_written(
    monkeypatch: pytest.MonkeyPatch, strict: WebhookSender, host: str
) -> None:
    tried = catch_connections(monkeypatch)

    with pytest.raises(NotSent, match="not public|cannot be resolved"):
        strict.post(f"https://{host}/", BODY, HEADERS)

    assert tried == []


def test_a_name_with_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch, strict: WebhookSender) -> None:
    resolve_to(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    tried = catch_connections(monkeypatch)

    with pytest.raises(NotSent, match="not public"):
        strict.post("https://rebind.example/", BODY, HEADERS)

    assert tried == []


def test_a_name_that_changes_its_mind_gains_nothing(monkeypatch: pytest.MonkeyPatch, strict: WebhookSender) -> None:
    """DNS rebinding. Guard: whoever resolves again to connect would be led inside."""
    asked = resolve_to(monkeypatch, ["8.8.8.8", "1.1.1.1"], ["127.0.0.1"])
    tried = catch_connections(monkeypatch)

    with pytest.raises(NotSent, match="refused"):
        strict.post("https://rebind.example:8443/", BODY, HEADERS)

    assert asked == ["rebind.example"]
    assert tried == [("8.8.8.8", 8443), ("1.1.1.1", 8443)]


def test_without_tls_nothing_leaves_production(monkeypatch: pytest.MonkeyPatch, strict: WebhookSender) -> None:
    resolve_to(monkeypatch, ["8.8.8.8"])
    tried = catch_connections(monkeypatch)

    with pytest.raises(NotSent, match="not https"):
        strict.post("http://example.com/", BODY, HEADERS)

    assert tried == []


def test_an_address_of_the_operator_may_be_private_and_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = catch_connections(monkeypatch)

    with pytest.raises(NotSent, match="refused"):
        WebhookSender(user_agent="Webhooks/1.0", reach=Reach.ANYWHERE, total_seconds=1.0).post("http://10.0.0.7/alarms", BODY, HEADERS)

    assert tried == [("10.0.0.7", 80)]


def test_leave_for_loopback_is_no_leave_for_other_private_addresses(monkeypatch: pytest.MonkeyPatch, sender: WebhookSender) -> None:
    tried = catch_connections(monkeypatch)

    with pytest.raises(NotSent):
        sender.post("https://10.0.0.1/", BODY, HEADERS)

    assert tried == []


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, sender: WebhookSender, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert sender.post(receiver.url(), BODY, HEADERS).status == 200


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, strict: WebhookSender) -> None:
    with Receiver() as silent:
        monkeypatch.setattr(webhook_sender.socket, "getaddrinfo", lambda *_, **__: silent._over.wait(30))
        began = time.monotonic()

        with pytest.raises(NotSent, match="within 1 second"):
            strict.post("https://slow.example/", BODY, HEADERS)

    assert time.monotonic() - began < 10


class TestTls:
    """The certificate must be the host's, from somebody who is trusted."""

    @pytest.fixture
    def tls(self, tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        return certificate(tmp_path)

    def test_a_stranger_certificate_is_refused(self, tls: tuple[ssl.SSLContext, ssl.SSLContext], sender: WebhookSender) -> None:
        with Receiver(tls[0]) as receiver, pytest.raises(NotSent, match="certificate is not trusted"):
            sender.post(receiver.url(), BODY, HEADERS)

        assert receiver.messages == []

    def test_one_that_is_trusted_is_spoken_to(
        self, tls: tuple[ssl.SSLContext, ssl.SSLContext], sender: WebhookSender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(webhook_sender, "_tls", lambda: tls[1])
        with Receiver(tls[0]) as receiver:
            assert sender.post(receiver.url(), BODY, HEADERS).status == 200

    def test_one_that_hangs_in_the_handshake_is_cut_off(self, sender: WebhookSender) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            began = time.monotonic()

            with pytest.raises(NotSent, match="within 1 second"):
                sender.post(f"https://localhost:{listener.getsockname()[1]}/", BODY, HEADERS)

        assert time.monotonic() - began < 10
