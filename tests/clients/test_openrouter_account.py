"""What the operator's account at OpenRouter says of credit and of days, read without trust in its numbers."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest

from reseller.clients.failures import BrokenAnswer
from reseller.clients.openrouter_account import ActivityRow, Credit, KeyRefused, OpenRouterAccount, account_at
from reseller.errors import UpstreamBusy, UpstreamDown, UpstreamTimeout
from tests.clients.conftest import KEY
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.openrouter_account import MANAGEMENT_KEY, hash_of

DAY = date(2026, 9, 1)


@pytest.fixture
def account(fake: FakeOpenRouter) -> Iterator[OpenRouterAccount]:
    made = account_at(fake.base_url, MANAGEMENT_KEY, connect_seconds=2, answer_seconds=0.4)
    yield made
    made.close()


def test_credit_is_what_was_bought_and_used_to_the_last_digit(account: OpenRouterAccount, fake: FakeOpenRouter) -> None:
    """R16."""
    fake.account.bought, fake.account.used = "100.10", "7.000000000123"

    assert account.credit() == Credit(Decimal("100.10"), Decimal("7.000000000123"))


def test_a_day_is_summed_by_model_over_its_endpoints_and_its_names_are_kept(account: OpenRouterAccount, fake: FakeOpenRouter) -> None:
    fake.account.bill(DAY, "acme/one", "0.1", requests=2)
    fake.account.bill(DAY, "acme/one", "0.2", requests=3, byok_usage_inference=orjson.Fragment("1e-3"))
    fake.account.bill(DAY, "acme/two", "0.00000000000000000001")
    fake.account.bill(date(2026, 9, 2), "acme/one", "5")

    assert account.activity(DAY) == [
        ActivityRow("acme/one", ("acme/one", "acme/one-2026-01-01"), 5, 35, 15, 0, Decimal("0.301"), Decimal("0.001")),
        ActivityRow("acme/two", ("acme/two", "acme/two-2026-01-01"), 1, 7, 3, 0, Decimal("0.00000000000000000001"), Decimal(0)),
    ]


def test_further_pages_are_asked_for_and_no_address_is_followed(account: OpenRouterAccount, fake: FakeOpenRouter) -> None:
    fake.account.page_rows = 2
    for _ in range(5):
        fake.account.bill(DAY, "acme/one", "1")

    [row] = account.activity(DAY)

    assert (row.requests, row.cost_usd) == (5, 5)
    assert [seen["target"].partition("offset=")[2] for seen in fake.requests] == ["", "2", "4"]


def test_a_list_that_repeats_itself_ends(account: OpenRouterAccount, fake: FakeOpenRouter) -> None:
    row = {"date": "2026-09-01", "model": "a", "usage": 1, "requests": 1}
    fake.script("/activity", *[{"body": orjson.dumps({"data": [row], "links": {"next": "x"}}).decode()}] * 3)

    assert [found.requests for found in account.activity(DAY)] == [1]


def test_one_keys_activity_leaves_out_that_of_others(account: OpenRouterAccount, fake: FakeOpenRouter) -> None:
    fake.account.keys.add(hash_of(KEY))
    fake.account.bill(DAY, "acme/one", "1", key=KEY)
    fake.account.bill(DAY, "acme/one", "7", key="sk-or-v1-somebody-else")

    assert account.knows_key(KEY)
    assert not account.knows_key("sk-or-v1-unknown")
    assert [row.cost_usd for row in account.activity(DAY, api_key=KEY)] == [1]
    assert [row.cost_usd for row in account.activity(DAY)] == [8]


@pytest.mark.parametrize(
    "change",
    [
        {"usage": "\0NaN"}, {"usage": -1}, {"usage": "\0" + "1e999"}, {"usage": True}, {"usage": None}, {"usage": "\0" + "1e10"},
        {"usage": "\0" + "1e-20000"}, {"byok_usage_inference": "\0" + "1e-20000"},
        {"requests": -1}, {"requests": 1.5}, {"requests": True}, {"prompt_tokens": "many"}, {"completion_tokens": 2**60},
        {"model": None}, {"model": ""}, {"model": "two words"}, {"model": "x" * 300}, {"byok_usage_inference": -1},
    ],
)  # fmt: skip
def test_a_day_with_a_figure_that_cannot_be_true_is_not_read_at_all(
    account: OpenRouterAccount, fake: FakeOpenRouter, change: dict[str, Any]
) -> None:
    """R8: part of a day would look like a difference."""
    good = {"date": "2026-09-01", "model": "acme/one", "usage": 1, "requests": 1, "prompt_tokens": 1, "completion_tokens": 1}
    raw = {name: orjson.Fragment(value[1:]) if isinstance(value, str) and value[:1] == "\0" else value for name, value in change.items()}
    fake.script("/activity", {"body": orjson.dumps({"data": [good, {**good, "endpoint_id": "2", **raw}]}).decode()})

    with pytest.raises(BrokenAnswer):
        account.activity(DAY)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ({"status": 503}, UpstreamBusy),
        ({"status": 401}, KeyRefused),
        ({"status": 403}, KeyRefused),
        ({"before": "hang"}, UpstreamTimeout),
        ({"before": "reset"}, UpstreamDown),
        ({"body": "<html>"}, BrokenAnswer),
        ({"body": '{"data":null}'}, BrokenAnswer),
        ({"body": '{"data":[7]}'}, BrokenAnswer),
        ({"body": '{"data":{"total_credits":NaN,"total_usage":1}}'}, BrokenAnswer),
        ({"body": '{"data":{"total_credits":-1,"total_usage":1}}'}, BrokenAnswer),
        ({"status": 307, "headers": {"Location": "http://127.0.0.1:9/"}}, UpstreamDown),
    ],
)
def test_what_is_no_answer_is_a_failure(
    account: OpenRouterAccount, fake: FakeOpenRouter, reply: dict[str, Any], kind: type[Exception]
) -> None:
    fake.script("/credits", reply)
    fake.script("/activity", reply)

    with pytest.raises(kind):
        account.credit()
    with pytest.raises(kind):
        account.activity(DAY)


def test_another_key_than_a_management_key_is_refused(fake: FakeOpenRouter) -> None:
    account = account_at(fake.base_url, KEY, connect_seconds=2, answer_seconds=0.4)

    with pytest.raises(KeyRefused):
        account.credit()
    account.close()
