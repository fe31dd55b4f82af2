"""Customers are told what became of prices and models, whoever or whatever changed them.

Prices move by an upstream's list, by staff, and by time alone: a rule begins, a quarantine ends. So nobody tells of a change where
it is made; the clock compares what is for sale to everybody with what was told last, and tells the difference, once. Prices that
an account has of its own are in its `/v1/models`, and in no event. What time does is told by the database's clock (R39): workers
whose own clocks differ see it at one instant.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ForeignKey, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from reseller.database import Base, transaction
from reseller.domain import outbox
from reseller.domain.pricing.book import load
from reseller.domain.pricing.changes import lock_prices

MODELS_AT_A_TIME = 50
"""So many in one event: a rule may change hundreds, and a message has to stay small."""

Prices = Mapping[str, str]
T = TypeVar("T")


class ToldPrice(Base):
    """What was last told of a model: its list prices by unit, and whether it was for sale."""

    __tablename__ = "told_prices"

    model_slug: Mapped[str] = mapped_column(ForeignKey("models.slug"), primary_key=True)
    prices: Mapped[dict[str, str]] = mapped_column(JSONB)
    is_for_sale: Mapped[bool]
    told_at: Mapped[datetime]  # the database's clock


def tell_of_prices() -> tuple[int, int, int]:
    """Whoever listens is told which models have other list prices, are withdrawn, and are for sale again; how many of each.

    A model that is new is not news; so the first look at all tells nothing. If we die here, nothing was told.
    """
    with transaction() as session:
        lock_prices()  # what is read below is of one version, and of two who look one comes after the other
        at = session.execute(select(func.clock_timestamp())).scalar_one()  # not now(), which is from before the lock
        now_for_sale = {offer.model: offer.sell_prices() for offer in load(session).as_of(at).models_for(None)}
        told = {row.model_slug: row for row in session.scalars(select(ToldPrice).order_by(ToldPrice.model_slug))}
        changed = [
            {"id": slug, "pricing_before": row.prices, "pricing": now_for_sale[slug]}
            for slug, row in told.items()
            if slug in now_for_sale and now_for_sale[slug] != row.prices
        ]
        gone = [slug for slug, row in told.items() if row.is_for_sale and slug not in now_for_sale]
        back = [slug for slug, row in told.items() if not row.is_for_sale and slug in now_for_sale]
        for some in _in_parts(changed):
            outbox.announce("model.price_changed", None, models=some)
        for names in _in_parts(gone):
            outbox.announce("model.withdrawn", None, models=names)
        for names in _in_parts(back):
            outbox.announce("model.restored", None, models=names)
        _remember(session, now_for_sale, told, gone, at)
        return len(changed), len(gone), len(back)


def _in_parts(models: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(models), MODELS_AT_A_TIME):
        yield models[first : first + MODELS_AT_A_TIME]


def _remember(
    session: Session, now_for_sale: Mapping[str, Prices], told: Mapping[str, ToldPrice], gone: Sequence[str], at: datetime
) -> None:
    for slug in gone:
        told[slug].is_for_sale, told[slug].told_at = False, at
    for slug, prices in now_for_sale.items():
        row = told.get(slug)
        if row is None:
            session.add(ToldPrice(model_slug=slug, prices=dict(prices), is_for_sale=True, told_at=at))
        elif not row.is_for_sale or row.prices != prices:
            row.prices, row.is_for_sale, row.told_at = dict(prices), True, at
