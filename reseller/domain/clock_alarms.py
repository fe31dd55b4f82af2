"""How often processes that nobody scrapes raised each alarm: counts for /metrics, for ever. Written by the hearts of workers alone.

What staff look after are the rows of `domain/alarms`.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import BigInteger, Text, select, text
from sqlalchemy.orm import Mapped, mapped_column

from reseller.database import Base, transaction


class ClockAlarm(Base):
    """One row an alarm; its name is in the code."""

    __tablename__ = "clock_alarms"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    raised: Mapped[int] = mapped_column(BigInteger)  # since there is this table; never less
    last_at: Mapped[datetime]  # the database's clock


_ADD = text(
    """INSERT INTO clock_alarms AS a (name, raised, last_at) VALUES (:name, :raised, now())
       ON CONFLICT (name) DO UPDATE SET raised = a.raised + excluded.raised, last_at = now()"""
)


def add(raised: Mapping[str, int]) -> None:
    """Each of these alarms was raised so many times more. If we die here, some are not counted; the log has them."""
    with transaction() as session:
        session.execute(_ADD, [{"name": name, "raised": times} for name, times in sorted(raised.items())])


def totals() -> dict[str, int]:
    """How often each alarm was raised, by name."""
    with transaction() as session:
        rows = session.execute(select(ClockAlarm.name, ClockAlarm.raised).order_by(ClockAlarm.name))
        return {row.name: row.raised for row in rows}
