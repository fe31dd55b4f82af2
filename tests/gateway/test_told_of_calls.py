"""A real call, the clock, and the customer's own program: a limit that refuses, a key's limit, credit that is used up."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from reseller.domain import webhooks
from reseller.domain.identity.sealing import Seal
from reseller.domain.keys import SpendPeriod
from reseller.wiring import wiring_of
from tests import factories
from tests.deployment import Cluster
from tests.domain.webhooks import hooking
from tests.fakes.receiver import Receiver
from tests.shop import Customer, Shop, open_shop

SOON = 60.0


@pytest.fixture(scope="module")
def telling(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with its clock, whose webhooks may go to this machine."""
    folder = tmp_path_factory.mktemp("telling")
    with open_shop(cluster, folder, WEBHOOKS_ALLOW_LOOPBACK="true") as opened, opened.worker(folder):
        yield opened


def heard(customer: Customer, receiver: Receiver, name: str, act: Any) -> Any:
    """The one message of this name that the customer's program is sent after `act`, checked as receivers check it."""
    with customer.shop.at_work():
        seal = Seal(wiring_of(customer.shop.app).settings.secret_keys, webhooks.SEALED_FOR)
        secret, _ = hooking.add(customer.person, url=receiver.url(), events=(name,), seal=seal)
    act()
    [message] = receiver.await_at("/ok", seconds=SOON)
    return Webhook(secret).verify(message.body, message.headers)


def test_a_limit_that_refuses_calls_is_told(telling: Shop, receiver: Receiver) -> None:
    customer = telling.customer()
    with telling.at_work():
        factories.set_limits(customer.person, rpm=1)

    statuses: list[int] = []
    told = heard(customer, receiver, "limit.hit", lambda: statuses.extend(customer.chat().status for _ in range(4)))

    assert statuses == [200, 429, 429, 429]
    assert (told["account_id"], told["data"]["limit"], told["data"]["allowed"]) == (
        str(customer.person.account_id),
        "requests_per_minute",
        "1",
    )


def test_a_keys_own_limit_is_told_with_the_key(telling: Shop, receiver: Receiver) -> None:
    customer = telling.customer(spend=(Decimal("0.00000001"), SpendPeriod.DAY))

    statuses: list[int] = []
    told = heard(customer, receiver, "limit.hit", lambda: statuses.append(customer.chat().status))

    assert statuses == [402]
    assert (told["data"]["limit"], told["data"]["error_code"]) == ("key_spend_day", "key_spend_limit_reached")
    assert [str(row["api_key_id"]) for row in customer.rows] == [told["data"]["key_id"]]


def test_the_call_that_uses_credit_up_is_followed_by_word_of_it(telling: Shop, receiver: Receiver) -> None:
    customer = telling.customer(usd="0.02", markup="25", min_cost="0.015")

    statuses: list[int] = []
    told = heard(customer, receiver, "balance.zero", lambda: statuses.append(customer.chat(max_tokens=20).status))

    assert statuses == [200]
    assert told["data"] == {"balance_usd": "0.005"}
