"""What the upstream says it billed us, beside what we booked: by UTC day and model, and the credit that is left there (R20).

Nothing here moves money or changes a call. What the upstream said is kept as it was said; where the two differ by more than can be
explained, an item waits for somebody to look. Written by `days.record`, `items.resolve` and `credit.note` alone.
"""

from reseller.domain.supplier.credit import Balance, Threshold, balance_of, note
from reseller.domain.supplier.days import Compared, compared_days, day_of, due, first_day, models_of, record
from reseller.domain.supplier.figures import Told
from reseller.domain.supplier.items import item_of, open_items, resolve
from reseller.domain.supplier.tables import SupplierBalance, SupplierCredit, SupplierDay, SupplierItem, SupplierModel

__all__ = [
    "Balance", "Compared", "SupplierBalance", "SupplierCredit", "SupplierDay", "SupplierItem", "SupplierModel", "Threshold", "Told",
    "balance_of", "compared_days", "day_of", "due", "first_day", "item_of", "models_of", "note", "open_items", "record", "resolve",
]  # fmt: skip
