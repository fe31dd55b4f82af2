"""Windows and calls at once, decided in the admission commit (R29, R30)."""

from typing import Any

from reseller.domain import limits
from reseller.domain.calls import Till
from reseller.domain.limits import RequestCounter, SlidingWindow, windows_now
from reseller.errors import (
    RateLimited,
    TooManyAtOnce,
)
from tests.domain import scenes


def test_concurrency_is_free_again_with_the_end_of_a_call(till: Till) -> None:
    """R29."""
    who = scenes.customer(limits={"concurrent_requests": 1})
    op = scenes.admission(who)
    till.admit(op)
    refusal = scenes.refused(till, scenes.admission(who))

    till.settle(scenes.settlement(op))

    assert isinstance(refusal, TooManyAtOnce)
    assert refusal.retry_after_seconds > 0
    assert till.admit(scenes.admission(who)).hold_nano == 100


def test_a_full_window_says_truly_how_long_to_wait(till: Till) -> None:
    """R30: the same call is let in after that wait, and not before; the database's clock is moved by moving its counts."""
    who = scenes.customer(limits={"requests_per_minute": 2})
    for _ in range(2):
        till.admit(scenes.admission(who))

    refusal = scenes.refused(till, scenes.admission(who))

    assert isinstance(refusal, RateLimited)
    assert 59 <= refusal.retry_after_seconds <= 61
    shift_windows(who, seconds=int(refusal.retry_after_seconds) - 2)
    assert isinstance(scenes.refused(till, scenes.admission(who)), RateLimited)
    shift_windows(who, seconds=4)
    assert till.admit(scenes.admission(who)).hold_nano == 100


def shift_windows(who: scenes.Customer, *, seconds: int) -> None:
    """The account's calls of this minute were made that much earlier."""
    row = scenes.rows("SELECT minute FROM request_counters WHERE account_id = :id", id=who.account_id)[0]
    packed = bytes(row["minute"])
    window = SlidingWindow(60, packed)
    ordered = [window.counts[(window.head - age) % limits.SLOTS] for age in range(limits.SLOTS)]
    window.head -= seconds
    for age, count in enumerate(ordered):
        window.counts[(window.head - age) % limits.SLOTS] = count
    scenes.execute("UPDATE request_counters SET minute = :minute WHERE account_id = :id", minute=window.pack(), id=who.account_id)


def test_the_answer_tells_what_is_left_of_each_limited_window(till: Till, app: Any) -> None:
    who = scenes.customer(limits={"requests_per_minute": 5, "requests_per_day": 9})

    allowance = till.admit(scenes.admission(who)).allowance

    assert [(use.name, use.limit, use.remaining) for use in allowance.windows] == [("minute", 5, 4), ("day", 9, 8)]
    row = scenes.rows("SELECT * FROM request_counters WHERE account_id = :id", id=who.account_id)[0]
    counter = RequestCounter(minute=bytes(row["minute"]), hour=bytes(row["hour"]), day=bytes(row["day"]))
    later = windows_now(counter, limits.limits_of(who.account_id), SlidingWindow(60, counter.minute).head)
    assert [use.remaining for use in later.windows] == [4, 8]


def test_windows_hold_across_processes(till: Till, database_url: str) -> None:
    """R30: the counts live in the admission commit, in one row per account."""
    who = scenes.customer(nano=10_000, limits={"requests_per_hour": 7})
    ops = [scenes.admission(who) for _ in range(20)]

    answers = scenes.from_two_processes(database_url, lambda till: scenes.all_at_once(till, [scenes.admission(who) for _ in ops[:10]]))

    assert sum(not isinstance(answer, Exception) for answer in answers) == 7
    assert sum(isinstance(answer, RateLimited) for answer in answers) == 13
    assert scenes.counted(who)["hour"] == 7
