"""The only reader of clocks: aware UTC instants, a monotonic counter, ids that carry a time.

Durations use `monotonic()`; sliding windows use the database's clock, which arrives as a
value from the query that holds the account's lock (promise R39).
"""

import os
import time
import uuid
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import DateTime
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

monotonic = time.monotonic
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """This instant, aware and in UTC."""
    return datetime.now(UTC)


def unix_seconds() -> int:
    """Whole seconds since 1970, as the OpenAI API writes its `created` fields."""
    return int(time.time())


def unix_nanoseconds() -> int:
    """Nanoseconds since 1970, as traces write instants."""
    return time.time_ns()


def new_id(at: datetime | None = None) -> uuid.UUID:
    """A UUIDv7 (RFC 9562, section 5.7) of this instant or the one given: 48 bits of milliseconds, then 74 random bits.

    Ordered by time, so that primary keys stay dense. Made here because PostgreSQL has
    `uuidv7()` only since version 18 and Python's `uuid` only since 3.14.
    """
    milliseconds = time.time_ns() // 1_000_000 if at is None else (at - _EPOCH) // timedelta(milliseconds=1)
    random_bits = int.from_bytes(os.urandom(10))
    value = milliseconds << 80 | 0x7 << 76 | (random_bits >> 68 & 0xFFF) << 64
    return uuid.UUID(int=value | 0b10 << 62 | random_bits & 0x3FFF_FFFF_FFFF_FFFF)


def first_id(at: datetime) -> uuid.UUID:
    """No id made at or after this instant is less: the bound of a span of time in a column of ids."""
    return uuid.UUID(int=(at - _EPOCH) // timedelta(milliseconds=1) << 80)


def instant_of(id_: uuid.UUID) -> datetime:
    """The instant a UUIDv7 was made at, to the millisecond; the same for ever for the same id."""
    milliseconds = id_.int >> 80
    return datetime.fromtimestamp(milliseconds // 1000, UTC) + timedelta(milliseconds=milliseconds % 1000)


def day_start(day: date) -> datetime:
    """Midnight at which this UTC day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def month_start(day: date) -> date:
    """The first day of the month of `day`."""
    return day.replace(day=1)


def next_month(day: date) -> date:
    """The first day of the month after that of `day`."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


class UtcDateTime(TypeDecorator[datetime]):
    """A `timestamptz` column that refuses naive values and always reads as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the database; use clock.now()")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)
