"""Sliding windows: never more than the limit in any window wherever it starts, free again at most 1/60 late (promise R30)."""

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller.clock import new_id
from reseller.database import db
from reseller.domain import limits
from reseller.domain.limits import BUCKETS, SLOTS, WINDOW_SECONDS, Allowance, RateLimit, RequestCounter, SlidingWindow, WindowUse
from reseller.domain.staff import StaffAction
from reseller.errors import InvalidRequest
from tests import factories

START = 1_800_000_000.0
widths = st.sampled_from(list(WINDOW_SECONDS.values()))
shares = st.lists(st.floats(min_value=0, max_value=0.4), min_size=1, max_size=120)


def admitted_instants(width: int, limit: int, gaps: list[float], *, start: float = START) -> list[float]:
    """When calls were let in, for attempts that follow each other by these gaps."""
    window, now, taken = SlidingWindow(width), start, []
    for gap in gaps:
        now += gap
        window.advance(now)
        if window.used < limit:
            window.add()
            taken.append(now)
    return taken


@given(width=widths, limit=st.integers(min_value=1, max_value=8), shares=shares)
def test_no_window_wherever_it_starts_holds_more_than_the_limit(width: int, limit: int, shares: list[float]) -> None:
    """R30: a window that starts with any admitted call is the worst one."""
    taken = admitted_instants(width, limit, [share * width for share in shares])

    recent: deque[float] = deque()
    for instant in taken:
        recent.append(instant)
        while recent[0] <= instant - width:
            recent.popleft()
        assert len(recent) <= limit


@given(width=widths, limit=st.integers(min_value=1, max_value=5), offset=st.floats(min_value=0, max_value=86_400))
def test_a_call_is_free_again_at_most_a_sixtieth_of_the_window_late(width: int, limit: int, offset: float) -> None:
    """R30."""
    begun = START + offset
    window = SlidingWindow(width)
    window.advance(begun)
    for _ in range(limit):
        window.add()

    window.advance(begun + width + width / BUCKETS)

    assert window.used == 0


@given(width=widths, limit=st.integers(min_value=1, max_value=6), shares=shares)
def test_retry_after_is_true_to_the_instant(width: int, limit: int, shares: list[float]) -> None:
    """R30: after exactly that wait the same call is let in, and not a moment before."""
    window, now = SlidingWindow(width), START
    for share in shares:
        now += share * width
        window.advance(now)
        window.add()

    wait = window.seconds_until_free(limit, now)

    packed = window.pack()
    at_the_time = SlidingWindow(width, packed)
    at_the_time.advance(now + wait)
    assert at_the_time.used < limit
    assert wait <= width + window.step
    if wait > 0.01:
        too_early = SlidingWindow(width, packed)
        too_early.advance(now + wait - 0.01)
        assert too_early.used >= limit
    else:
        assert wait == 0.0 or window.used >= limit


def test_a_window_with_room_says_that_there_is_no_wait() -> None:
    window = SlidingWindow(60)
    window.advance(START)
    window.add()

    assert window.seconds_until_free(2, START) == 0.0


@given(width=widths, shares=shares)
def test_the_reset_is_when_the_last_counted_call_leaves(width: int, shares: list[float]) -> None:
    window, now = SlidingWindow(width), START
    for share in shares:
        now += share * width
        window.advance(now)
        window.add()

    wait = window.seconds_until_empty(now)

    packed = window.pack()
    at_the_time, just_before = SlidingWindow(width, packed), SlidingWindow(width, packed)
    at_the_time.advance(now + wait)
    just_before.advance(now + wait - 0.01)
    assert at_the_time.used == 0
    assert just_before.used > 0


def test_an_empty_window_resets_at_once() -> None:
    window = SlidingWindow(60)
    window.advance(START)

    assert window.seconds_until_empty(START) == 0.0


@given(width=widths, shares=shares, back=st.floats(min_value=0, max_value=10 * 86_400))
def test_a_clock_that_goes_back_frees_nothing_and_blocks_for_one_window_at_most(width: int, shares: list[float], back: float) -> None:
    """R30 in the fault model's wall clock of ±1 h."""
    window, now = SlidingWindow(width), START
    for share in shares:
        now += share * width
        window.advance(now)
        window.add()
    used = window.used

    window.advance(now - back)

    assert window.used == used
    assert window.seconds_until_empty(now - back) <= width + window.step
    window.advance(now - back + width + window.step)
    assert window.used == 0


@given(width=widths, shares=shares)
def test_packing_loses_nothing(width: int, shares: list[float]) -> None:
    window, now = SlidingWindow(width), START
    for share in shares:
        now += share * width
        window.advance(now)
        window.add()

    again = SlidingWindow(width, window.pack())

    assert (again.head, list(again.counts), again.used) == (window.head, list(window.counts), window.used)
    assert len(window.pack()) == 8 + 4 * SLOTS


def test_a_window_that_was_never_packed_is_empty() -> None:
    """A new account's row holds empty bytes."""
    window = SlidingWindow(60, b"")
    window.advance(START)

    assert window.used == 0


def test_the_tightest_window_is_the_one_with_the_smallest_share_left() -> None:
    hour, day = WindowUse("hour", 100, 40, 1.0), WindowUse("day", 1000, 30, 1.0)

    assert Allowance((hour, day)).tightest == day
    assert Allowance().tightest is None


def test_limits_begin_with_their_defaults(app: Any) -> None:
    person = factories.make_person()

    row = limits.limits_of(person.account_id)

    assert (row.requests_per_minute, row.requests_per_hour, row.requests_per_day) == (300, 10_000, 100_000)
    assert row.concurrent_requests == 100
    assert row.max_tokens_per_request is None


def test_a_change_of_limits_is_recorded_with_before_and_after(app: Any) -> None:
    """R37."""
    person = factories.make_person()

    limits.change(person.account_id, {"rpm": 7, "rpd": None}, actor="user:1", reason="asked for it")

    row = limits.limits_of(person.account_id)
    assert (row.requests_per_minute, row.requests_per_day) == (7, None)
    action = db.session.query(StaffAction).filter_by(action="limits.change").one()
    assert action.changes == {"requests_per_minute": [300, 7], "requests_per_day": [100_000, None]}
    assert (action.actor, action.reason, action.account_id) == ("user:1", "asked for it", person.account_id)


@pytest.mark.parametrize("value", [0, -1, 2_000_000_001])
def test_a_limit_that_makes_no_sense_is_refused_and_changes_nothing(app: Any, value: int) -> None:
    person = factories.make_person()

    with pytest.raises(InvalidRequest):
        limits.change(person.account_id, {"rpd": 5, "rpm": value}, actor="user:1")

    row = limits.limits_of(person.account_id)
    assert (row.requests_per_minute, row.requests_per_day) == (300, 100_000)


def test_reading_the_windows_tells_what_is_left_and_writes_nothing() -> None:
    window = SlidingWindow(60)
    window.advance(START)
    window.add()
    counter = RequestCounter(account_id=new_id(), minute=window.pack(), hour=b"", day=b"")
    allowed = RateLimit(requests_per_minute=3, requests_per_hour=None, requests_per_day=10)

    allowance = limits.windows_now(counter, allowed, START + 1)

    assert [(use.name, use.limit, use.remaining) for use in allowance.windows] == [("minute", 3, 2), ("day", 10, 10)]
    assert counter.minute == window.pack()
