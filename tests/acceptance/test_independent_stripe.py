"""A second opinion on Stripe's sessions and signatures: npm emulate, which others wrote.

It knows no price that is not seeded, puts no amount, currency or intent into a session and no id into an event, and has neither
refunds, disputes nor idempotency: all that is held to our own stand-in alone (tests/clients/test_stripe_*.py).
"""

import json
import os
from pathlib import Path

import pytest
import requests

from reseller.clients.stripe_api import StripeApi, StripeRefused, session_in
from reseller.clock import new_id, now
from tests.acceptance.npm import installed, node
from tests.fakes.stripe.sink import Sink
from tests.servers import ServerProcess, free_port
from tests.waiting import wait_until

PACKAGE, VERSION = "emulate", "0.11.2"
KEY, SECRET = "sk_test_emulate", "whsec_of_the_test"


class Emulate(ServerProcess):
    """Its Stripe, listening once made, with one price and one webhook."""

    def __init__(self, webhook: str, folder: Path) -> None:
        self.port = free_port()
        seed = folder / "seed.json"
        stripe = {
            "products": [{"name": "Credit"}],
            "prices": [{"id": "price_25", "product_name": "Credit", "currency": "usd", "unit_amount": 2500}],
            "webhooks": [{"url": webhook, "events": ["*"], "secret": SECRET}],
        }
        seed.write_text(json.dumps({"tokens": {KEY: {"login": "shop", "scopes": []}}, "stripe": stripe}))
        words = ["start", "-s", "stripe", "-p", str(self.port), "--seed", str(seed)]
        super().__init__(
            [node(), str(installed(PACKAGE, VERSION, "dist/index.js")), *words],
            env={"PATH": os.environ["PATH"]},
            log=folder / "emulate.log",
        )
        self.await_answer(self.port, "/v1/checkout/sessions", 20)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def test_another_stripes_session_and_signature_are_understood(tmp_path: Path) -> None:
    payment_id = new_id()
    with Sink(SECRET) as sink, Emulate(sink.url, tmp_path) as emulate:
        stripe = StripeApi(KEY, SECRET, api_base=emulate.url)
        form = {
            "mode": "payment",
            "line_items[0][price]": "price_25",
            "line_items[0][quantity]": "1",
            "metadata[payment_id]": str(payment_id),
            "success_url": "https://shop.example/back?session={CHECKOUT_SESSION_ID}",
        }
        headers = {"Authorization": f"Bearer {KEY}"}
        session_id = requests.post(f"{emulate.url}/v1/checkout/sessions", data=form, headers=headers, timeout=10).json()["id"]
        before = stripe.session(session_id)
        paid = requests.post(f"{emulate.url}/checkout/{session_id}/complete", timeout=10, allow_redirects=False)
        wait_until(lambda: sink.events)
        after = stripe.session(session_id)
        with pytest.raises(StripeRefused) as refused:
            stripe.session("cs_nobody")

    (event,) = sink.events
    assert (before.status, before.payment_status, before.payment_id) == ("open", "unpaid", payment_id)
    assert paid.headers["Location"] == f"https://shop.example/back?session={session_id}"
    assert (event.type, event.event_id[:7], event.is_live) == ("checkout.session.completed", "digest-", False)
    assert abs((now() - event.created_at).total_seconds()) < 60
    assert session_in(event.body) == after
    assert (after.status, after.payment_status, after.amount_usd) == ("complete", "paid", 0), "nothing that an order could be of"
    assert refused.value.code == "resource_missing"
