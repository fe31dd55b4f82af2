"""Keys: shape, checksum, digest, recognition, revocation (promises R21, R22)."""

import hashlib
import math
import string
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from reseller.database import acting_for, db
from reseller.domain import keys
from reseller.domain.keys import ALPHABET, SECRET_CHARACTERS, ApiKey, Directory, SpendPeriod, checksum, has_key_shape, shape
from reseller.domain.keys import directory as directories
from reseller.domain.staff import StaffAction
from reseller.errors import Conflict, InvalidKey, InvalidRequest, NotFound
from tests import factories

BODY = "sk_live_" + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH"[:43]
KEY = BODY + checksum(BODY)


class NoDatabase(Directory):
    """A directory whose look-up is a failure of the test."""

    def _look_up(self, digest: str) -> keys.Caller:
        raise AssertionError("the database was asked about a key that cannot exist")


def test_a_key_has_256_random_bits_a_prefix_and_a_checksum(app: Any) -> None:
    """R21."""
    person = factories.make_person()

    live, test = factories.make_key(person), factories.make_key(person, is_test=True)

    assert math.log2(len(ALPHABET)) * SECRET_CHARACTERS >= 256
    assert len(set(ALPHABET)) == 62
    assert live.startswith("sk_live_")
    assert test.startswith("sk_test_")
    assert len(live) == len(test) == 8 + 43 + 6
    assert has_key_shape(live)
    assert has_key_shape(test)


def test_many_keys_share_no_secret_and_use_every_letter(app: Any) -> None:
    """R21: the secret comes from the system's randomness, letter by letter."""
    person = factories.make_person()
    tokens = {factories.make_key(person) for _ in range(40)}

    letters = "".join(token[8:51] for token in tokens)

    assert len(tokens) == 40
    assert len({token[8:30] for token in tokens}) == 40
    assert set(letters) == set(string.ascii_letters + string.digits)


def test_the_database_holds_the_digest_and_nothing_to_make_the_key_from(app: Any) -> None:
    """R21: shown once."""
    person = factories.make_person()

    token, key = factories.mint_key(person)

    assert key.key_hash == hashlib.sha256(token.encode()).hexdigest()
    assert key.key_prefix == token[:12]
    stored = db.session.execute(text("SELECT row_to_json(k)::text || row_to_json(s)::text FROM api_keys k, staff_actions s")).scalars()
    assert all(token not in row and token[12:] not in row for row in stored)


@given(st.integers(min_value=0, max_value=len(KEY) - 1), st.sampled_from(ALPHABET))
def test_one_wrong_letter_anywhere_is_noticed_without_the_database(position: int, letter: str) -> None:
    """R21. Guard: the checksum."""
    changed = KEY[:position] + letter + KEY[position + 1 :]

    assert has_key_shape(changed) is (changed == KEY)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "sk_live_",
        KEY[:-1],
        KEY + "0",
        KEY + "\n",
        " " + KEY,
        KEY.upper(),
        KEY.replace("sk_live_", "sk_prod_"),
        KEY.replace("sk_live_", "sk-live-"),
        KEY[:-1] + "é",
        KEY[:20] + "\x00" + KEY[21:],
        "٣" * 57,
        "x" * 1_000_000,
    ],
)
def test_a_malformed_key_is_refused_without_the_database(token: str) -> None:
    """R21. Guard: the checksum stands before every look-up."""
    directory = NoDatabase()

    with pytest.raises(InvalidKey):
        directory.identify(token)

    assert directory.remembered(token) is None


def test_malformed_and_unknown_keys_get_the_same_refusal(app: Any) -> None:
    """R21: byte-identical."""
    refusals = []
    for token in (KEY, KEY[:-1], "", "sk_live_é"):
        with pytest.raises(InvalidKey) as refused:
            Directory().identify(token)
        refusals.append((type(refused.value), refused.value.message, refused.value.code, refused.value.param))

    assert len(set(refusals)) == 1


def test_a_known_key_tells_whose_it_is(app: Any) -> None:
    person = factories.make_person()
    token, key = factories.mint_key(person, is_test=True)

    caller = Directory().identify(token)

    assert (caller.key_id, caller.account_id, caller.is_test, caller.prefix) == (key.id, person.account_id, True, token[:12])


def test_a_key_is_recognised_whatever_the_request_acts_for(app: Any) -> None:
    """R23: identification says openly that it acts for the operator, and only for itself."""
    stranger, person = factories.make_person(), factories.make_person()
    token = factories.make_key(person)

    with acting_for(stranger.account_id):
        caller = Directory().identify(token)
        seen = keys.keys_of(person.account_id)

    assert caller.account_id == person.account_id
    assert seen == []


def test_a_key_is_looked_up_once_and_remembered_by_its_full_digest(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Design decision 6."""
    person = factories.make_person()
    token, other = factories.make_key(person), factories.make_key(person)
    directory = Directory()
    first = directory.identify(token)
    monkeypatch.setattr(Directory, "_look_up", NoDatabase._look_up)

    assert directory.identify(token) is first
    assert directory.remembered(token) is not None
    assert directory.remembered(other) is None
    with pytest.raises(AssertionError):
        directory.identify(other)


def test_an_unknown_key_is_not_remembered_so_a_new_one_works_at_once(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    person = factories.make_person()
    directory = Directory()
    with pytest.raises(InvalidKey):
        directory.identify(KEY)

    letters = iter(KEY[8:51])
    monkeypatch.setattr(shape.secrets, "choice", lambda alphabet: next(letters))
    minted = factories.make_key(person)

    assert minted == KEY
    assert directory.identify(KEY).account_id == person.account_id


def test_the_memory_of_keys_is_bounded(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    person = factories.make_person()
    monkeypatch.setattr(directories, "MAX_CACHED_IDENTITIES", 2)
    tokens = [factories.make_key(person) for _ in range(3)]
    directory = Directory()

    for token in tokens:
        directory.identify(token)

    assert [directory.remembered(token) is not None for token in tokens] == [False, False, True]


@pytest.mark.parametrize(
    ("terms", "param"),
    [
        ({"name": "  "}, "name"),
        ({"spend": (Decimal(0), SpendPeriod.DAY)}, "spend_limit"),
        ({"spend": (Decimal(-1), SpendPeriod.DAY)}, "spend_limit"),
        ({"expires_in": timedelta(0)}, "expires_in"),
        ({"expires_in": timedelta(seconds=-1)}, "expires_in"),
    ],
)
def test_a_key_with_impossible_terms_is_not_made(app: Any, terms: dict[str, Any], param: str) -> None:
    person = factories.make_person()

    with pytest.raises(InvalidRequest) as refused:
        factories.make_key(person, **terms)

    assert refused.value.param == param
    assert keys.keys_of(person.account_id) == []


def test_revoking_again_changes_nothing_and_is_recorded_once(app: Any) -> None:
    """R37."""
    token, key = factories.mint_key(factories.make_person())

    first = keys.revoke(token[:12], actor="user:1").revoked_at
    with pytest.raises(Conflict):
        keys.revoke(str(key.id), actor="user:2")

    assert db.session.get_one(ApiKey, key.id).revoked_at == first
    assert [action.actor for action in db.session.query(StaffAction).filter_by(action="key.revoke")] == ["user:1"]


def test_a_key_is_found_by_what_people_see_of_it(app: Any) -> None:
    token, key = factories.mint_key(factories.make_person())

    assert keys.revoke(f"{token[:12]}…", actor="user:1").id == key.id


def test_somebody_elses_key_cannot_be_revoked(app: Any) -> None:
    """R23."""
    stranger = factories.make_person()
    token, key = factories.mint_key(factories.make_person())

    for name in (token[:12], str(key.id)):
        with pytest.raises(NotFound):
            keys.revoke(name, actor="user:1", account_id=stranger.account_id)

    assert db.session.get_one(ApiKey, key.id).revoked_at is None


def test_two_keys_that_look_alike_are_told_apart_by_id_only(app: Any) -> None:
    person = factories.make_person()
    first, second = factories.mint_key(person)[1], factories.mint_key(person)[1]
    db.session.execute(text("UPDATE api_keys SET key_prefix = 'sk_live_same'"))
    db.session.commit()

    with pytest.raises(InvalidRequest):
        keys.revoke("sk_live_same", actor="user:1")

    assert keys.revoke(str(second.id), actor="user:1").id == second.id
    assert db.session.get_one(ApiKey, first.id).revoked_at is None


@pytest.mark.parametrize(
    ("period", "start"),
    [("lifetime", "1970-01-01"), ("day", "2027-03-03"), ("week", "2027-03-01"), ("month", "2027-03-01")],
)
def test_spend_periods_start_in_utc_as_the_database_reckons_them(app: Any, period: str, start: str) -> None:
    """The same day in Python and in the settlement's SQL, for every day of three weeks around a month's end."""
    unit = {"lifetime": None, "day": "day", "week": "week", "month": "month"}[period]
    days = db.session.execute(
        text("SELECT d::date, date_trunc(:unit, d)::date FROM generate_series('2027-02-20'::timestamp, '2027-03-12', '1 day') d"),
        {"unit": unit or "day"},
    ).all()

    reckoned = {day: keys.period_start(period, day) for day, _ in days}

    assert str(reckoned[days[11][0]]) == start
    if unit is not None:
        assert reckoned == dict(days)
