"""Registrations that nobody verified are forgotten, and nothing else is."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from reseller.clock import new_id, now
from reseller.domain import notes, registration
from reseller.domain.accounts import Person
from reseller.domain.identity import links
from reseller.domain.registration import Newcomer
from reseller.domain.registration.forgetting import KEPT
from tests import factories
from tests.domain import scenes

pytestmark = pytest.mark.usefixtures("app")
TABLES = ("users", "accounts", "memberships", "balances", "rate_limits", "request_counters", "alert_rules", "links")


def registered(*, ago: timedelta = KEPT + timedelta(hours=1), **facts: Any) -> Person:
    person = registration.register(Newcomer("ann@example.com", "a long password", **facts))
    scenes.execute("UPDATE users SET created_at = :at", at=now() - ago)
    return person


def people() -> int:
    return int(scenes.rows("SELECT count(*) AS n FROM users")[0]["n"])


def test_after_a_week_nothing_of_it_is_left_but_the_audit_rows() -> None:
    person = registered()
    links.make(person.user_id, links.Purpose.VERIFY, person.email)
    scenes.execute("UPDATE links SET expires_at = now()")

    assert registration.forget_unverified() == 1
    assert {table: scenes.rows(f"SELECT * FROM {table}") for table in TABLES} == dict.fromkeys(TABLES, [])
    assert "ann@example.com" not in str(scenes.rows("SELECT * FROM staff_actions"))
    assert scenes.problems() == []


def test_a_young_one_a_verified_one_and_one_whose_link_works_stay() -> None:
    young = registered(ago=KEPT - timedelta(hours=1))
    assert registration.forget_unverified() == 0

    scenes.execute("UPDATE users SET created_at = created_at - interval '1 day'")
    links.make(young.user_id, links.Purpose.VERIFY, young.email)
    assert registration.forget_unverified() == 0

    scenes.execute("DELETE FROM links")
    scenes.execute("UPDATE users SET email_verified_at = now()")
    assert registration.forget_unverified() == 0
    assert people() == 1


@pytest.mark.parametrize("touch", ["money", "key", "note", "something that refers to it"])
def test_what_somebody_did_something_about_stays(app: Flask, touch: str) -> None:
    person = registered()
    if touch == "money":
        factories.grant(person, usd="1")
    elif touch == "key":
        factories.make_key(person)
    elif touch == "note":
        notes.add(new_id(), person.account_id, "called us", actor="user:1")
    else:
        scenes.execute("CREATE TABLE things (account_id uuid REFERENCES accounts(id))")
        scenes.execute("INSERT INTO things VALUES (:id)", id=person.account_id)

    assert registration.forget_unverified() == 0
    assert people() == 1
    assert len(scenes.rows("SELECT * FROM balances")) == 1, "all of it stays, or none"
