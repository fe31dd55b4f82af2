"""Who is wrong too often from one address waits, and nobody else (R31)."""

import pytest

from reseller.errors import TooManyFailures
from reseller.web import failures
from reseller.web.failures import FailureThrottle


def test_an_address_that_is_wrong_too_often_is_slowed_down() -> None:
    throttle = FailureThrottle(3, "Too often.")
    for _ in range(3):
        throttle.check("a")
        throttle.failed("a")

    with pytest.raises(TooManyFailures, match="Too often") as refused:
        throttle.check("a")

    assert 0 < refused.value.retry_after_seconds <= failures.WINDOW_SECONDS
    throttle.check("b")


def test_a_minute_later_it_may_be_wrong_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(failures, "monotonic", lambda: clock[0])
    throttle = FailureThrottle(1, "Too often.")
    throttle.failed("a")

    clock[0] += failures.WINDOW_SECONDS + 1

    throttle.check("a")


def test_many_addresses_take_no_more_room_than_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "MAX_ADDRESSES", 2)
    throttle = FailureThrottle(1, "Too often.")

    for address in ("a", "b", "c"):
        throttle.failed(address)

    throttle.check("a")
    for address in ("b", "c"):
        with pytest.raises(TooManyFailures):
            throttle.check(address)
