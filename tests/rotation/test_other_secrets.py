"""Two secrets at once, while one takes the other's place: none of them interrupts anything."""

import json
from collections.abc import Callable

import pytest
import stripe
from flask import Flask

from config import SettingsRefused
from config.reading import read_settings
from reseller.clients.stripe_api import NotGenuine, StripeApi
from tests.cashier.bank import Bank
from tests.fakes.stripe import FakeStripe

EVENT = json.dumps(
    {"id": "evt_1", "type": "charge.updated", "created": 1_700_000_000, "livemode": False, "data": {"object": {"id": "ch_1"}}}
)


@pytest.mark.parametrize("secret", ["whsec_old", "whsec_new"])
def test_events_of_either_endpoint_secret_are_believed_and_of_no_other(secret: str) -> None:
    """R18."""
    api = StripeApi("sk_test_x", "whsec_new", "whsec_old")

    def read(signed_with: str) -> str:
        header = str(stripe.WebhookSignature.generate_signature_header(EVENT, signed_with))
        return api.read_event(EVENT.encode(), header).event_id

    assert read(secret) == "evt_1"
    with pytest.raises(NotGenuine):
        read("whsec_of_somebody")


def test_a_payment_told_under_the_old_secret_is_credited_while_it_is_replaced(app: Flask, make_app: Callable[..., Flask]) -> None:
    with FakeStripe() as fake:
        settings = fake.settings() | {"STRIPE_WEBHOOK_SECRET": "whsec_new", "STRIPE_WEBHOOK_SECRET_PREVIOUS": fake.webhook_secret}
        during = Bank(make_app(**settings), fake)
        after = Bank(make_app(**fake.settings() | {"STRIPE_WEBHOOK_SECRET": "whsec_new"}), fake, during.buyer)
        order = during.order("20")
        with fake.hold_back() as events:
            fake.pay(during.session_of(order))

        assert set(after.tell(*events)) == {400}
        assert set(during.tell(*events)) == {200}

        assert during.balance == 20


def test_metrics_are_read_with_either_token(make_app: Callable[..., Flask]) -> None:
    client = make_app(METRICS_TOKEN="n" * 20, METRICS_TOKEN_PREVIOUS="o" * 20).test_client()

    asked = {
        token: client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code for token in ("n" * 20, "o" * 20, "x", "")
    }

    assert list(asked.values()) == [200, 200, 401, 401]


def test_an_older_key_that_can_be_guessed_is_refused_in_production() -> None:
    """It opens what the new one opens."""
    good = {"RESELLER_ENV": "production", "SECRET_KEY": "b7" * 20, "DATABASE_URL": "postgresql://x/y", "PUBLIC_URL": "https://shop.example"}

    assert read_settings({**good, "SECRET_KEY_PREVIOUS": f"{'c3' * 20}, {'d4' * 20}"}).secret_keys == ("b7" * 20, "c3" * 20, "d4" * 20)
    with pytest.raises(SettingsRefused, match="SECRET_KEY_PREVIOUS"):
        read_settings({**good, "SECRET_KEY_PREVIOUS": f"{'c3' * 20},short"})
