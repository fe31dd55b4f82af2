"""From what happened, by the jobs of the clock, to the programs of customers: credit, keys, limits and prices."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from standardwebhooks.webhooks import Webhook

from reseller.clock import now
from reseller.domain.accounts import Person
from reseller.domain.notices import KEY_NOTICE
from reseller.wiring import wiring_of
from reseller.worker import prices, telling, webhooks
from reseller.worker.context import Context
from tests import factories
from tests.domain import scenes
from tests.domain.webhooks import hooking
from tests.fakes.openrouter_catalogue import entry
from tests.fakes.receiver import Receiver

Hears = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def hears(sending: Context, receiver: Receiver) -> Hears:
    """What the program of this person has been sent, checked as receivers check it; `begin` says where it listens."""
    secrets: dict[str, str] = {}

    def heard(person: Person) -> list[dict[str, Any]]:
        path = f"/{person.user_id}"
        if path not in secrets:
            secrets[path], _ = hooking.add(person, url=receiver.url(path))
        webhooks.send_webhooks(sending)
        return [Webhook(secrets[path]).verify(message.body, message.headers) for message in receiver.at(path)]

    return heard


def test_credit_that_staff_give_and_that_is_used_up(sending: Context, hears: Hears) -> None:
    person = factories.make_person()
    hears(person)
    factories.grant(person, usd="10")
    telling.tell_of_alerts(sending)
    factories.grant(person, usd="-9.995")

    for _ in range(2):
        telling.tell_of_alerts(sending)

    added, *fell = hears(person)
    assert added["type"] == "balance.topped_up"
    assert {"kind": "adjustment", "added_usd": "10", "balance_usd": "10", "reason": "for a test"}.items() <= added["data"].items()
    assert [(message["type"], message["data"]["balance_usd"]) for message in fell] == [("balance.low", "0.005"), ("balance.zero", "0.005")]


def test_a_key_that_expires(sending: Context, hears: Hears) -> None:
    person = factories.make_person()
    _, key = factories.mint_key(person, expires_in=timedelta(days=30))
    hears(person)

    with time_machine.travel(now() + timedelta(days=30) - KEY_NOTICE, tick=True):
        said = [telling.tell_of_expiring_keys(sending) for _ in range(2)]
        [message] = hears(person)

    assert said == ["2 letters and events", "0 letters and events"]
    assert (message["type"], message["data"]["key_id"]) == ("key.expiring", str(key.id))


def test_a_limit_that_refuses_calls(app: Flask, sending: Context, hears: Hears) -> None:
    person = factories.make_person(usd="10")
    factories.set_limits(person, rpm=1)
    _, key = factories.mint_key(person)
    hears(person)
    who = scenes.Customer(person.account_id, key.id)
    scenes.one_by_one(wiring_of(app).till, [scenes.admission(who) for _ in range(5)])

    said = [telling.tell_of_limits(sending) for _ in range(2)]

    assert said == ["1 limits", "0 limits"]
    [message] = hears(person)
    assert (message["type"], message["data"]["limit"], message["data"]["allowed"]) == ("limit.hit", "requests_per_minute", "1")


class Listing:
    """An upstream that only lists its models."""

    name = "openrouter"

    def __init__(self, *entries: dict[str, Any]) -> None:
        self.entries = list(entries)

    def list_models(self) -> list[dict[str, Any]]:
        return self.entries


class Upstreams(dict[str, Listing]):
    def register(self) -> None:
        factories.make_upstream()


def test_what_a_list_of_the_upstream_changes_is_told_to_every_account(sending: Context, hears: Hears) -> None:
    """From the catalogue's job to the programs of two customers."""
    factories.make_rule(markup_percent="25")
    listing = Listing(*(entry(slug, {"prompt": "0.000001", "completion": "0.000002"}) for slug in ("acme/one", "acme/two")))
    context = replace(sending, wiring=replace(sending.wiring, upstreams=Upstreams(openrouter=listing)))  # type: ignore[arg-type]
    factories.make_upstream()
    people = [factories.make_person() for _ in range(2)]
    for person in people:
        hears(person)
    prices.sync_catalogue(context)
    first = prices.tell_of_prices(context)

    listing.entries = [entry("acme/one", {"prompt": "0.000002", "completion": "0.000002"})]
    prices.sync_catalogue(context)
    said = [prices.tell_of_prices(context) for _ in range(2)]

    assert (first, said) == ("nothing changed", ["1 prices changed, 1 models withdrawn, 0 back", "nothing changed"])
    for person in people:
        changed, withdrawn = hears(person)
        assert (changed["type"], changed["account_id"]) == ("model.price_changed", None)
        [model] = changed["data"]["models"]
        assert (model["id"], model["pricing_before"]["prompt"], model["pricing"]["prompt"]) == ("acme/one", "0.00000125", "0.0000025")
        assert (withdrawn["type"], withdrawn["data"]) == ("model.withdrawn", {"models": ["acme/two"]})


def test_nothing_told_to_customers_names_the_supplier_or_what_it_asks(sending: Context, hears: Hears) -> None:
    """R28: the list price of ours is told, not the upstream's."""
    factories.make_rule(markup_percent="25")
    factories.make_model(slug="acme/one")
    person = factories.make_person()
    hears(person)
    prices.tell_of_prices(sending)

    factories.make_rule(markup_percent="50", priority=5)
    prices.tell_of_prices(sending)

    [message] = hears(person)
    assert "openrouter" not in str(message)
    assert [model["pricing"] for model in message["data"]["models"]] == [{"prompt": "0.0000015", "completion": "0.000003"}]
