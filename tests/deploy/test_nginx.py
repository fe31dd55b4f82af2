"""Behind nginx as config/nginx.conf sets it up: everything arrives that should, at once, and nothing else does (R28, R29)."""

import contextlib
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.acceptance.clients import openai_client
from tests.deploy.boxes import Fleet
from tests.deploy.nginx import HOST, NginxServer
from tests.faults.clients import OpenCall, asking
from tests.gateway.raw import RawClient
from tests.shop import Answer, chat_body, exchange
from tests.staff import cookie_of
from tests.waiting import wait_until

MAX_BODY_BYTES = 10_485_760
CHAT = "/v1/chat/completions"
CUSTOMER_AT, PRETENDED = "127.0.0.77", "203.0.113.7"
WORDS = 60


@pytest.fixture
def fleet(behind_nginx: Fleet) -> Fleet:
    return behind_nginx


@contextlib.contextmanager
def connected(fleet: Fleet, *, source: str = "127.0.0.1") -> Iterator[HTTPConnection]:
    connection = HTTPConnection("127.0.0.1", fleet.web.port, timeout=60, source_address=(source, 0))
    try:
        yield connection
    finally:
        connection.close()


def padded(size: int) -> bytes:
    """A chat of exactly so many bytes."""
    body = orjson.dumps(chat_body(max_tokens=16))
    return body + b" " * (size - len(body))


def facts_of(answer: Answer) -> tuple[int, dict[str, Any], str | None]:
    return answer.status, answer.error, answer.headers.get("access-control-allow-origin")


def test_a_stream_arrives_token_by_token(fleet: Fleet) -> None:
    """Each word is here before the upstream has said the last one."""
    customer = fleet.customer()
    fleet.fake.plans["token by token"] = {"tokens": WORDS, "pause_ms": 100}

    with RawClient(customer) as client:
        client.ask("fake/default", stream=True, **asking("token by token"))
        for word in (b"quick", b"fox", b"lazy"):
            client.read_until(word)
            assert not bill_of(fleet, "token by token")["finished"]
        client.read_until(b"[DONE]")

    assert b"text/event-stream" in client.received
    assert customer.row["status"] == "completed"


def test_openai_python_gets_whole_and_streamed_answers(fleet: Fleet) -> None:
    customer = fleet.customer()
    hello: Any = [{"role": "user", "content": "hello"}]

    whole = openai_client(customer).chat.completions.create(model="fake/default", messages=hello)
    chunks = list(openai_client(customer).chat.completions.create(model="fake/default", messages=hello, stream=True))

    assert (whole.choices[0].message.content or "").startswith("The quick brown fox")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).startswith("The quick brown fox")
    assert [row["status"] for row in customer.rows] == ["completed", "completed"]


def test_ten_megabytes_pass_and_one_byte_more_is_refused_in_the_same_words_as_ours(fleet: Fleet) -> None:
    customer = fleet.customer()

    most = customer.call(CHAT, padded(MAX_BODY_BYTES))
    more = customer.call(CHAT, padded(MAX_BODY_BYTES + 1))
    much = customer.call(CHAT, padded(11 * 1024 * 1024))
    straight = fleet.at(fleet.boxes[0], customer).call(CHAT, padded(MAX_BODY_BYTES + 1))

    assert most.status == 200
    assert facts_of(more) == facts_of(much) == facts_of(straight) == (413, straight.error, "*")


def test_a_body_of_unknown_length_is_bounded_too(fleet: Fleet) -> None:
    customer = fleet.customer()
    body = padded(11 * 1024 * 1024)
    with connected(fleet) as connection:
        headers = {"Authorization": f"Bearer {customer.key}", "Content-Type": "application/json"}
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", CHAT, body=iter([body[at : at + 65_536] for at in range(0, len(body), 65_536)]), headers=headers)
        response = connection.getresponse()
        answer = Answer(response.status, {}, response.read())

    assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    assert customer.rows == []


@pytest.mark.parametrize(
    ("padding", "status"),
    [({"x-padding": "a" * 15_500}, 200), ({"x-padding": "a" * 17_000}, 431), ({f"x-{n}": "a" * 7_000 for n in range(3)}, 431)],
)
def test_a_head_of_sixteen_kilobytes_passes_and_a_larger_one_is_refused_in_json(fleet: Fleet, padding: dict[str, str], status: int) -> None:
    answer = fleet.customer().call(CHAT, chat_body(), headers=padding)

    assert answer.status == status
    if status == 431:
        assert answer.error["message"] == "The head of the request is too large."


def test_the_customers_own_address_is_seen_and_a_pretended_one_is_not_believed(fleet: Fleet) -> None:
    customer = fleet.customer()
    with connected(fleet, source=CUSTOMER_AT) as connection:
        headers = {"Authorization": f"Bearer {customer.key}", "X-Forwarded-For": PRETENDED, "X-Real-IP": PRETENDED}
        assert exchange(connection, CHAT, chat_body(), headers=headers).status == 200

    [key] = fleet.query("SELECT host(last_used_address::inet) AS address FROM api_keys WHERE account_id = %s", customer.person.account_id)
    assert key == {"address": CUSTOMER_AT}


def test_wrong_keys_from_one_address_slow_down_nobody_else(fleet: Fleet) -> None:
    """Whoever pretends to come from elsewhere each time is one address all the same."""
    statuses: list[int] = []
    with connected(fleet, source=CUSTOMER_AT) as connection:
        while 429 not in statuses and len(statuses) < 2000:
            headers = {"Authorization": "Bearer sk_wrong", "X-Forwarded-For": f"198.51.100.{len(statuses) % 250}"}
            statuses.append(exchange(connection, "/v1/key", headers=headers).status)
    with connected(fleet, source="127.0.0.78") as connection:
        other = exchange(connection, "/v1/key", headers={"Authorization": "Bearer sk_wrong"}).status

    assert statuses[-1] == 429
    assert other == 401


def test_a_client_that_hangs_up_is_noticed_and_the_upstream_is_closed(fleet: Fleet) -> None:
    customer = fleet.customer()
    fleet.fake.plans["hanging up"] = {"tokens": 2000, "pause_ms": 50}
    with RawClient(customer) as client:
        client.ask("fake/default", stream=True, **asking("hanging up"))
        client.read_until(b"quick")

    wait_until(lambda: bill_of(fleet, "hanging up")["cancelled"])
    wait_until(lambda: customer.holds[0]["chase_at"])  # what it cost is for the clock to ask


def test_live_figures_of_the_portal_arrive_as_they_change(fleet: Fleet) -> None:
    """/overview/live through nginx: the first figures at once, the next after a call, over one connection."""
    customer = fleet.customer(usd="10")
    with fleet.at_work():
        name, value = cookie_of(fleet.app, customer.person.user_id)
    with socket.create_connection(("127.0.0.1", fleet.web.port), timeout=60) as live:
        live.sendall(f"GET /overview/live HTTP/1.1\r\nHost: {HOST}\r\nCookie: {name}={value}\r\n\r\n".encode())
        first = read_until(live, b"event: now")
        customer.chat("fake/default")
        more = read_until(live, b"event: now")

    assert b" 200 " in first
    assert b"event: now" in more


def test_measures_are_closed_and_probes_open(fleet: Fleet) -> None:
    assert fleet.web.status_of("/metrics") == 404
    assert fleet.boxes[0].web.status_of("/metrics") == 200
    assert [fleet.web.status_of(path) for path in ("/healthz", "/readyz")] == [200, 200]


def test_tls_ends_here_and_a_key_in_clear_is_not_led_on(fleet: Fleet) -> None:
    assert isinstance(fleet.web, NginxServer)
    trusted = ssl.create_default_context(cafile=str(Path(fleet.web.log_path).parent / "fullchain.pem"))
    with (
        socket.create_connection(("127.0.0.1", fleet.web.tls_port), timeout=60) as plain,
        trusted.wrap_socket(plain, server_hostname=HOST) as secure,
    ):
        secure.sendall(f"GET /sign-in HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        page = b"".join(iter(lambda: secure.recv(65_536), b""))
    clear = HTTPConnection("127.0.0.1", fleet.web.clear_port, timeout=60)
    key = exchange(clear, CHAT, chat_body(), headers={"Authorization": "Bearer sk_live_x"})
    led = exchange(clear, "/sign-in", headers={"Host": HOST})
    clear.close()

    assert page.startswith(b"HTTP/1.1 200")
    assert b"Secure" in page
    assert (key.status, key.error["code"]) == (403, "forbidden")
    assert (led.status, led.headers["location"]) == (301, f"https://{HOST}/sign-in")


def test_a_call_whose_box_dies_is_not_sent_a_second_time(fleet: Fleet) -> None:
    """It may have been charged: the customer hears of it, and decides."""
    customer = fleet.customer()
    fleet.fake.plans["once"] = {"before": "hang"}
    call = OpenCall(customer, "fake/default", **asking("once"))
    wait_until(lambda: customer.holds)
    [process] = fleet.query(
        "SELECT p.pid FROM holds h JOIN processes p ON p.id = h.process_id WHERE h.account_id = %s", customer.person.account_id
    )

    os.kill(process["pid"], signal.SIGKILL)
    answer = call.join()

    assert answer.status == 503
    assert len(fleet.bills_of("once")) == 1
    wait_until(lambda: all(box.web.status_of("/readyz") == 200 for box in fleet.boxes))


def bill_of(fleet: Fleet, words: str) -> dict[str, Any]:
    [bill] = fleet.bills_of(words)
    return bill


def read_until(source: socket.socket, mark: bytes) -> bytes:
    """What has come since, once `mark` is in it."""
    received = b""
    while mark not in received:
        piece = source.recv(65_536)
        assert piece, f"the stream ended before {mark!r} came: {received!r}"
        received += piece
    return received
