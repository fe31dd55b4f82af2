"""One account with everything around it, for its page; and the list of all of them."""

from reseller.domain.desk.customer.listing import CustomerLine, customer_lines, is_frozen, is_of_staff, read_lines
from reseller.domain.desk.customer.money import adjustments_of
from reseller.domain.desk.customer.parts import AdjustmentRow, CallRow, Customer, EntryRow, KeyRow, Limits, LimitUse, Member, Money, NoteRow
from reseller.domain.desk.customer.reading import LABELS, call_shown, customer

__all__ = [
    "LABELS", "AdjustmentRow", "CallRow", "Customer", "CustomerLine", "EntryRow", "KeyRow", "LimitUse", "Limits", "Member", "Money",
    "NoteRow", "adjustments_of", "call_shown", "customer", "customer_lines", "is_frozen", "is_of_staff", "read_lines",
]  # fmt: skip
