"""Letters about keys that expire: to whoever wants them, once for each end."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import keys, letters, notices
from reseller.domain.accounts import Person, User
from reseller.domain.keys import ApiKey, KeyTerms
from reseller.domain.letters import LetterKind
from reseller.domain.notices import KEY_NOTICE, Choices
from reseller.errors import Conflict
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


def test_programs_are_told_once_for_each_end_whatever_letters_the_owner_wants(clock: time_machine.Traveller) -> None:
    person = owner(tells_key_expiry=False)
    _, key = factories.mint_key(person, name="production", expires_in=timedelta(days=30))
    _, replaced = factories.mint_key(person, expires_in=timedelta(days=30))
    keys.rotate(str(replaced.id), grace=timedelta(days=30), actor=factories.ACTOR)
    factories.mint_key(person, expires_in=timedelta(days=2))
    early = notices.announce_expiring_keys()
    clock.shift(timedelta(days=30) - KEY_NOTICE)

    counts = [notices.announce_expiring_keys() for _ in range(2)]

    assert (early, counts) == (0, [2, 0]), "the key, and the successor of the one that was replaced"
    told = [row["payload"] for row in scenes.rows("SELECT payload FROM outbox WHERE name = 'key.expiring'")]
    [of_key] = [payload for payload in told if payload["key_id"] == str(key.id)]
    assert {"name": "production", "is_test": False, "expires_at": (now() + KEY_NOTICE).isoformat()}.items() <= of_key.items()


def test_an_end_that_was_moved_is_told_again(clock: time_machine.Traveller) -> None:
    person = owner()
    _, key = factories.mint_key(person, expires_in=timedelta(days=30))
    clock.shift(timedelta(days=25))
    first = notices.announce_expiring_keys()

    later = KeyTerms(key.name, now() + timedelta(days=6), None, None)
    keys.change(key.id, later, actor=factories.ACTOR, account_id=person.account_id)

    assert (first, notices.announce_expiring_keys(), notices.announce_expiring_keys()) == (1, 1, 0)


def revoked(key: ApiKey, person: Person) -> None:
    keys.revoke(str(key.id), actor=factories.ACTOR, account_id=person.account_id)


def prolonged(key: ApiKey, person: Person) -> None:
    keys.change(key.id, KeyTerms(key.name, now() + timedelta(days=100), None, None), actor=factories.ACTOR, account_id=person.account_id)


def rotated(key: ApiKey, person: Person) -> None:
    keys.rotate(str(key.id), grace=timedelta(days=2), actor=factories.ACTOR, account_id=person.account_id)


@pytest.mark.parametrize("meanwhile", [revoked, prolonged, rotated])
def test_a_key_that_has_changed_since_it_was_found_is_not_told(
    meanwhile: Callable[[ApiKey, Person], None], clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is its new end marked as told: that is told when it is near."""
    person = owner()
    _, key = factories.mint_key(person, expires_in=timedelta(days=30))
    clock.shift(timedelta(days=25))
    announce = notices._announce

    def later(account_id: UUID, key_id: UUID) -> bool:
        meanwhile(key, person)
        return announce(account_id, key_id)

    monkeypatch.setattr(notices, "_announce", later)
    told = notices.announce_expiring_keys()
    monkeypatch.undo()

    assert (told, expiring()) == (0, [])
    clock.shift(timedelta(days=95))
    ending = [str(key.id)] if meanwhile is prolonged else []
    assert (notices.announce_expiring_keys(), expiring()) == (len(ending), ending)


def test_the_nearest_ends_are_told_first_when_there_are_many(clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "AT_A_TIME", 1)
    person = owner()
    made = []
    for days in (30, 29, 28):
        made.append(factories.mint_key(person, expires_in=timedelta(days=days))[1])
        clock.shift(timedelta(minutes=1))  # ids in another order than ends
    clock.shift(timedelta(days=25))

    counts = [notices.announce_expiring_keys() for _ in range(4)]

    assert (counts, expiring()) == ([1, 1, 1, 0], [str(key.id) for key in reversed(made)])


def test_one_that_cannot_be_told_keeps_no_other_from_it(clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [owner() for _ in range(2)]
    made = [factories.mint_key(person, expires_in=timedelta(days=days))[1] for person, days in zip(people, (28, 29), strict=True)]
    clock.shift(timedelta(days=25))
    scenes.fail_to_announce(monkeypatch, people[0].account_id)

    with pytest.raises(RuntimeError, match=str(made[0].id)):
        notices.announce_expiring_keys()

    assert expiring() == [str(made[1].id)]
    monkeypatch.undo()
    assert (notices.announce_expiring_keys(), expiring()) == (1, [str(made[1].id), str(made[0].id)])


def test_a_letter_that_cannot_be_written_keeps_no_other_and_no_event_from_it(
    clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [owner() for _ in range(2)]
    made = [factories.mint_key(person, expires_in=timedelta(days=days))[1] for person, days in zip(people, (28, 29), strict=True)]
    clock.shift(timedelta(days=25))
    write = letters.write

    def writing(kind: LetterKind, recipient: str, **more: Any) -> None:
        if recipient == people[0].email:
            raise KeyError("for a test")
        write(kind, recipient, **more)

    monkeypatch.setattr(letters, "write", writing)

    with pytest.raises(RuntimeError, match=str(made[0].id)):
        notices.tell()

    assert [len(letters_to(person)) for person in people] == [0, 1]
    assert expiring() == [str(key.id) for key in made]
    monkeypatch.undo()
    assert (notices.tell(), len(letters_to(people[0]))) == (1, 1)


def expiring() -> list[str]:
    """The keys of which an event tells that they expire, in the order of the telling."""
    return [row["payload"]["key_id"] for row in scenes.rows("SELECT payload FROM outbox WHERE name = 'key.expiring' ORDER BY position")]


def test_the_second_of_two_tabs_learns_of_the_first() -> None:
    person = owner(tells_alerts=False)

    with pytest.raises(Conflict):
        notices.choose(person.user_id, Choices(), actor=factories.ACTOR)

    assert notices.choices_of(person.user_id) == Choices(False, True, 1)
    [row] = scenes.rows("SELECT changes FROM staff_actions WHERE action = 'user.choose_notices'")
    assert row["changes"]["tells_alerts"] == [True, False]
