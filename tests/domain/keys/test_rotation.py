"""A key and its successor: one of each, the same terms, one purse, and the old one ends (R21, R22)."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask

from reseller.clock import new_id, now
from reseller.database import acting_as_operator, db
from reseller.domain import keys
from reseller.domain.accounts import Person
from reseller.domain.keys import ApiKey, Directory, KeyOrder, KeyState, KeyTerms, SpendLimit, SpendPeriod, making
from reseller.errors import Conflict, InvalidRequest, NotFound
from tests import factories
from tests.domain import scenes

DAY = timedelta(days=1)


@pytest.fixture
def person(app: Flask) -> Person:
    return factories.make_person()


def rotate(key: ApiKey, *, grace: timedelta = DAY, **more: Any) -> tuple[str, ApiKey]:
    return keys.rotate(str(key.id), grace=grace, actor="user:1", **more)


def listed(person: Person, key_id: UUID) -> keys.ListedKey:
    return keys.listed_key(person.account_id, key_id)


def test_the_successor_has_the_same_terms_and_another_text(person: Person) -> None:
    expires, spend = timedelta(days=90), (Decimal(5), SpendPeriod.WEEK)
    token, old = factories.mint_key(person, name="site", expires_in=expires, spend=spend, model_patterns=["acme/*"], is_test=True)
    before = listed(person, old.id).terms

    new_token, new = rotate(old)

    after = listed(person, new.id)
    assert new_token != token
    assert Directory().identify(new_token).key_id == new.id
    assert (after.terms, after.is_test, after.state) == (before, True, KeyState.ACTIVE)
    assert after.replaces == token[:12] + "…"
    assert listed(person, old.id).replaced_by == new_token[:12] + "…"


@pytest.mark.parametrize(("left", "grace", "works_for"), [(None, DAY, DAY), (2 * DAY, DAY, DAY), (DAY, 7 * DAY, DAY)])
def test_the_old_key_works_as_long_as_chosen_and_never_longer_than_it_would_have(
    person: Person, left: timedelta | None, grace: timedelta, works_for: timedelta
) -> None:
    _, old = factories.mint_key(person, expires_in=left)
    began = now()

    rotate(old, grace=grace)

    ends = listed(person, old.id).terms.expires_at
    assert ends is not None
    assert abs(ends - began - works_for) < timedelta(minutes=1)
    with time_machine.travel(ends + timedelta(seconds=1), tick=False):
        assert listed(person, old.id).state == KeyState.EXPIRED


def test_without_a_grace_the_old_key_is_revoked(person: Person) -> None:
    """R22."""
    _, old = factories.mint_key(person)

    rotate(old, grace=timedelta(0))

    assert listed(person, old.id).state == KeyState.REVOKED


@pytest.mark.parametrize("how", ["rotated", "revoked", "expired"])
def test_a_key_that_has_ended_or_been_replaced_has_no_further_successor(person: Person, how: str) -> None:
    _, key = factories.mint_key(person)
    {
        "rotated": lambda: rotate(key),
        "revoked": lambda: keys.revoke(str(key.id), actor="user:1"),
        "expired": lambda: scenes.execute("UPDATE api_keys SET expires_at = now() - interval '1 second'"),
    }[how]()
    before = len(keys.keys_of(person.account_id))

    with pytest.raises(Conflict):
        rotate(key)

    assert len(keys.keys_of(person.account_id)) == before


def test_two_clicks_at_once_make_one_successor(app: Flask, person: Person) -> None:
    key_id = str(factories.mint_key(person)[1].id)
    gate = threading.Barrier(4)
    answers: list[str] = []

    def click() -> None:
        with app.app_context(), acting_as_operator():
            gate.wait(20)
            try:
                answers.append(keys.rotate(key_id, grace=DAY, actor="user:1")[0])
            except Conflict:
                answers.append("")

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(map(bool, answers)) == [False, False, False, True]
    assert len(keys.keys_of(person.account_id)) == 2


@pytest.mark.parametrize("grace", [timedelta(seconds=-1), timedelta(days=31)])
def test_a_grace_that_cannot_be_changes_nothing(person: Person, grace: timedelta) -> None:
    _, key = factories.mint_key(person)

    with pytest.raises(InvalidRequest):
        rotate(key, grace=grace)

    assert len(keys.keys_of(person.account_id)) == 1


def test_a_rotation_is_recorded_without_the_text_of_any_key(person: Person) -> None:
    """R37."""
    token, key = factories.mint_key(person)

    new_token, _ = rotate(key)

    [row] = scenes.rows("SELECT actor, subject_id, account_id, changes::text AS changes FROM staff_actions WHERE action = 'key.rotate'")
    assert (row["actor"], row["subject_id"], row["account_id"]) == ("user:1", str(key.id), person.account_id)
    assert token[:12] in row["changes"]
    assert new_token[:12] in row["changes"]
    assert token not in row["changes"]
    assert new_token[12:] not in row["changes"]


def test_somebody_elses_key_is_not_rotated_changed_or_shown(person: Person) -> None:
    """R23."""
    _, key = factories.mint_key(person)
    stranger = factories.make_person().account_id

    for attempt in (
        lambda: rotate(key, account_id=stranger),
        lambda: keys.change(key.id, KeyTerms("mine"), actor="user:2", account_id=stranger),
        lambda: keys.listed_key(stranger, key.id),
    ):
        with pytest.raises(NotFound):
            attempt()

    assert [(row.name, row.version) for row in keys.keys_of(person.account_id)] == [("test key", 1)]


def test_a_form_sent_twice_makes_one_key_and_a_nonce_of_another_account_makes_none(person: Person) -> None:
    """R15."""
    order = KeyOrder(new_id(), person.account_id, False, KeyTerms("site"))
    keys.make(order, actor="user:1")

    for account_id in (person.account_id, factories.make_person().account_id):
        with pytest.raises(Conflict):
            keys.make(KeyOrder(order.id, account_id, False, KeyTerms("again")), actor="user:1")

    assert [row["name"] for row in scenes.rows("SELECT name FROM api_keys")] == ["site"]


def test_an_account_has_only_so_many_keys_that_work_and_may_still_rotate_them(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MAX_ACTIVE_KEYS", 2)
    first, second = factories.mint_key(person)[1], factories.mint_key(person)[1]
    with pytest.raises(Conflict, match="Revoke one"):
        factories.mint_key(person)

    rotate(first)
    keys.revoke(str(second.id), actor="user:1")
    keys.revoke(str(first.id), actor="user:1")

    assert factories.mint_key(person)[1].version == 1


def test_the_second_of_two_editors_is_told_and_changes_nothing(person: Person) -> None:
    _, key = factories.mint_key(person)
    keys.change(key.id, KeyTerms("first"), actor="user:1", account_id=person.account_id, seen_version=1)

    with pytest.raises(Conflict):
        keys.change(key.id, KeyTerms("second"), actor="user:2", account_id=person.account_id, seen_version=1)

    assert keys.keys_of(person.account_id)[0].name == "first"


def test_what_is_changed_is_recorded_and_nothing_else(person: Person) -> None:
    """R37."""
    _, key = factories.mint_key(person, spend=(Decimal(5), SpendPeriod.DAY))

    keys.change(key.id, KeyTerms("site", spend=SpendLimit(Decimal(7), SpendPeriod.DAY)), actor="user:1", account_id=person.account_id)

    [row] = scenes.rows("SELECT changes FROM staff_actions WHERE action = 'key.change'")
    assert row["changes"] == {"name": ["test key", "site"], "spend_limit_usd": ["5", "7"]}


@pytest.mark.parametrize("how", ["rotated", "revoked"])
def test_a_key_that_was_replaced_or_revoked_is_not_changed(person: Person, how: str) -> None:
    _, key = factories.mint_key(person)
    if how == "rotated":
        rotate(key)
    else:
        keys.revoke(str(key.id), actor="user:1")

    with pytest.raises(Conflict):
        keys.change(key.id, KeyTerms("other"), actor="user:1", account_id=person.account_id)

    assert db.session.get_one(ApiKey, key.id).name == "test key"


def test_another_span_of_the_limit_begins_at_zero_and_the_same_one_goes_on(person: Person) -> None:
    _, key = factories.mint_key(person, spend=(Decimal(5), SpendPeriod.LIFETIME))
    scenes.execute("UPDATE api_keys SET spent_nano = 3000000000")
    facts = {"actor": "user:1", "account_id": person.account_id}

    keys.change(key.id, KeyTerms("a", spend=SpendLimit(Decimal(9), SpendPeriod.LIFETIME)), **facts)
    same = listed(person, key.id).spent_usd
    keys.change(key.id, KeyTerms("a", spend=SpendLimit(Decimal(9), SpendPeriod.MONTH)), **facts)

    assert same == 3
    assert listed(person, key.id).spent_usd == 0


NEVER = {
    "no name": (KeyTerms(""), "name"),
    "a long name": (KeyTerms("x" * 101), "name"),
    "a name with NUL": (KeyTerms("a\x00b"), "name"),
    "a name of two lines": (KeyTerms("a\nb"), "name"),
    "no number": (KeyTerms("a", spend=SpendLimit(Decimal("NaN"), SpendPeriod.DAY)), "spend_limit"),
    "a negative limit": (KeyTerms("a", spend=SpendLimit(Decimal(-1), SpendPeriod.DAY)), "spend_limit"),
    "a limit of zero": (KeyTerms("a", spend=SpendLimit(Decimal(0), SpendPeriod.DAY)), "spend_limit"),
    "a huge limit": (KeyTerms("a", spend=SpendLimit(Decimal("1e30"), SpendPeriod.DAY)), "spend_limit"),
    "an endless limit": (KeyTerms("a", spend=SpendLimit(Decimal("Infinity"), SpendPeriod.DAY)), "spend_limit"),
    "an expiry in the past": (KeyTerms("a", expires_at=datetime(2020, 1, 1, tzinfo=UTC)), "expiry"),
    "an expiry too far away": (KeyTerms("a", expires_at=datetime(9999, 1, 1, tzinfo=UTC)), "expiry"),
    "a pattern with NUL": (KeyTerms("a", model_patterns=("a\x00b",)), "models"),
    "a pattern of stars": (KeyTerms("a", model_patterns=("*" * 9,)), "models"),
    "a long pattern": (KeyTerms("a", model_patterns=("x" * 201,)), "models"),
    "many patterns": (KeyTerms("a", model_patterns=tuple(f"m{number}" for number in range(51))), "models"),
}


@pytest.mark.parametrize(("terms", "param"), NEVER.values(), ids=NEVER)
def test_terms_that_no_key_may_have_neither_make_nor_change_one(person: Person, terms: KeyTerms, param: str) -> None:
    _, key = factories.mint_key(person)

    for attempt in (
        lambda: keys.make(KeyOrder(new_id(), person.account_id, False, terms), actor="user:1"),
        lambda: keys.change(key.id, terms, actor="user:1", account_id=person.account_id),
    ):
        with pytest.raises(InvalidRequest) as refused:
            attempt()
        assert refused.value.param == param

    assert [row.name for row in keys.keys_of(person.account_id)] == ["test key"]


def test_a_key_that_has_expired_can_be_given_more_time(person: Person) -> None:
    _, key = factories.mint_key(person)
    scenes.execute("UPDATE api_keys SET expires_at = now() - interval '1 second'")

    keys.change(key.id, KeyTerms("test key", expires_at=now() + DAY), actor="user:1", account_id=person.account_id)

    assert listed(person, key.id).state == KeyState.EXPIRING


def test_refusals_of_a_customers_verbs_are_sentences_for_people(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """The portal shows them as they are; a number in them is the one that holds there."""
    with pytest.raises(NotFound, match=r"^There is no such key\.$"):
        keys.revoke(str(new_id()), actor="user:1", account_id=person.account_id)
    with pytest.raises(NotFound, match="There is no key “sk_live_nobo"):
        keys.revoke("sk_live_nobody_has_this_one", actor="cli:root")
    _, key = factories.mint_key(person)
    monkeypatch.setattr(making, "MAX_ACTIVE_KEYS", 1)
    _, second = rotate(key)

    with pytest.raises(Conflict, match="at most 2 keys"):
        rotate(second)
