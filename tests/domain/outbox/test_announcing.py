"""Events stand with what caused them or not at all, tell what EVENTS says, and are handed on in their order."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from reseller.clock import new_id, now
from reseller.database import acting_as_operator, acting_for, db, transaction
from reseller.domain import keys, outbox
from reseller.domain.accounts import Person
from reseller.domain.outbox import EVENTS, Audience, EventKind
from tests import factories
from tests.domain import scenes

FIELDS = {"key_id": "1", "prefix": "sk_live_abc1…", "name": "one", "is_test": False, "revoked_at": "now"}


def events() -> list[dict[str, Any]]:
    return [dict(row) for row in scenes.rows("SELECT * FROM outbox ORDER BY position")]


def revoked(person: Person, **changes: Any) -> UUID:
    return outbox.announce("key.revoked", person.account_id, **(FIELDS | changes))


def test_an_event_is_there_once_its_cause_is(app: Flask) -> None:
    person = factories.make_person()

    with transaction():
        event_id = revoked(person)

    [event] = events()
    assert (event["id"], event["account_id"], event["name"], event["payload"]) == (event_id, person.account_id, "key.revoked", FIELDS)
    assert event["dispatched_at"] is None


def test_what_is_rolled_back_is_not_told(app: Flask) -> None:
    person = factories.make_person()

    def fail_after_telling() -> None:
        with transaction():
            revoked(person)
            raise RuntimeError("the cause failed")

    with pytest.raises(RuntimeError):
        fail_after_telling()

    assert events() == []


def test_amounts_instants_and_ids_are_written_as_text(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"amount_usd": "how much", "at": "when", "ids": "whose", "left": "what is left"}
    monkeypatch.setitem(EVENTS, "made.up", EventKind("for a test", fields, {}))
    key_id = new_id()

    outbox.announce(
        "made.up",
        factories.make_person().account_id,
        amount_usd=Decimal("0.10"),
        at=datetime(2026, 11, 27, tzinfo=UTC),
        ids=(key_id,),
        left={"usd": Decimal("1E+2")},
    )

    [event] = events()
    assert event["payload"] == {"amount_usd": "0.1", "at": "2026-11-27T00:00:00+00:00", "ids": [str(key_id)], "left": {"usd": "100"}}


@pytest.mark.parametrize("changes", [{"more": 1}, {"name": ...}])
def test_an_event_tells_what_its_entry_names_and_nothing_else(app: Flask, changes: dict[str, Any]) -> None:
    payload = {name: value for name, value in (FIELDS | changes).items() if value is not ...}

    with pytest.raises(ValueError, match=r"key\.revoked tells"):
        outbox.announce("key.revoked", factories.make_person().account_id, **payload)


def test_an_event_without_an_entry_is_refused(app: Flask) -> None:
    with pytest.raises(ValueError, match=r"names no no\.such"):
        outbox.announce("no.such", factories.make_person().account_id)


def test_an_event_of_an_account_needs_one_and_others_have_none(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EVENTS, "for.all", EventKind("for a test", {}, {}, Audience.EVERY_ACCOUNT))

    with pytest.raises(ValueError, match="is for account"):
        outbox.announce("key.revoked", None, **FIELDS)
    with pytest.raises(ValueError, match="is for every_account"):
        outbox.announce("for.all", factories.make_person().account_id)
    outbox.announce("for.all", None)

    assert [event["account_id"] for event in events()] == [None]


def test_an_account_announces_for_itself_and_reads_nothing_that_is_for_all(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """R23."""
    monkeypatch.setitem(EVENTS, "for.all", EventKind("for a test", {}, {}, Audience.EVERY_ACCOUNT))
    mine, theirs = factories.make_person(), factories.make_person()
    outbox.announce("for.all", None)
    revoked(theirs)

    with acting_for(mine.account_id):
        own = revoked(mine)
        found = [event["id"] for event in events()]

    assert found == [own]


def test_events_are_handed_on_once_the_oldest_first(app: Flask) -> None:
    person = factories.make_person()
    made = [revoked(person) for _ in range(3)]

    with transaction():
        first = [event.id for event in outbox.undispatched(2)]
        outbox.dispatched(first)
    rest = [event.id for event in outbox.undispatched(10)]

    assert (first, rest) == (made[:2], made[2:])
    assert scenes.rows("SELECT id FROM outbox WHERE dispatched_at IS NULL") == [{"id": made[2]}]


def test_whoever_hands_on_makes_others_wait_so_that_nothing_is_overtaken(app: Flask) -> None:
    """Guard: without the lock the second one would take the later events, and might be done first."""
    person = factories.make_person()
    revoked(person)
    found: list[int] = []

    def hand_on() -> None:
        with app.app_context(), acting_as_operator():
            with transaction():
                found.append(len(outbox.undispatched(10)))
            db.session.remove()

    with transaction():
        outbox.dispatched([event.id for event in outbox.undispatched(10)])
        other = threading.Thread(target=hand_on)
        other.start()
        other.join(0.3)
        waited = other.is_alive()
    other.join(10)

    assert waited
    assert found == [0]


def test_old_events_are_forgotten_once_they_were_handed_on(app: Flask) -> None:
    person = factories.make_person()
    handed_on, waits = revoked(person), revoked(person)
    outbox.dispatched([handed_on])

    kept = outbox.forget_before(now() - timedelta(minutes=1), 10)
    gone = outbox.forget_before(now() + timedelta(minutes=1), 10)

    assert (kept, gone) == (0, 1)
    assert [event["id"] for event in events()] == [waits]


def test_keys_tell_what_becomes_of_them_and_never_their_text(app: Flask) -> None:
    person = factories.make_person()
    token, old = factories.mint_key(person, name="production")
    new_token, new = keys.rotate(str(old.id), grace=timedelta(hours=1), actor="test")
    keys.revoke(str(new.id), actor="test", reason="a word of staff")

    told = events()

    assert [event["name"] for event in told] == ["key.created", "key.rotated", "key.revoked"]
    created, rotated, gone = (event["payload"] for event in told)
    assert created == {
        "key_id": str(old.id), "prefix": f"{token[:12]}…", "name": "production", "is_test": False, "expires_at": None,
    }  # fmt: skip
    assert (rotated["key_id"], rotated["replaced_key_id"]) == (str(new.id), str(old.id))
    assert datetime.fromisoformat(rotated["replaced_works_until"]) == old.expires_at
    assert datetime.fromisoformat(gone["revoked_at"]) == new.revoked_at
    assert not any(text in str(told) for text in (token, new_token, token[12:], "a word of staff"))
