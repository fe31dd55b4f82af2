"""Programs of an account are told when somebody who belongs to it has another way in; those of others are not."""

from typing import Any

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.domain.accounts import HASHER, Person, Role
from reseller.domain.identity import linked, links, passwords, second_factor
from reseller.domain.identity.linked import Vouched
from reseller.domain.identity.links import Purpose
from reseller.domain.identity.sealing import Seal
from reseller.domain.registration import addresses
from reseller.errors import Conflict
from tests import factories
from tests.authenticator import Authenticator
from tests.domain import scenes

SEAL = Seal("k" * 40, second_factor.PURPOSE)


def told(person: Person) -> list[dict[str, Any]]:
    query = "SELECT payload FROM outbox WHERE name = 'member.changed' AND account_id = :id ORDER BY position"
    return [row["payload"] for row in scenes.rows(query, id=person.account_id)]


def test_each_change_of_a_way_in_is_told_once(app: Flask) -> None:
    person, other = factories.make_person(), factories.make_person()
    secret = second_factor.new_secret()

    passwords.change(person.user_id, HASHER.hash("another long password"), actor="test")
    second_factor.enrol(person.user_id, secret, Authenticator(secret).code(), seal=SEAL, replaces=False)
    second_factor.reset(person.user_id, actor="test", reason="lost phone")
    linked.link(person.user_id, Vouched("https://id.example", "ann", "ann@example.com"), actor="test")
    [identity] = linked.identities_of(person.user_id)
    linked.unlink(identity.id, person.user_id, keep=new_id(), actor="test")

    assert [payload["change"] for payload in told(person)] == ["password", "second_factor", "second_factor", "provider", "provider"]
    assert told(person)[0] == {"member_id": str(person.user_id), "email": person.email, "role": "owner", "change": "password"}
    assert told(other) == []


def test_a_new_address_is_told_as_the_new_one(app: Flask) -> None:
    person = factories.make_person()

    addresses.finish(links.make(person.user_id, Purpose.CHANGE_ADDRESS, "new@example.com"))

    assert [(payload["change"], payload["email"]) for payload in told(person)] == [("address", "new@example.com")]


def test_a_change_that_fails_tells_nothing(app: Flask) -> None:
    person = factories.make_person()
    secret = second_factor.new_secret()

    with pytest.raises(Conflict):
        second_factor.enrol(person.user_id, secret, Authenticator(secret).code(), seal=SEAL, replaces=True)

    assert told(person) == []


def test_staff_without_an_account_are_nobody_s_news(app: Flask) -> None:
    admin = factories.make_person(role=Role.ADMIN)
    scenes.execute("DELETE FROM memberships WHERE user_id = :id", id=admin.user_id)

    passwords.change(admin.user_id, HASHER.hash("another long password"), actor="test")

    assert scenes.rows("SELECT name FROM outbox WHERE dispatched_at IS NULL") == []
