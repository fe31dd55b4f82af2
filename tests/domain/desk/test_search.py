"""Whatever a customer reads out to support is found: one thing exactly, many by a part of them."""

from typing import Any

import pytest
from flask import Flask

from reseller.domain import ledger
from reseller.domain.accounts import Person
from reseller.domain.desk.search import HitKind, Results, search
from reseller.domain.ledger import EntryDraft, EntryKind
from reseller.domain.usage import request_id
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes


@pytest.fixture
def ann(app: Flask) -> Person:
    return factories.make_person(email="ann@able.example", full_name="Ann Able", company="Able & Sons 100%")


@pytest.fixture
def bob(app: Flask) -> Person:
    return factories.make_person(email="bob@baker.example", full_name="Bob Baker", company="Baker_Ltd")


def accounts(found: Results) -> list[Any]:
    return [hit.account_id for hit in found.customers]


@pytest.mark.parametrize(
    "words",
    ["able.ex", "ANN AB", "  sons ", "100%", "& s"],
)
def test_a_part_of_anything_about_a_person_finds_the_customer(ann: Person, bob: Person, words: str) -> None:
    assert accounts(search(words)) == [ann.account_id]


@pytest.mark.parametrize("words", ["%%", "__", "_L%", "100_", "\\%"])
def test_wildcards_mean_themselves(ann: Person, bob: Person, words: str) -> None:
    assert accounts(search(words)) == []


def test_an_underscore_is_found_as_one(ann: Person, bob: Person) -> None:
    assert accounts(search("r_L")) == [bob.account_id]


def test_a_whole_address_or_name_is_exact_and_a_part_is_not(ann: Person, bob: Person) -> None:
    assert search("ANN@able.example").exact == search("Able & Sons 100%").exact
    assert search("ann@able.example").exact is not None
    assert search("ann@able").exact is None


def test_two_accounts_of_the_same_name_are_listed_and_neither_is_exact(app: Flask) -> None:
    for _ in range(2):
        factories.make_person(company="Same Inc")

    found = search("same inc")

    assert (len(found.customers), found.exact) == (2, None)


@pytest.mark.parametrize("words", ["", " ", "a", "\x00a\x00"])
def test_one_character_is_too_little(ann: Person, words: str) -> None:
    assert search(words).is_too_short
    assert search(words).count == 0


@pytest.mark.parametrize("tail", ["", "…", "..."])
def test_a_key_is_found_by_what_people_see_of_it(ann: Person, tail: str) -> None:
    token, key = factories.mint_key(ann)
    factories.mint_key(ann)

    found = search(token[:12] + tail)

    assert found.exact is not None
    assert (found.exact.kind, found.exact.id, found.exact.account_id) == (HitKind.KEY, key.id, ann.account_id)


def test_less_of_a_key_lists_all_that_begin_so(ann: Person, bob: Person) -> None:
    for who in (ann, bob):
        factories.mint_key(who)

    found = search("sk_live_")

    assert (len(found.keys), found.exact) == (2, None)


def test_a_whole_key_is_found_and_named_a_secret_and_not_repeated(ann: Person) -> None:
    """R37: what was pasted goes no further."""
    token, key = factories.mint_key(ann)

    found = search(token)

    assert found.is_whole_key
    assert found.exact is not None
    assert found.exact.id == key.id
    assert token not in repr(found)


@pytest.mark.parametrize("shape", ["req_{}", "chatcmpl-{}", "cmpl-{}", "{}", "dashed"])
def test_a_call_is_found_by_every_shape_of_its_id(app: Flask, ann: Person, shape: str) -> None:
    _, key = factories.mint_key(ann)
    factories.grant(ann, usd="1")
    op = scenes.admission(scenes.Customer(ann.account_id, key.id))
    till = wiring_of(app).till
    till.admit(op)
    shown = str(op.call_id) if shape == "dashed" else shape.format(op.call_id.hex)

    during, _, afterwards = search(shown).exact, till.settle(scenes.settlement(op)), search(shown).exact

    assert during == afterwards
    assert afterwards is not None
    assert (afterwards.kind, afterwards.account_id, afterwards.title) == (HitKind.CALL, ann.account_id, request_id(op.call_id))


def test_anything_is_found_by_its_id(ann: Person) -> None:
    _, key = factories.mint_key(ann)
    entry = ledger.post(EntryDraft(ann.account_id, EntryKind.TOP_UP, 5_000_000_000, "pi_3Nx", "system:payments"))
    entry_id = entry.id

    found = [search(str(id_)).exact for id_ in (ann.account_id, ann.user_id, key.id, entry_id)]

    assert [hit and (hit.kind, hit.account_id) for hit in found] == [
        (kind, ann.account_id) for kind in (HitKind.ACCOUNT, HitKind.PERSON, HitKind.KEY, HitKind.ENTRY)
    ]


def test_a_payment_is_found_by_its_reference(ann: Person) -> None:
    ledger.post(EntryDraft(ann.account_id, EntryKind.TOP_UP, 5_000_000_000, "pi_3NxAbc", "system:payments"))

    found = search("pi_3NxAbc")

    assert found.exact is not None
    assert (found.exact.kind, found.exact.account_id) == (HitKind.ENTRY, ann.account_id)


@pytest.mark.parametrize(
    "words", ["01a2146c-7d1e-73ea-a979-02ac60ecb5fe", "req_" + "0" * 32, "f" * 32, "nobody", "x" * 5000, "sk_live_zzzz", "'; DROP TABLE x"]
)
def test_what_is_nowhere_is_not_found(ann: Person, words: str) -> None:
    found = search(words)

    assert (found.count, found.exact) == (0, None)
