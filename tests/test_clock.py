"""Instants are aware and in UTC; ids carry the instant they were made at, to the millisecond."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from reseller import clock

DIALECT: Any = postgresql.dialect()
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
YEAR_9999 = 253_402_300_799_999  # the last millisecond that a datetime can tell


def test_now_is_aware_and_in_utc() -> None:
    with time_machine.travel(NEW_YEAR, tick=False):
        assert clock.now() == NEW_YEAR
        assert clock.now().utcoffset() == timedelta(0)
        assert clock.unix_seconds() == int(NEW_YEAR.timestamp())


def test_durations_do_not_follow_the_wall_clock() -> None:
    """R39."""
    before = clock.monotonic()

    with time_machine.travel(NEW_YEAR, tick=False):
        passed = clock.monotonic() - before

    assert 0 <= passed < 60


def test_an_id_is_a_version_7_uuid_of_the_rfc_variant() -> None:
    id_ = clock.new_id()

    assert id_.version == 7
    assert id_.variant == "specified in RFC 4122"


def test_an_id_tells_its_instant_to_the_millisecond() -> None:
    """R4: the instant is a function of the id alone, so a usage row has one primary key for ever."""
    instant = datetime(2027, 3, 4, 5, 6, 7, 89_999, tzinfo=UTC)

    with time_machine.travel(instant, tick=False):
        id_ = clock.new_id()

    assert clock.instant_of(id_) == instant.replace(microsecond=89_000)
    assert clock.instant_of(UUID(str(id_))) == clock.instant_of(id_)


@given(st.integers(min_value=0, max_value=YEAR_9999))
def test_the_instant_of_an_id_is_exact(milliseconds: int) -> None:
    id_ = UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62)

    instant = clock.instant_of(id_)

    assert instant - datetime(1970, 1, 1, tzinfo=UTC) == timedelta(milliseconds=milliseconds)


def test_later_ids_are_greater() -> None:
    ids = []
    for second in range(5):
        with time_machine.travel(NEW_YEAR + timedelta(seconds=second), tick=False):
            ids.append(clock.new_id())

    assert ids == sorted(ids)


def test_ids_of_one_instant_differ() -> None:
    with time_machine.travel(NEW_YEAR, tick=False):
        ids = {clock.new_id() for _ in range(1_000)}

    assert len(ids) == 1_000


@pytest.mark.parametrize(
    ("day", "start", "following"),
    [
        (date(2028, 2, 29), date(2028, 2, 1), date(2028, 3, 1)),
        (date(2027, 12, 31), date(2027, 12, 1), date(2028, 1, 1)),
        (date(2027, 1, 1), date(2027, 1, 1), date(2027, 2, 1)),
    ],
)
def test_months_begin_on_their_first_day(day: date, start: date, following: date) -> None:
    assert clock.month_start(day) == start
    assert clock.next_month(day) == following


def test_a_naive_instant_is_refused_by_the_database_column() -> None:
    with pytest.raises(ValueError, match="naive"):
        clock.UtcDateTime().process_bind_param(datetime(2027, 1, 1), DIALECT)  # noqa: DTZ001 - the naive one is the subject


def test_the_database_column_reads_in_utc_whatever_the_session_says() -> None:
    there = datetime(2027, 1, 1, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))

    read = clock.UtcDateTime().process_result_value(there, DIALECT)

    assert read == NEW_YEAR
    assert read is not None
    assert read.utcoffset() == timedelta(0)
