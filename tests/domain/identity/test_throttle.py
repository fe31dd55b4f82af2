"""Brakes on guessing: exact across processes, and no way to lock somebody out for ever (R31)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.database import acting_as_operator
from reseller.domain.identity import throttle
from reseller.errors import TooManyFailures
from tests.domain import scenes

EMAIL, HERE, THERE = "ann@example.com", "192.0.2.1", "198.51.100.7"


def failures(count: int, *, email: str = EMAIL, address: str = HERE, browser: str | None = None) -> int:
    """So many wrong passwords; how many of them were looked at."""
    return sum(is_let_through(email=email, address=address, browser=browser) for _ in range(count))


def is_let_through(*, email: str = EMAIL, address: str = HERE, browser: str | None = None) -> bool:
    try:
        throttle.attempt(throttle.password_brakes(email, address, browser))
    except TooManyFailures:
        return False
    return True


def pass_time(seconds: int) -> None:
    """Counts are as old as if that much time had passed on the database's clock (R39)."""
    scenes.execute("UPDATE throttles SET started_at = started_at - make_interval(secs => :seconds)", seconds=seconds)


def test_after_ten_failures_the_eleventh_is_not_looked_at_and_says_how_long(app: Flask) -> None:
    looked_at = failures(12)

    assert looked_at == 10
    with pytest.raises(TooManyFailures, match="Try again in 15 minutes") as refused:
        throttle.attempt(throttle.password_brakes(EMAIL, HERE, None))
    assert 890 < refused.value.retry_after_seconds <= 900


def test_the_wait_ends_when_it_said_however_often_one_asks_meanwhile(app: Flask) -> None:
    failures(10)
    pass_time(890)
    asked_meanwhile = failures(20)

    pass_time(11)

    assert asked_meanwhile == 0
    assert is_let_through()


def test_another_spelling_of_the_address_is_the_same_address(app: Flask) -> None:
    failures(10)

    assert not is_let_through(email=" ANN@Example.COM ")


@pytest.mark.parametrize("spelling", ["ann@ｅxample.com", "ann@example。com", "ann@𝐞𝐱𝐚𝐦𝐩𝐥𝐞.com", "ann@EXAMPLE．com"])
def test_a_spelling_that_sign_in_takes_for_the_address_is_counted_with_it(app: Flask, spelling: str) -> None:
    """A domain can be written in thousands of ways that mean the same; each with a count of its own would be no brake at all."""
    failures(10)

    assert not is_let_through(email=spelling)


def test_success_clears_the_account_and_not_the_network(app: Flask) -> None:
    """Whoever owns one account must not clear what they failed at others."""
    for number in range(49):
        failures(1, email=f"victim-{number}@example.com")
    own = throttle.password_brakes("own@example.com", HERE, None)

    throttle.attempt(own)
    throttle.succeed(own)

    assert is_let_through(email="victim-50@example.com")
    assert not is_let_through(email="victim-51@example.com")


def test_an_attacker_locks_out_strangers_but_never_the_owner_s_own_browser(app: Flask) -> None:
    """From as many networks as they like, for as long as they like."""
    for network in range(12):
        failures(10, address=f"203.0.113.{network}")

    assert not is_let_through(address=THERE)
    assert is_let_through(address=THERE, browser="known")


def test_a_neighbour_in_the_same_network_locks_out_strangers_but_not_the_owner_s_own_browser(app: Flask) -> None:
    """The same where a router in front hides everybody's address (TRUSTED_PROXIES forgotten)."""
    for number in range(6):
        failures(10, email=f"victim-{number}@example.com")

    assert not is_let_through(email="fresh@example.com")
    assert is_let_through(browser="known")


def test_one_network_alone_keeps_nobody_else_from_an_address(app: Flask) -> None:
    failures(60)

    assert not is_let_through()
    assert is_let_through(address=THERE)


def test_a_known_browser_has_a_limit_too(app: Flask) -> None:
    """A stolen cookie is no free ticket."""
    assert failures(20, browser="known") == 10


def test_a_new_password_opens_the_address_again(app: Flask) -> None:
    failures(10)

    throttle.forgive(EMAIL)

    assert is_let_through()


def test_a_network_of_version_six_is_one_however_many_addresses_it_has(app: Flask) -> None:
    looked_at = sum(failures(1, email=f"{n}@example.com", address=f"2001:db8:1:2::{n:x}") for n in range(1, 60))

    assert looked_at == 50
    assert throttle.network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert throttle.network_of("not an address") == "not an address"


def test_many_at_once_from_several_processes_get_no_more_guesses(app: Flask, make_app: Callable[..., Flask]) -> None:
    """Guard: one atomic upsert, and counting before looking."""
    apps = [app, make_app()]

    def guess(number: int) -> bool:
        with apps[number % 2].app_context(), acting_as_operator():
            return is_let_through()

    with ThreadPoolExecutor(8) as pool:
        let_through = list(pool.map(guess, range(40)))

    assert let_through.count(True) == 10


def test_codes_are_braked_for_each_person_by_the_quarter_and_by_the_day(app: Flask) -> None:
    who = new_id()
    looked_at = []
    for _ in range(6):
        looked_at.append(sum(_code_is_looked_at(who) for _ in range(8)))
        pass_time(901)

    assert looked_at == [5, 5, 5, 5, 0, 0]
    assert _code_is_looked_at(new_id())


def _code_is_looked_at(user_id: Any) -> bool:
    try:
        throttle.attempt(throttle.code_brakes(user_id, None))
    except TooManyFailures:
        return False
    return True


def letters(count: int, *, address: str, browser: str | None = None) -> int:
    """So many letters asked for to one mailbox; how many of them go out."""
    sent = 0
    for _ in range(count):
        with suppress(TooManyFailures):
            throttle.ask_letter(EMAIL, address, browser)
            sent += 1
    return sent


def test_a_mailbox_gets_so_many_letters_a_day_from_however_many_networks_they_are_asked_for(app: Flask) -> None:
    """Guard: the first two of each network have sixty places, all beyond them twenty."""
    many = sum(letters(5, address=f"203.0.113.{network}") for network in range(40))

    assert many == 60 + 20


def test_a_network_that_asked_for_little_gets_a_letter_where_others_asked_for_all_they_could(app: Flask) -> None:
    """R31: four networks filled what all had in common."""
    flood = sum(letters(9, address=f"203.0.113.{network}") for network in range(10))

    assert flood == 2 * 10 + 20
    assert letters(9, address=THERE) == 2


def test_a_known_browser_counts_its_letters_for_itself_by_the_hour_and_by_the_day(app: Flask) -> None:
    for network in range(40):
        letters(5, address=f"203.0.113.{network}")
    sent = []
    for _ in range(5):
        sent.append(letters(6, address=THERE, browser="known"))
        pass_time(3_601)

    assert letters(1, address=THERE) == 0
    assert sent == [5, 5, 5, 5, 0]


def test_counts_hold_no_e_mail_address_and_are_forgotten_after_a_day(app: Flask) -> None:
    failures(3)
    stored = str(scenes.rows("SELECT * FROM throttles"))
    kept = throttle.forget_old()
    pass_time(86_500)

    gone = throttle.forget_old()

    assert "ann" not in stored
    assert (kept, gone) == (0, 3)
    assert scenes.rows("SELECT * FROM throttles") == []
