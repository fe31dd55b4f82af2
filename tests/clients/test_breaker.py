"""The breaker opens on evidence, refuses at once, probes with one call and recovers by itself (R32)."""

from dataclasses import dataclass

import pytest

from reseller.clients.breaker import Breaker
from reseller.errors import UpstreamBusy


@dataclass
class Clock:
    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock=clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed(breaker.enter())


def succeed(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.succeeded(breaker.enter())


def test_nineteen_failures_leave_it_closed(breaker: Breaker) -> None:
    fail(breaker, 19)

    assert not breaker.is_open


def test_twenty_failures_open_it_and_the_next_call_is_told_to_wait(breaker: Breaker) -> None:
    fail(breaker, 20)

    with pytest.raises(UpstreamBusy) as refused:
        breaker.check()
    assert refused.value.status == 503
    assert refused.value.retry_after_seconds == 5


def test_failures_in_the_minority_leave_it_closed(breaker: Breaker) -> None:
    succeed(breaker, 31)
    fail(breaker, 30)

    assert not breaker.is_open


def test_failures_that_are_half_of_all_open_it(breaker: Breaker) -> None:
    succeed(breaker, 30)
    fail(breaker, 30)

    assert breaker.is_open


def test_failures_older_than_ten_seconds_do_not_count(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 19)
    clock.seconds += 10.1
    fail(breaker, 19)

    assert not breaker.is_open


def test_failures_just_within_ten_seconds_count(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 10)
    clock.seconds += 9.9
    fail(breaker, 10)

    assert breaker.is_open


def test_calls_that_broke_off_later_count_once_each(breaker: Breaker) -> None:
    succeed(breaker, 20)
    for _ in range(19):
        breaker.broke()
    still_closed = not breaker.is_open

    breaker.broke()

    assert still_closed
    assert breaker.is_open


def test_after_five_seconds_exactly_one_call_may_probe(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 20)
    clock.seconds += 5
    breaker.check()

    assert breaker.enter() is True
    with pytest.raises(UpstreamBusy):
        breaker.enter()


def test_a_probe_that_is_answered_closes_it_and_forgets(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 20)
    clock.seconds += 5
    breaker.succeeded(breaker.enter())

    fail(breaker, 19)

    assert not breaker.is_open


def test_a_probe_that_fails_keeps_it_open_for_five_seconds_more(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 20)
    clock.seconds += 5
    breaker.failed(breaker.enter())
    clock.seconds += 4.9

    with pytest.raises(UpstreamBusy):
        breaker.check()
    clock.seconds += 0.1
    assert breaker.enter() is True


def test_a_probe_that_was_given_up_lets_another_try(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 20)
    clock.seconds += 5
    breaker.left(breaker.enter())

    assert breaker.enter() is True


def test_late_news_of_calls_from_before_neither_closes_nor_prolongs_it(breaker: Breaker, clock: Clock) -> None:
    early = [breaker.enter() for _ in range(3)]
    fail(breaker, 20)
    clock.seconds += 4
    breaker.succeeded(early[0])
    breaker.failed(early[1])
    breaker.left(early[2])
    breaker.broke()
    still_open = breaker.is_open
    clock.seconds += 1

    assert still_open
    assert breaker.enter() is True
