"""The edge of the API: addresses, keys, browsers, and bodies that are too large, too deep or encoded (R21, R27, R29)."""

import gzip
import json
from typing import Any

import pytest

from tests.gateway.raw import RawClient
from tests.shop import SLUG, Customer, Shop, chat_body

PAID = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")
READ = ("/v1/models", "/v1/models/openai/gpt-4o", "/v1/key", "/v1/auth/key", "/v1/credits", "/v1/usage", "/v1/generation?id=x")


@pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_every_base_url_and_a_trailing_slash_are_served_without_a_redirect(customer: Customer, prefix: str, slash: str) -> None:
    chat = customer.call(f"{prefix}/chat/completions{slash}", chat_body())
    models = customer.call(f"{prefix}/models{slash}")
    one = customer.call(f"{prefix}/models/{SLUG}{slash}")

    assert (chat.status, models.status, one.status) == (200, 200, 200)
    assert one.json["id"] == SLUG


def test_a_key_in_x_api_key_is_a_key(customer: Customer) -> None:
    answer = customer.shop.call("/v1/chat/completions", chat_body(), headers={"x-api-key": customer.key})

    assert answer.status == 200
    assert customer.row["status"] == "completed"


@pytest.mark.parametrize("path", [*PAID, *READ])
def test_without_a_key_every_route_says_401(shop: Shop, path: str) -> None:
    answer = shop.call(path, {} if path in PAID else None)

    assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_unknown_revoked_expired_and_malformed_keys_get_the_same_bytes(shop: Shop) -> None:
    """R21."""
    customer, other = shop.customer(), shop.customer()
    shop.query("UPDATE api_keys SET revoked_at = now() WHERE account_id = %s RETURNING id", customer.person.account_id)
    shop.query("UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE account_id = %s RETURNING id", other.person.account_id)
    unknown = "sk_live_9HnpzZzOOCi7oIZlbsWxk6HBRChQlBrkNkPYHCRhTQWuJ1fYt"
    keys = (customer.key, other.key, unknown, "sk_live_short", "nonsense", "")

    answers = [shop.call("/v1/chat/completions", chat_body(), headers={"Authorization": f"Bearer {key}"}) for key in keys]

    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert len({tuple(sorted(set(answer.headers) - {"date", "x-request-id"})) for answer in answers}) == 1


def test_a_browser_may_ask_from_anywhere_but_never_with_cookies(customer: Customer) -> None:
    headers = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-stainless-os",
    }

    preflight = customer.shop.call("/v1/chat/completions", method="OPTIONS", headers=headers)
    answer = customer.call("/v1/chat/completions", chat_body(), headers={"Origin": "https://app.example"})
    refused = customer.shop.call("/v1/chat/completions", chat_body(), headers={"Origin": "https://app.example"})

    assert preflight.status == 204
    assert preflight.headers["access-control-allow-headers"] == "authorization,x-stainless-os"
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert {a.headers["access-control-allow-origin"] for a in (preflight, answer, refused)} == {"*"}
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert not any("access-control-allow-credentials" in a.headers for a in (preflight, answer, refused))


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/nowhere"), ("POST", "/api/v1/chat"), ("DELETE", "/v1/models"), ("GET", "/v1/chat/completions")]
)
def test_a_route_that_does_not_exist_answers_in_json(customer: Customer, method: str, path: str) -> None:
    answer = customer.call(path, None, method=method)

    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.error["message"].startswith(f"Unknown request URL: {method} {path}")
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/responses"), ("POST", "/api/v1/messages/"), ("POST", "/v1/images/generations"), ("GET", "/v1")]
)
def test_what_other_apis_have_is_told_with_what_there_is_instead(customer: Customer, method: str, path: str) -> None:
    answer = customer.call(path, {} if method == "POST" else None, method=method)

    assert (answer.status, answer.error["code"]) == (404, "not_found")
    assert "POST /v1/chat/completions" in answer.error["message"]
    assert "typos" not in answer.error["message"]


def test_refusals_say_where_to_mend_them(shop: Shop, customer: Customer) -> None:
    poor = shop.customer(usd="0.00001")

    unpaid = poor.chat()
    estimate = poor.call("/v1/estimate", chat_body()).json
    unknown = shop.call("/v1/chat/completions", chat_body(), headers={"Authorization": "Bearer sk_live_x"})
    elsewhere = customer.chat("acme/nothing")

    assert (unpaid.status, unknown.status, elsewhere.status) == (402, 401, 404)
    assert f"http://localhost:{shop.web.port}/billing" in unpaid.error["message"]
    assert estimate["admission"]["message"] == unpaid.error["message"]
    assert f"http://localhost:{shop.web.port}/keys" in unknown.error["message"]
    assert f"http://localhost:{shop.web.port}/v1/models" in elsewhere.error["message"]


def test_a_call_without_a_cap_is_not_told_that_it_costs_at_most_its_least(shop: Shop) -> None:
    """Its hold would be that of a longest answer; what lacks is what a short one needs."""
    poor = shop.customer(usd="0.000001")

    free = poor.call("/v1/estimate", chat_body()).json["admission"]["message"]
    capped = poor.call("/v1/estimate", chat_body(max_tokens=4000)).json["admission"]["message"]

    assert "needs, for a short answer, at least" in free
    assert "may cost up to" in capped


def test_a_body_of_eleven_megabytes_is_told_so_before_and_after_it_was_sent(customer: Customer) -> None:
    """R29: the 413 arrives although the client has not read anything before its last byte is out."""
    body = json.dumps(chat_body() | {"padding": "x" * 11_000_000}).encode()
    with RawClient(customer) as client:
        client.send(client.head("/v1/chat/completions", f"Content-Length: {len(body)}"))
        early = client.read_until(b'"request_too_large"')
        client.send(body)

    assert early.startswith(b"HTTP/1.1 413")
    assert (customer.row["status"], customer.row["error_code"]) == ("refused", "request_too_large")


def test_an_ordinary_client_that_sends_eleven_megabytes_reads_413(customer: Customer) -> None:
    """R29."""
    answer = customer.call("/v1/chat/completions", chat_body() | {"padding": "x" * 11_000_000})

    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


def test_a_chunked_body_without_a_length_is_bounded_too(customer: Customer) -> None:
    """R29."""
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with RawClient(customer) as client:
        client.send(client.head("/v1/chat/completions", "Transfer-Encoding: chunked"))
        client.send(piece * 170)
        answer = client.read_until(b"request_too_large")

    assert answer.startswith(b"HTTP/1.1 413")


def test_a_chunked_body_is_a_body(customer: Customer) -> None:
    body = json.dumps(chat_body()).encode()
    with RawClient(customer) as client:
        client.send(client.head("/v1/chat/completions", "Transfer-Encoding: chunked", "Connection: close"))
        client.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        answer = client.read_to_end()

    assert answer.startswith(b"HTTP/1.1 200")


def test_an_encoded_body_is_415(customer: Customer) -> None:
    answer = customer.call("/v1/chat/completions", gzip.compress(json.dumps(chat_body()).encode()), headers={"Content-Encoding": "gzip"})

    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense",
        b"[]",
        b'"text"',
        b'{"model":',
        b'{"model": NaN}',
        b"\xff\xfe",
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"[" * 5_000_000,
    ],
    ids=["empty", "nonsense", "list", "string", "cut", "nan", "no-utf8", "65-levels", "100000-levels", "5-million-open"],
)
def test_what_is_no_json_object_is_400(customer: Customer, raw: bytes) -> None:
    """R29."""
    answer = customer.call("/v1/chat/completions", raw)

    assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
    assert customer.row["status"] == "refused"


def test_sixty_four_levels_are_accepted(customer: Customer) -> None:
    deep: Any = "x"
    for _ in range(60):
        deep = [deep]

    answer = customer.call("/v1/chat/completions", chat_body() | {"metadata": deep})

    assert answer.status == 200


def test_too_many_messages_are_400(customer: Customer) -> None:
    """R29."""
    answer = customer.call("/v1/chat/completions", {"model": SLUG, "messages": [{"role": "user", "content": "x"}] * 2001})

    assert (answer.status, answer.error["param"]) == (400, "messages")


def test_probes_answer_without_a_key(shop: Shop) -> None:
    assert (shop.call("/healthz").status, shop.call("/readyz").status, shop.call("/metrics").status) == (200, 200, 200)
