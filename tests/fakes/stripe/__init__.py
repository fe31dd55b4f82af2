"""Stripe, as far as payments go: its API, its Checkout page, and its events, over real HTTP on this machine alone.

    with FakeStripe(webhook="http://127.0.0.1:8000/callbacks/stripe") as fake:
        StripeApi(fake.secret_key, fake.webhook_secret, api_base=fake.url)

Written after docs.stripe.com/api (version 2026-10-28) and docs.stripe.com/payments/checkout/fulfillment; it refuses what Stripe
refuses, so that what passes here is what Stripe takes. Events are signed with the SDK's own helper. `fake.hold_back()` keeps events
for tests that want them lost, late, twice or in another order: `fake.events`, `fake.deliver(event)`, `fake.signed(event)`.
"""

from tests.fakes.stripe.server import FakeStripe

__all__ = ["FakeStripe"]
