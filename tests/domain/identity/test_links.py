"""Links in letters: for one purpose, once, for a while, and the newest alone (R26)."""

import hashlib
from datetime import timedelta

import pytest
from flask import Flask

from reseller.database import acting_as_operator
from reseller.domain.accounts import Person
from reseller.domain.identity import links
from reseller.domain.identity.links import LASTS, Purpose
from reseller.errors import NotFound
from tests import factories
from tests.authenticator import standing_clock
from tests.domain import scenes


@pytest.fixture
def ann(app: Flask) -> Person:
    return factories.make_person()


def test_a_link_works_once_and_looking_changes_nothing(ann: Person) -> None:
    token = links.make(ann.user_id, Purpose.RESET, ann.email)

    looks = [links.look(token, Purpose.RESET) for _ in range(3)]
    used = links.use(token, Purpose.RESET)

    assert {(found.user_id, found.email) for found in (*looks, used)} == {(ann.user_id, ann.email)}
    for again in (links.look, links.use):
        with pytest.raises(NotFound):
            again(token, Purpose.RESET)


def test_only_the_digest_of_256_random_bits_is_kept(ann: Person) -> None:
    token = links.make(ann.user_id, Purpose.VERIFY, ann.email, browser="a secret of the browser")

    [row] = scenes.rows("SELECT * FROM links")
    assert len(token) == 43
    assert row["token_digest"] == hashlib.sha256(token.encode()).hexdigest()
    assert token not in str(row)
    assert "a secret of the browser" not in str(row)


def test_a_link_for_one_purpose_is_none_for_another(ann: Person) -> None:
    token = links.make(ann.user_id, Purpose.VERIFY, ann.email)

    for purpose in (Purpose.RESET, Purpose.CHANGE_ADDRESS):
        with pytest.raises(NotFound):
            links.use(token, purpose)
    assert links.use(token, Purpose.VERIFY)


def test_a_newer_link_voids_the_older_of_its_purpose_and_no_other(ann: Person) -> None:
    other = factories.make_person()
    old, reset = links.make(ann.user_id, Purpose.VERIFY, ann.email), links.make(ann.user_id, Purpose.RESET, ann.email)
    theirs = links.make(other.user_id, Purpose.VERIFY, other.email)

    new = links.make(ann.user_id, Purpose.VERIFY, ann.email)

    with pytest.raises(NotFound):
        links.use(old, Purpose.VERIFY)
    assert [links.use(new, Purpose.VERIFY).user_id, links.use(reset, Purpose.RESET).user_id] == [ann.user_id] * 2
    assert links.use(theirs, Purpose.VERIFY).user_id == other.user_id


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_link_works_for_a_while(ann: Person, purpose: Purpose) -> None:
    token = links.make(ann.user_id, purpose, ann.email)

    with standing_clock() as clock:
        clock.shift(LASTS[purpose] - timedelta(minutes=1))
        links.look(token, purpose)
        clock.shift(timedelta(minutes=2))
        with pytest.raises(NotFound):
            links.use(token, purpose)
        assert links.forget_old() == 1


def test_of_many_clicks_at_once_one_counts(app: Flask, ann: Person) -> None:
    token = links.make(ann.user_id, Purpose.RESET, ann.email)

    def click() -> str:
        with app.app_context(), acting_as_operator():
            try:
                links.use(token, Purpose.RESET)
            except NotFound:
                return "gone"
        return "used"

    assert sorted(scenes.in_threads(6, click)) == ["gone"] * 5 + ["used"]


@pytest.mark.parametrize("token", ["", "x", "é", "' OR 1=1", "a" * 5000])
def test_what_is_no_token_opens_nothing(ann: Person, token: str) -> None:
    links.make(ann.user_id, Purpose.RESET, ann.email)

    with pytest.raises(NotFound):
        links.use(token, Purpose.RESET)


def test_a_link_knows_the_browser_that_asked_for_it_and_none_if_none_did(ann: Person) -> None:
    asked = links.look(links.make(ann.user_id, Purpose.VERIFY, ann.email, browser="mine"), Purpose.VERIFY)
    unasked = links.look(links.make(ann.user_id, Purpose.VERIFY, ann.email), Purpose.VERIFY)

    assert [asked.is_of(browser) for browser in ("mine", "yours", "", None)] == [True, False, False, False]
    assert [unasked.is_of(browser) for browser in ("mine", "", None)] == [False, False, False]
