"""Refusals as openai-python sees them: its exception, our code, and how often it tries again."""

from typing import Any

import openai
import pytest

from reseller.domain import accounts, keys
from tests import factories
from tests.acceptance.clients import counting_client, openai_client
from tests.shop import SLUG, Customer, Shop

HELLO: Any = [{"role": "user", "content": "hello"}]


@pytest.fixture
def customer(shop: Shop) -> Customer:
    return shop.customer()


def asked(client: openai.OpenAI, model: str = SLUG, **more: Any) -> Any:
    return client.chat.completions.create(**{"model": model, "messages": HELLO, **more})


def requests_upstream(shop: Shop, model: str) -> int:
    return sum(bill["model"] == model for bill in shop.billed)


def test_an_unknown_key_is_an_authentication_error_and_not_tried_again(customer: Customer) -> None:
    client, statuses = counting_client(customer, key=customer.key[:-1] + ("0" if customer.key[-1] != "0" else "1"))

    with pytest.raises(openai.AuthenticationError) as refused:
        asked(client)

    assert refused.value.code == "invalid_api_key"
    assert refused.value.request_id.startswith("req_")
    assert statuses == [401]


def test_a_revoked_key_is_refused_at_once(customer: Customer) -> None:
    """R22."""
    client = openai_client(customer)
    asked(client)
    with customer.shop.at_work():
        keys.revoke(customer.key[:12], actor=factories.ACTOR, account_id=customer.person.account_id)

    with pytest.raises(openai.AuthenticationError) as refused:
        asked(client)

    assert refused.value.code == "invalid_api_key"


def test_no_credit_is_402_and_not_tried_again(shop: Shop) -> None:
    customer = shop.customer(usd="0")
    client, statuses = counting_client(customer)

    with pytest.raises(openai.APIStatusError) as refused:
        asked(client)

    assert (refused.value.status_code, refused.value.code, refused.value.type) == (402, "insufficient_credits", "insufficient_quota")
    assert statuses == [402]
    assert (customer.row["status"], customer.row["charge_nano"], customer.holds) == ("refused", 0, [])


def test_a_suspended_account_is_a_permission_error_and_works_again_when_restored(customer: Customer) -> None:
    """R22."""
    client, statuses = counting_client(customer)
    with customer.shop.at_work():
        accounts.suspend(customer.person.account_id, reason="a test", actor=factories.ACTOR)

    with pytest.raises(openai.PermissionDeniedError) as refused:
        asked(client)
    with customer.shop.at_work():
        accounts.restore(customer.person.account_id, actor=factories.ACTOR)
    asked(client)

    assert refused.value.code == "account_suspended"
    assert statuses == [403, 200]


def test_a_model_that_is_not_for_sale_is_not_found(customer: Customer) -> None:
    client, statuses = counting_client(customer)

    with pytest.raises(openai.NotFoundError) as refused:
        asked(client, "nobody/nothing")
    with pytest.raises(openai.NotFoundError) as unlisted:
        client.models.retrieve("nobody/nothing")

    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    assert unlisted.value.code == "model_not_found"
    assert statuses == [404, 404]


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"messages": []}, "messages"),
        ({"n": 0}, "n"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"extra_body": {"plugins": [{"id": "web"}]}}, "plugins"),
        ({"extra_body": {"models": ["openai/gpt-4o"]}}, "models"),
        ({"extra_body": {"provider": {"order": ["x"]}}}, "provider"),
        ({"extra_body": {"web_search_options": {"a": 1}}}, "web_search_options"),
        ({"service_tier": "priority"}, "service_tier"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_sold_is_a_bad_request_that_names_the_field(customer: Customer, wrong: dict[str, Any], param: str) -> None:
    """R27."""
    client, statuses = counting_client(customer)

    with pytest.raises(openai.BadRequestError) as refused:
        asked(client, **wrong)

    assert refused.value.param == param
    assert statuses == [400]
    assert (customer.row["status"], customer.row["charge_nano"]) == ("refused", 0)


def test_too_many_requests_are_tried_again_after_the_time_that_we_named(customer: Customer) -> None:
    """R30: Retry-After is the truth, and the client that believes it gets its answer."""
    client, statuses = counting_client(customer, max_retries=1, timeout=5)
    with customer.shop.at_work():
        factories.set_limits(customer.person, concurrent=1)
    open_call = openai_client(customer).chat.completions.create(model="fake/slow", messages=HELLO, stream=True)
    next(iter(open_call))

    answer = asked(client)

    assert statuses == [429, 200]
    assert answer.choices
    assert [row["status"] for row in customer.rows if row["status"] == "refused"] == ["refused"]


def test_a_full_window_names_its_true_wait(customer: Customer) -> None:
    """R30."""
    client, statuses = counting_client(customer, max_retries=0)
    with customer.shop.at_work():
        factories.set_limits(customer.person, rpm=2)
    asked(client)
    asked(client)

    with pytest.raises(openai.RateLimitError) as refused:
        asked(client)

    headers = refused.value.response.headers
    assert statuses == [200, 200, 429]
    assert 55 < int(headers["retry-after"]) <= 61
    assert int(headers["retry-after"]) * 1000 - 1000 < int(headers["retry-after-ms"]) <= int(headers["retry-after"]) * 1000
    assert [row["status"] for row in customer.rows] == ["completed", "completed", "refused"]


def test_an_upstream_that_fails_is_a_server_error_tried_three_times_and_never_charged(customer: Customer) -> None:
    """R9."""
    client, statuses = counting_client(customer)
    model = "fake/status-500"
    before = requests_upstream(customer.shop, model)

    with pytest.raises(openai.InternalServerError):
        asked(client, model)

    assert statuses == [502, 502, 502]
    assert requests_upstream(customer.shop, model) == before + 3
    assert [(row["status"], row["charge_nano"]) for row in customer.rows] == [("failed", 0)] * 3
    assert customer.books.available_nano == 10 * 10**9


def test_an_error_inside_a_stream_is_raised_by_the_client(customer: Customer) -> None:
    stream = openai_client(customer).chat.completions.create(model="fake/error-mid-stream", messages=HELLO, stream=True)

    with pytest.raises(openai.APIError) as broken:
        list(stream)

    assert "upstream" in broken.value.code
