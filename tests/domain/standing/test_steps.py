"""First steps are read from what is there."""

from dataclasses import astuple

from flask import Flask

from reseller.domain.standing import first_steps
from reseller.domain.usage import rollup
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes


def test_steps_are_done_when_they_are(app: Flask) -> None:
    person = factories.make_person(is_verified=False)
    seen = [astuple(first_steps(person.account_id, person.user_id))]
    scenes.execute("UPDATE users SET email_verified_at = now()")
    factories.grant(person, usd="1")
    _, key = factories.mint_key(person)
    seen.append(astuple(first_steps(person.account_id, person.user_id)))
    till, op = wiring_of(app).till, scenes.admission(scenes.Customer(person.account_id, key.id))
    till.admit(op)
    till.settle(scenes.settlement(op))
    seen.append(astuple(first_steps(person.account_id, person.user_id)))

    assert seen == [(False, False, False, False, False), (True, True, False, True, False), (True, True, True, True, False)]


def test_a_failed_call_is_no_first_call_and_an_old_one_still_is(app: Flask) -> None:
    person = factories.make_person(usd="1")
    _, key = factories.mint_key(person)
    till, who = wiring_of(app).till, scenes.Customer(person.account_id, key.id)
    failed = scenes.admission(who)
    till.admit(failed)
    till.settle(scenes.failure(failed))
    rollup.run()
    after_failure = first_steps(person.account_id, person.user_id).has_called
    scenes.execute("UPDATE usage_hours SET errors = 0, starts_at = starts_at - interval '50 days'")

    assert (after_failure, first_steps(person.account_id, person.user_id).has_called) == (False, True)


def test_without_a_person_the_steps_are_the_owners(app: Flask) -> None:
    """Staff who view as a customer see the customer's, not their own."""
    person = factories.make_person(is_verified=False)

    assert first_steps(person.account_id, None) == first_steps(person.account_id, person.user_id)
    assert not first_steps(person.account_id, None).is_verified


def test_a_key_that_does_not_work_any_more_is_none(app: Flask) -> None:
    person = factories.make_person()
    factories.mint_key(person)
    scenes.execute("UPDATE api_keys SET revoked_at = now()")

    assert not first_steps(person.account_id, person.user_id).has_key
