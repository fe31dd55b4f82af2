"""Between Stripe and the books: asks the one, tells the other. Whatever is asked of Stripe goes through `Cashier`."""

from reseller.cashier.cashier import Cashier
from reseller.cashier.reconciling import LOOK_BACK, Reconciled, Unfinished, reconcile
from reseller.cashier.told import HANDLERS

__all__ = ["HANDLERS", "LOOK_BACK", "Cashier", "Reconciled", "Unfinished", "reconcile"]
