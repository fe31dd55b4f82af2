"""Finance's figures as entries for a bookkeeping: from which account to which, one line for each month and pair."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby

from reseller.domain.desk.figures.finance import FinanceDay, together

STRIPE, DEFERRED, REVENUE = "Stripe", "Deferred credit", "Revenue"
TAX, FEES, LOSSES, COST, UPSTREAM = "Tax payable", "Payment fees", "Losses", "Cost of calls", "Credit at upstreams"


@dataclass(frozen=True, slots=True)
class BookEntry:
    """An amount above zero, from the account that is credited to the one that is debited."""

    up_to: date
    debit: str
    credit: str
    amount_usd: Decimal
    what: str


def entries_by_month(days: Sequence[FinanceDay]) -> list[BookEntry]:
    """Of each month of these days together, without those of nothing."""
    months = [together(list(found)) for _, found in groupby(days, key=lambda day: day.day.replace(day=1))]
    return [entry for month in months for entry in entries_of(month)]


def entries_of(day: FinanceDay) -> Iterator[BookEntry]:
    """Of one day, or of several together; what was given back stands the other way round."""
    back = day.refunded_usd + day.disputed_usd
    for debit, credit, amount, what in (
        (STRIPE, DEFERRED, day.paid_usd - day.tax_usd, "Credit sold"),
        (STRIPE, TAX, day.tax_usd, "Tax on credit sold"),
        (DEFERRED, STRIPE, back - day.tax_back_usd - day.lost_usd, "Refunds and disputes"),
        (TAX, STRIPE, day.tax_back_usd, "Tax of refunds and disputes"),
        (LOSSES, STRIPE, day.lost_usd, "Went back twice"),
        (FEES, STRIPE, day.fees_usd, "Fees of cards and disputes"),
        (DEFERRED, REVENUE, day.earned_usd, "Paid credit used by calls"),
        (COST, UPSTREAM, day.cost_usd, "Calls at upstreams"),
    ):
        if amount > 0:
            yield BookEntry(day.day, debit, credit, amount, what)
        elif amount < 0:
            yield BookEntry(day.day, credit, debit, -amount, f"{what}, given back")
