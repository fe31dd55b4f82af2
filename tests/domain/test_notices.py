"""Letters about low balances and keys that expire: to whoever wants them, once for each crossing and each end."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from flask import Flask

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import accounts, keys, notices
from reseller.domain.accounts import Person, User
from reseller.domain.notices import COOL_DOWN, KEY_NOTICE, Choices
from reseller.errors import Conflict, InvalidRequest
from tests import factories
from tests.authenticator import standing_clock
from tests.domain import scenes


@pytest.fixture(autouse=True)
def clock(app: Flask) -> Iterator[time_machine.Traveller]:
    with standing_clock() as standing:
        yield standing


def owner(usd: str | None = None, **choices: object) -> Person:
    """Somebody with a verified address and this balance."""
    person = factories.make_person(usd=usd)
    with transaction() as session:
        session.get_one(User, person.user_id).email_verified_at = now()
    if choices:
        notices.choose(person.user_id, Choices(**choices), actor=factories.ACTOR)  # type: ignore[arg-type]
    return person


def letters_to(person: Person) -> list[tuple[str, dict[str, str]]]:
    rows = scenes.rows("SELECT kind, facts, recipient FROM letters ORDER BY id")
    return [(row["kind"], row["facts"]) for row in rows if row["recipient"] == person.email]


def take(person: Person, usd: str) -> None:
    factories.grant(person, usd=f"-{usd}")


def test_a_balance_that_falls_below_the_line_is_told_once(clock: time_machine.Traveller) -> None:
    person = owner("20", low_balance_usd=Decimal("12.50"))
    first = notices.tell_of_low_balances()
    take(person, "8")

    told = [notices.tell_of_low_balances() for _ in range(3)]

    assert (first, told) == (0, [1, 0, 0])
    assert letters_to(person) == [("low_balance", {"balance": "$12.00", "line": "$12.50"})]


def test_it_is_told_again_only_after_it_was_above_and_the_cool_down_is_over(clock: time_machine.Traveller) -> None:
    person = owner("20", low_balance_usd=Decimal(10))
    notices.tell_of_low_balances()
    take(person, "15")
    notices.tell_of_low_balances()
    factories.grant(person, usd="20")
    notices.tell_of_low_balances()
    take(person, "20")

    too_soon = notices.tell_of_low_balances()
    clock.shift(COOL_DOWN)
    later, again = notices.tell_of_low_balances(), notices.tell_of_low_balances()

    assert (too_soon, later, again) == (0, 1, 0)
    assert len(letters_to(person)) == 2


def test_nobody_is_told_who_never_was_above_does_not_want_it_or_has_not_shown_their_address() -> None:
    newcomer, silent, unproved, suspended = owner("1"), owner("20", low_balance_usd=None), factories.make_person(usd="20"), owner("20")
    with transaction() as session:
        session.get_one(User, unproved.user_id).email_verified_at = None
    notices.tell_of_low_balances()
    accounts.suspend(suspended.account_id, reason="x", actor=factories.ACTOR)
    for person in (silent, unproved, suspended):
        take(person, "19")

    assert notices.tell_of_low_balances() == 0
    assert [letters_to(person) for person in (newcomer, silent, unproved, suspended)] == [[], [], [], []]


def test_somebody_who_never_chose_is_told_below_the_default() -> None:
    person = owner("20")
    notices.tell_of_low_balances()
    take(person, "15.01")

    assert notices.tell_of_low_balances() == 1
    assert letters_to(person) == [("low_balance", {"balance": "$4.99", "line": "$5.00"})]


def test_a_key_that_expires_soon_is_told_once_for_each_end(clock: time_machine.Traveller) -> None:
    person = owner()
    _, key = factories.mint_key(person, expires_in=timedelta(days=30))
    early = notices.tell_of_expiring_keys()
    clock.shift(timedelta(days=30) - KEY_NOTICE)

    told = [notices.tell_of_expiring_keys() for _ in range(2)]

    assert (early, told) == (0, [1, 0])
    [(kind, facts)] = letters_to(person)
    assert kind == "key_expires"
    assert facts == {"key": keys.shown_prefix(key.key_prefix), "day": f"{now() + KEY_NOTICE:%-d %B %Y}"}


def test_keys_that_are_over_short_lived_replaced_or_of_the_uninterested_are_not_told(clock: time_machine.Traveller) -> None:
    person, uninterested = owner(), owner(tells_key_expiry=False)
    end = timedelta(days=30)
    _, revoked = factories.mint_key(person, expires_in=end)
    _, replaced = factories.mint_key(person)
    factories.mint_key(uninterested, expires_in=end)
    clock.shift(timedelta(days=30) - KEY_NOTICE)
    factories.mint_key(person, expires_in=timedelta(days=2))
    keys.revoke(str(revoked.id), actor=factories.ACTOR)
    keys.rotate(str(replaced.id), grace=timedelta(days=3), actor=factories.ACTOR)

    assert notices.tell_of_expiring_keys() == 0


@pytest.mark.parametrize("line", [Decimal(0), Decimal(-1), Decimal(1_000_001)])
def test_an_amount_that_makes_no_sense_is_refused(line: Decimal) -> None:
    person = owner()

    with pytest.raises(InvalidRequest):
        notices.choose(person.user_id, Choices(line), actor=factories.ACTOR)

    assert notices.choices_of(person.user_id) == Choices()


def test_the_second_of_two_tabs_learns_of_the_first() -> None:
    person = owner(low_balance_usd=Decimal(7))

    with pytest.raises(Conflict):
        notices.choose(person.user_id, Choices(Decimal(9)), actor=factories.ACTOR)

    assert notices.choices_of(person.user_id) == Choices(Decimal(7), True, 1)
    [row] = scenes.rows("SELECT changes FROM staff_actions WHERE action = 'user.choose_notices'")
    assert row["changes"]["low_balance_usd"] == ["5", "7"]
