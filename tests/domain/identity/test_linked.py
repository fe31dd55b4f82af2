"""Identities at providers: each opens one account, and the last way in stays (R26)."""

from decimal import Decimal

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.domain import registration
from reseller.domain.desk.timeline import timeline
from reseller.domain.identity import linked, sessions
from reseller.domain.identity.linked import Vouched
from reseller.domain.registration import Newcomer, Trial
from reseller.errors import Conflict, NotFound
from tests import factories
from tests.domain import scenes

ANN = Vouched("https://id.example", "ann", "ann@example.com")
NO_TRIAL = Trial(Decimal(0), "192.0.2.1")


def test_an_identity_is_found_by_issuer_and_subject_alone(app: Flask) -> None:
    """R26."""
    person = factories.make_person()
    linked.link(person.user_id, ANN, actor="test")

    assert linked.find(Vouched(ANN.issuer, ANN.subject, "other@example.com")) == person.user_id
    assert linked.find(Vouched("https://other.example", ANN.subject, ANN.label)) is None
    assert linked.find(Vouched(ANN.issuer, "Ann", ANN.label)) is None
    assert [identity.label for identity in linked.identities_of(person.user_id)] == ["other@example.com"]


def test_an_identity_belongs_to_one_person(app: Flask) -> None:
    first, second = factories.make_person(), factories.make_person()
    linked.link(first.user_id, ANN, actor="test")

    for person in (first, second):
        with pytest.raises(Conflict):
            linked.link(person.user_id, ANN, actor="test")

    assert linked.find(ANN) == first.user_id


def test_unlinking_ends_the_other_sessions_and_is_told(app: Flask) -> None:
    """R26, R37."""
    person = factories.make_person()
    linked.link(person.user_id, ANN, actor="test")
    tokens = [sessions.begin(person.user_id, address="", user_agent="") for _ in range(3)]
    kept = sessions.find(tokens[0])
    assert kept is not None
    [identity] = linked.identities_of(person.user_id)

    ended = linked.unlink(identity.id, person.user_id, keep=kept.session_id, actor="test")

    assert ended == 2
    assert linked.find(ANN) is None
    titles = [line.title for line in timeline(person.account_id).lines]
    assert titles[:2] == ["Sign-in through a provider removed", "Sign-in through a provider added"]


def test_an_identity_of_somebody_else_or_of_nobody_is_not_found(app: Flask) -> None:
    owner, other = factories.make_person(), factories.make_person()
    linked.link(owner.user_id, ANN, actor="test")
    [identity] = linked.identities_of(owner.user_id)

    for which in (identity.id, new_id()):
        with pytest.raises(NotFound):
            linked.unlink(which, other.user_id, keep=new_id(), actor="test")

    assert linked.find(ANN) == owner.user_id


def test_the_last_way_in_stays(app: Flask) -> None:
    person = registration.register_through(Newcomer("ann@example.com", is_verified=True), ANN, NO_TRIAL)
    linked.link(person.user_id, Vouched("https://github.com", "1", ""), actor="test")
    first, second = linked.identities_of(person.user_id)

    linked.unlink(first.id, person.user_id, keep=new_id(), actor="test")
    with pytest.raises(Conflict, match="only way"):
        linked.unlink(second.id, person.user_id, keep=new_id(), actor="test")

    assert len(linked.identities_of(person.user_id)) == 1


def test_a_newcomer_whose_identity_is_somebodys_leaves_nothing_behind(app: Flask) -> None:
    linked.link(factories.make_person().user_id, ANN, actor="test")
    before = scenes.rows("SELECT id FROM users")

    with pytest.raises(Conflict):
        registration.register_through(Newcomer("new@example.com"), ANN, NO_TRIAL)

    assert scenes.rows("SELECT id FROM users") == before
    assert len(scenes.rows("SELECT id FROM accounts")) == 1
