"""What leaves for the upstream: built by us from what was checked, with our headers alone (R6, R27, R28)."""

from typing import Any

from tests.deployment import UPSTREAM_KEY
from tests.shop import SLUG, Customer, Shop, chat_body


def sent_for(customer: Customer) -> tuple[dict[str, str], dict[str, Any]]:
    """Headers and body that the upstream got for the customer's only call."""
    bill = customer.shop.bill_of(customer.row["generation_id"])
    with customer.shop.fake.lock:
        sent = next(r for r in customer.shop.fake.requests if bill["user"] and bill["user"] in r["body"])
    return dict(sent["headers"]), bill["body"]


def test_the_upstream_gets_our_headers_and_none_of_the_customers(customer: Customer) -> None:
    customer.call(
        "/v1/chat/completions",
        chat_body(),
        headers={"X-Secret": "s3cr3t", "Cookie": "a=b", "User-Agent": "spy", "HTTP-Referer": "https://x.example"},
    )

    headers, _ = sent_for(customer)

    assert headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert not {"x-secret", "cookie", "user-agent"} & set(headers)
    assert customer.key not in str(headers)
    assert "x.example" not in str(headers)


def test_unknown_fields_are_dropped_and_the_cap_the_price_and_the_user_are_ours(customer: Customer) -> None:
    customer.chat(user="alice", metadata={"a": "b"}, store=True, unknown_field=1, usage={"include": False}, temperature=0.5)

    _, body = sent_for(customer)

    assert set(body) == {"model", "messages", "temperature", "user", "max_tokens", "usage", "provider"}
    assert body["max_tokens"] == 16_384
    assert body["usage"] == {"include": True}
    assert body["provider"]["max_price"]["prompt"] == "0.15"
    assert "alice" not in body["user"]
    assert str(customer.person.account_id) not in str(body)


def test_the_cap_is_what_the_balance_allows(shop: Shop) -> None:
    """R6: without a cap of the client's, the model's largest answer or what the money is enough for."""
    customer = shop.customer(usd="0.001")

    answer = customer.chat()
    _, body = sent_for(customer)

    row = customer.row
    assert answer.status == 200
    assert 16 < body["max_tokens"] < 16_384
    assert row["hold_nano"] <= 1_000_000
    assert row["charge_nano"] <= row["hold_nano"]


def test_the_hold_covers_the_largest_answer(customer: Customer) -> None:
    """R6."""
    customer.chat(max_tokens=16)

    row = customer.row
    assert row["charge_nano"] <= row["hold_nano"]
    assert row["hold_nano"] >= (16 * 600 * 125) // 100


def test_a_duplicate_field_counts_once_and_the_last_one_is_sent(customer: Customer) -> None:
    raw = (
        b'{"model":"fake/status-500","model":"%b","messages":[{"role":"user","content":"x"}],"max_tokens":9,"max_tokens":5}' % SLUG.encode()
    )

    answer = customer.call("/v1/chat/completions", raw)
    _, body = sent_for(customer)

    assert answer.json["usage"]["completion_tokens"] == 5
    assert (body["model"], body["max_tokens"]) == (SLUG, 5)
