"""Days as the upstream told them and as we booked them: which are due, comparing one, and reading what was compared.

A day is looked at twice: some hours after its end, and two days later, when neither side moves any more. A worker that was down
catches up, as far back as the upstream remembers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.database import lock_name, transaction
from reseller.domain.supplier import items
from reseller.domain.supplier.booked import booked_on, span_of, suspects_on
from reseller.domain.supplier.figures import ZERO, Booked, Pair, Told, drift, is_drift, pairs, total
from reseller.domain.supplier.tables import SupplierDay, SupplierModel

FIRST_LOOK = timedelta(hours=6)
LAST_LOOK = timedelta(hours=48)

# A shop's first calls may be younger than the account they were sent with.
_FIRST_DAY = text("SELECT min(day) FROM traffic_days WHERE upstream = :upstream AND NOT is_test AND calls > 0")


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of comparing a day. `is_open`: somebody has to look at it."""

    upstream: str
    day: date
    told_usd: Decimal
    booked_usd: Decimal
    drift_usd: Decimal
    is_open: bool


def first_day(upstream: str) -> date | None:
    """The first day on which we sent this upstream a call; None if we never did."""
    with transaction() as session:
        found: date | None = session.scalar(_FIRST_DAY, {"upstream": upstream})
        return found


def due(upstream: str, *, listed_days: int, kept_since: date | None = None) -> list[date]:
    """The days to be compared now, oldest first: of the last `listed_days` not before `kept_since`: calls are needed to compare."""
    at = now()
    with transaction() as session:
        first = session.scalar(_FIRST_DAY, {"upstream": upstream})
        if first is None:
            return []
        begin = max(day for day in (first, at.date() - timedelta(days=listed_days), kept_since) if day is not None)
        compared = {
            row.day: row for row in session.scalars(select(SupplierDay).where(SupplierDay.upstream == upstream, SupplierDay.day >= begin))
        }
    over = [begin + timedelta(days=n) for n in range((at.date() - begin).days)]
    return [day for day in over if _is_due(day, compared.get(day))]


def record(upstream: str, day: date, told: Sequence[Told], *, is_of_key: bool) -> Compared:
    """What the upstream says of the day is kept and compared; a difference that is too large waits for somebody, who is alarmed once.

    Doing it twice, by two workers, or with one killed in between, leaves the same. If we die here: nothing of it happened.
    """
    with transaction() as session:
        lock_name(f"supplier {upstream} {day}")
        booked = booked_on(session, upstream, day)
        found = pairs(told, booked)
        ours = total(booked)
        is_final = now() >= span_of(day)[1] + LAST_LOOK
        told_usd = sum((row.cost_usd for row in told), ZERO)
        off = drift(told_usd, ours)
        _keep(session, upstream, day, found)
        session.merge(
            SupplierDay(
                upstream=upstream,
                day=day,
                compared_at=now(),
                is_of_key=is_of_key,
                is_final=is_final,
                requests=sum(row.requests for row in told),
                told_usd=told_usd,
                byok_usd=sum((row.byok_usd for row in told), ZERO),
                booked_calls=ours.calls,
                booked_usd=ours.cost_usd,
                drift_usd=off,
            )
        )
        is_open = is_drift(off, told_usd, ours.cost_usd) or any(pair.is_drift for pair in found)
        # Nothing at all, and a day that has just ended: there it is not summed yet.
        is_open = is_open and (bool(told) or is_final)
        is_news = False
        if is_open:
            is_news = items.keep_open(session, upstream, day, (told_usd, ours.cost_usd, off), suspects_on(session, upstream, day, found))
        elif told or is_final:
            items.close_agreed(session, upstream, day)
    if is_news:
        items.tell(upstream, day, off, told_usd)
    return Compared(upstream, day, told_usd, ours.cost_usd, off, is_open)


def compared_days(upstream: str | None = None, *, last: int = 30) -> list[SupplierDay]:
    """The days that were compared last, newest first."""
    query = select(SupplierDay).order_by(SupplierDay.day.desc(), SupplierDay.upstream).limit(last)
    with transaction() as session:
        found = list(session.scalars(query.where(SupplierDay.upstream == upstream) if upstream else query))
        session.expunge_all()
        return found


def day_of(upstream: str, day: date) -> SupplierDay | None:
    """That day, if it was compared."""
    with transaction() as session:
        found = session.get(SupplierDay, (upstream, day))
        if found is not None:
            session.expunge(found)
        return found


def models_of(upstream: str, first: date, last: date) -> list[SupplierModel]:
    """Both sides by model and day."""
    query = select(SupplierModel).where(SupplierModel.upstream == upstream, SupplierModel.day.between(first, last))
    with transaction() as session:
        found = list(session.scalars(query.order_by(SupplierModel.day.desc(), SupplierModel.told_usd.desc(), SupplierModel.model)))
        session.expunge_all()
        return found


def _is_due(day: date, compared: SupplierDay | None) -> bool:
    ended = span_of(day)[1]
    if compared is None:
        return now() >= ended + FIRST_LOOK
    return not compared.is_final and now() >= ended + LAST_LOOK


def _keep(session: Session, upstream: str, day: date, found: Sequence[Pair]) -> None:
    session.execute(delete(SupplierModel).where(SupplierModel.upstream == upstream, SupplierModel.day == day))
    for pair in found:
        told = pair.told or Told(pair.model, (), 0, 0, 0, 0, ZERO)
        booked = pair.booked or Booked(())
        session.add(
            SupplierModel(
                upstream=upstream,
                day=day,
                model=pair.model,
                requests=told.requests,
                prompt_tokens=told.prompt_tokens,
                completion_tokens=told.completion_tokens,
                reasoning_tokens=told.reasoning_tokens,
                told_usd=told.cost_usd,
                byok_usd=told.byok_usd,
                names=list(told.names),
                booked_calls=booked.calls,
                booked_prompt_tokens=booked.prompt_tokens,
                booked_completion_tokens=booked.completion_tokens,
                booked_usd=booked.cost_usd,
                drift_usd=pair.drift_usd,
            )
        )
