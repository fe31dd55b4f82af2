"""Days that somebody must look at: opened when the sides differ, closed by a person with words, or by itself once they agree."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from reseller import alarms
from reseller.clock import now
from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.supplier.booked import Suspects
from reseller.domain.supplier.figures import FLOOR_USD, TOLERANCE
from reseller.domain.supplier.tables import SupplierItem
from reseller.errors import Conflict, InvalidRequest, NotFound
from reseller.money import format_decimal

ACTOR = "system:supplier"
ALARM = "supplier_drift"
MAX_WORDS = 500


def keep_open(session: Session, upstream: str, day: date, sums: tuple[Decimal, Decimal, Decimal], suspects: Suspects) -> bool:
    """The day's item says what differs now (`sums`: told, booked, drift); True if somebody has to be told of it.

    One that was resolved stays so while the difference is the one that somebody looked at.
    """
    told, booked, drift = sums
    item = session.scalar(select(SupplierItem).where(SupplierItem.upstream == upstream, SupplierItem.day == day).with_for_update())
    if item is not None and item.resolved_at is not None and not _has_moved(item, told, drift):
        return False
    is_news = item is None or item.resolved_at is not None
    if item is None:
        item = SupplierItem(upstream=upstream, day=day)
        session.add(item)
    item.told_usd, item.booked_usd, item.drift_usd, item.suspects = told, booked, drift, suspects.as_json()
    item.resolved_at, item.resolved_by, item.resolution = None, None, ""
    session.flush()
    return is_news


def close_agreed(session: Session, upstream: str, day: date) -> None:
    """The sides agree: an item that waits is resolved by that."""
    item = session.scalar(select(SupplierItem).where(SupplierItem.upstream == upstream, SupplierItem.day == day).with_for_update())
    if item is not None and item.resolved_at is None:
        _close(item, ACTOR, "The two sides agree now.")


def tell(upstream: str, day: date, drift_usd: Decimal, told_usd: Decimal) -> None:
    """Staff are alarmed. After the commit: an alarm for what was rolled back would send them to an empty page."""
    facts = {"upstream": upstream, "day": day.isoformat(), "drift_usd": format_decimal(drift_usd), "told_usd": format_decimal(told_usd)}
    alarms.sound(ALARM, f"{upstream}, {day}", f"{format_decimal(drift_usd)} of {format_decimal(told_usd)} USD", **facts)


def resolve(item_id: UUID, *, actor: str, resolution: str) -> None:
    """Somebody has looked and says what it was. Raises InvalidRequest without words, NotFound, Conflict if it is resolved."""
    words = resolution.strip()
    if not words or len(words) > MAX_WORDS:
        raise InvalidRequest(f"Say what it was, in at most {MAX_WORDS} characters.", param="reason")
    with transaction() as session:
        item = session.get(SupplierItem, item_id, with_for_update=True)
        if item is None:
            raise NotFound("There is no such item.")
        if item.resolved_at is not None:
            raise Conflict("It has been resolved in the meantime.")
        _close(item, actor, words)


def open_items() -> list[SupplierItem]:
    """What waits for somebody, newest day first."""
    with transaction() as session:
        query = select(SupplierItem).where(SupplierItem.resolved_at.is_(None)).order_by(SupplierItem.day.desc(), SupplierItem.upstream)
        found = list(session.scalars(query))
        session.expunge_all()
        return found


def item_of(upstream: str, day: date) -> SupplierItem | None:
    """The item of that day, open or resolved."""
    with transaction() as session:
        item = session.scalar(select(SupplierItem).where(SupplierItem.upstream == upstream, SupplierItem.day == day))
        if item is not None:
            session.expunge(item)
        return item


def _close(item: SupplierItem, actor: str, words: str) -> None:
    item.resolved_at, item.resolved_by, item.resolution = now(), actor, words
    staff.record(
        actor, "supplier.resolve", "supplier_item", item.id, reason=words, changes={"drift": [format_decimal(item.drift_usd), "resolved"]}
    )


def _has_moved(item: SupplierItem, told_usd: Decimal, drift_usd: Decimal) -> bool:
    return abs(drift_usd - item.drift_usd) > max(FLOOR_USD, TOLERANCE * told_usd)
