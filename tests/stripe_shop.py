"""A whole shop whose customers pay at a stand-in for Stripe: it sells, is told of payments over HTTP, and sends browsers back."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from reseller.domain.payments import pack_changes
from reseller.domain.payments.pack_changes import PackTerms
from reseller.domain.payments.topups import Order
from reseller.wiring import wiring_of
from tests.cashier.bank import CALLBACK, Bank
from tests.deployment import Cluster
from tests.fakes.stripe import FakeStripe
from tests.shop import Customer, Shop, open_shop

PACKS = ("10", "25", "100")


@dataclass(frozen=True, slots=True)
class StripeShop:
    """`origin` is the address that browsers are sent back to."""

    shop: Shop
    stripe: FakeStripe

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.shop.web.port}"

    def opened(self, customer: Customer, usd: str = "20") -> Order:
        """An order of this customer that waits to be paid."""
        with self.shop.at_work():
            return Bank(self.shop.app, self.stripe, customer.person).order(usd)

    def paid(self, customer: Customer, usd: str = "20") -> Order:
        """An order of this customer that was paid, and the shop has heard of it."""
        bank = Bank(self.shop.app, self.stripe, customer.person)
        with self.shop.at_work():
            order = bank.order(usd)
            self.stripe.pay(bank.session_of(order))
            assert bank.line(order).status == "paid"
            return order

    def intent_of(self, customer: Customer, order: Order) -> str:
        with self.shop.at_work():
            return Bank(self.shop.app, self.stripe, customer.person).intent_of(order)

    def refunds_of(self, customer: Customer, order: Order) -> list[int]:
        """What Stripe has given back of it, in cents."""
        intent_id = self.intent_of(customer, order)
        return [each["amount"] for each in self.stripe.shop.refunds.values() if each["payment_intent"] == intent_id]

    def row(self, order_id: Any) -> dict[str, Any]:
        """The payment's row."""
        [found] = self.shop.query("SELECT * FROM payments WHERE id = %s", order_id)
        return found


@contextlib.contextmanager
def open_stripe_shop(cluster: Cluster, folder: Path, **environ: str) -> Iterator[StripeShop]:
    """Packs of 10, 25 and 100 dollars are for sale."""
    with FakeStripe() as stripe, open_shop(cluster, folder, **stripe.settings(), **environ) as shop:
        stripe.webhook = f"{shop.web.origin}{CALLBACK}"
        opened = StripeShop(shop, stripe)
        assert wiring_of(shop.app).cashier.is_open
        with shop.at_work():
            for usd in PACKS:
                pack_changes.add_pack(PackTerms(Decimal(usd)), actor="test", reason="to sell")
        yield opened


def order_shown(page: Page) -> str:
    """The id of the payment whose page this is."""
    return page.url.partition("/billing/payments/")[2].partition("?")[0]
