"""The books: ledger, payments, holds, calls to look at, the upstream's bill, and the proof that they add up."""

from collections.abc import Callable

from flask_admin.base import BaseView

from reseller.backoffice.books.holds import Holds
from reseller.backoffice.books.ledger import Ledger
from reseller.backoffice.books.odd_calls import OddCalls
from reseller.backoffice.books.payments import Payments
from reseller.backoffice.books.proof import ProofOfBooks
from reseller.backoffice.books.stripe_events import StripeEvents
from reseller.backoffice.books.supplier import Supplier
from reseller.backoffice.books.suspense import Suspense
from reseller.domain.ledger import Hold, LedgerEntry
from reseller.domain.payments import Payment, StripeEvent, SuspenseItem
from reseller.domain.usage import UsageLog

CATEGORY = "Books"

VIEWS: tuple[Callable[[], BaseView], ...] = (
    lambda: Ledger(LedgerEntry, name="Ledger", category=CATEGORY, endpoint="ledger", url="/admin/ledger"),
    lambda: Payments(Payment, name="Payments", category=CATEGORY, endpoint="payments", url="/admin/payments"),
    lambda: Holds(Hold, name="Holds", category=CATEGORY, endpoint="holds", url="/admin/holds"),
    lambda: OddCalls(UsageLog, name="Overage & marks", category=CATEGORY, endpoint="odd_calls", url="/admin/overage"),
    lambda: Suspense(SuspenseItem, name="Suspense", category=CATEGORY, endpoint="suspense", url="/admin/suspense"),
    lambda: StripeEvents(StripeEvent, name="Stripe’s events", category=CATEGORY, endpoint="stripe_events", url="/admin/stripe-events"),
    lambda: Supplier(name="Supplier", category=CATEGORY, endpoint="supplier", url="/admin/supplier"),
    lambda: ProofOfBooks(name="Proof", category=CATEGORY, endpoint="proof", url="/admin/proof"),
)
