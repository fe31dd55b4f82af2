"""Ways from a figure to the rows that made it; None where nobody lists those."""

from datetime import date
from typing import Any

from flask import url_for

from reseller.backoffice.books.ledger import PAID_IN
from reseller.backoffice.books.moved import Moved
from reseller.domain.desk.figures import Period
from reseller.domain.payments import MoveKind
from reseller.web.kinds import has_page


def days(period: Period) -> dict[str, str]:
    """The range as lists and pages of figures know it in their address."""
    return {"from": period.first.isoformat(), "to": period.last.isoformat()}


def calls(period: Period, **filters: Any) -> str | None:
    """The live calls of the range that these filters leave."""
    return to("calls.index_view", keys="live", **filters, **days(period))


def payments(period: Period, kind: MoveKind) -> str | None:
    """The payments of which money of this kind moved in the range, by days of UTC."""
    return to("payments.index_view", moved=str(Moved(period.first, period.last, kind)))


def payments_of(day: date) -> str | None:
    """The payments of which any money moved on this day of UTC."""
    return to("payments.index_view", moved=str(Moved(day, day)))


def ledger(period: Period) -> str | None:
    """The entries of payments in the range."""
    return to("ledger.index_view", kind=PAID_IN, **days(period))


def customer(account_id: Any) -> str | None:
    """The page of a customer."""
    return to("customers.show", account_id=account_id)


def to(endpoint: str, **values: Any) -> str | None:
    """A page of the back office."""
    return url_for(endpoint, **values) if has_page(endpoint) else None
