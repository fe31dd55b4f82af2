"""The filter of payments by when money of theirs moved at Stripe, so that a figure of finance leads to the very rows behind it."""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, exists

from reseller.backoffice.filters import ListFilter
from reseller.clock import day_start
from reseller.domain.payments import MoveKind, Payment, PaymentMove


@dataclass(frozen=True, slots=True)
class Moved:
    """From the first to the last day, both whole, of UTC as finance has them; of any kind where there is none."""

    first: date
    last: date
    kind: MoveKind | None = None

    def __str__(self) -> str:
        return f"{self.first}..{self.last}" + (f" {self.kind}" if self.kind else "")


def moved_in(text: str) -> Moved:
    """What `str` makes of one. Raises ValueError."""
    days, _, kind = text.strip().partition(" ")
    first, dots, last = days.partition("..")
    found = Moved(date.fromisoformat(first), date.fromisoformat(last if dots else first), MoveKind(kind) if kind else None)
    if not date(2000, 1, 1) <= found.first <= found.last <= date(2199, 12, 31):
        raise ValueError(text)
    return found


class MoneyMoved(ListFilter):
    """`2026-11-01..2026-11-30 refund`: payments of which money was refunded in November; without a word, of which any moved."""

    def __init__(self) -> None:
        super().__init__("moved", "Money moved (UTC)", _where)

    def clean(self, value: str) -> Moved:
        return moved_in(super().clean(value))


def _where(moved: Moved) -> ColumnElement[bool]:
    at, after = (day_start(day) for day in (moved.first, moved.last + timedelta(days=1)))
    is_meant = [PaymentMove.payment_id == Payment.id, PaymentMove.created_at >= at, PaymentMove.created_at < after]
    if moved.kind is not None:
        is_meant.append(PaymentMove.kind == moved.kind)
    return exists().where(*is_meant)
