"""SECRET_KEY is replaced: nobody is signed out, no authenticator is lost, no order forgotten (R26, R18)."""

import json
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from flask import Flask
from standardwebhooks.webhooks import Webhook

from reseller.database import Base
from reseller.domain import resealing, webhooks
from reseller.domain.accounts import Person, Role
from reseller.domain.identity import second_factor
from reseller.domain.identity.sealing import Broken, Seal
from reseller.errors import Conflict
from reseller.heart import Heart
from reseller.wiring import wiring_of
from reseller.worker.context import Context
from reseller.worker.webhooks import NO_SECRET, send_webhooks
from tests import factories
from tests.authenticator import Authenticator, standing_clock
from tests.backups.elsewhere import command
from tests.cashier.bank import Bank
from tests.domain import scenes
from tests.domain.webhooks import hooking
from tests.fakes.receiver import Receiver
from tests.fakes.stripe import FakeStripe
from tests.portal.visitor import Visitor

OLD, NEW = "o" * 40, "n" * 40


@pytest.fixture
def before(app: Flask, make_app: Callable[..., Flask]) -> Flask:
    """The shop as it was."""
    return make_app(SECRET_KEY=OLD)


@pytest.fixture
def during(make_app: Callable[..., Flask]) -> Flask:
    """The shop with the new key, and the old one still known."""
    return make_app(SECRET_KEY=NEW, SECRET_KEY_PREVIOUS=OLD)


@pytest.fixture
def after(make_app: Callable[..., Flask]) -> Flask:
    """The shop once the old key is forgotten."""
    return make_app(SECRET_KEY=NEW)


def moved(browser: Visitor, to: Flask) -> Visitor:
    """The same browser, after the shop's processes were started anew."""
    known = {cookie.key: cookie.value for cookie in browser.client._cookies.values()}  # type: ignore[union-attr]
    browser.app, browser.client = to, to.test_client()
    for name, value in known.items():
        browser.client.set_cookie(name, value, domain="localhost")
    return browser


def test_whoever_is_signed_in_stays_so_and_an_open_form_is_taken(before: Flask, during: Flask, after: Flask) -> None:
    person, browser = factories.make_person(), Visitor(before)
    browser.sign_in(person.email)
    token = browser.token_on("/settings")

    moved(browser, during)

    assert browser.is_in()
    assert browser.send("/sign-out", token).status_code == 302
    assert not browser.is_in()
    other = Visitor(before)
    other.sign_in(person.email)
    assert not moved(other, after).is_in(), "without the old key the cookie is worth nothing"


def test_what_a_browser_is_given_meanwhile_is_good_without_the_old_key(before: Flask, during: Flask, after: Flask) -> None:
    person, browser = factories.make_person(), Visitor(during)
    browser.sign_in(person.email)

    assert moved(browser, after).is_in()


def test_an_authenticator_is_read_under_the_old_key_and_sealed_anew_by_command(before: Flask, during: Flask, after: Flask) -> None:
    person = factories.make_person(role=Role.SUPPORT)
    with standing_clock():
        phone = enrolled(person.user_id, OLD)
        assert second_factor.shown(person.user_id, phone.code(), seal=Seal((NEW, OLD), second_factor.PURPOSE))
        with pytest.raises(Conflict, match="secret has changed"):
            second_factor.shown(person.user_id, phone.code(steps=1), seal=Seal(NEW, second_factor.PURPOSE))

        first, again = (json.loads(command(during, "secrets", "reseal", "--json").stdout) for _ in range(2))

        assert (first["renewed"], first["unreadable"]) == (1, [])
        assert (again["renewed"], again["current"]) == (0, 1)
        assert second_factor.shown(person.user_id, phone.code(steps=1), seal=Seal(NEW, second_factor.PURPOSE))


def test_what_no_key_opens_is_named(after: Flask, app: Flask) -> None:
    person = factories.make_person(role=Role.SUPPORT)
    enrolled(person.user_id, OLD)

    done = command(after, "secrets", "reseal")

    assert done.exit_code == 1
    assert f"second_factors {person.user_id}" in done.stdout
    assert "SECRET_KEY_PREVIOUS" in done.stderr


def enrolled(user_id: UUID, secret_key: str) -> Authenticator:
    """An authenticator that was enrolled under that key."""
    secret = second_factor.new_secret()
    phone = Authenticator(secret)
    second_factor.enrol(user_id, secret, phone.code(steps=-1), seal=Seal(secret_key, second_factor.PURPOSE), replaces=False)
    return phone


def test_messages_to_a_customers_program_are_signed_on(before: Flask, during: Flask, after: Flask) -> None:
    """R33: the secret that the customer has goes on working, sealed anew or not, and so does the one that a rotation left them."""
    person = factories.make_person()
    with Receiver() as receiver:
        of_before = Seal(OLD, webhooks.SEALED_FOR)
        first_secret, endpoint = hooking.add(person, url=receiver.url(), seal=of_before)
        second_secret = webhooks.rotate(endpoint.id, account_id=person.account_id, seal=of_before, actor=factories.ACTOR)

        said = [sent_by(app, person) for app in (before, during)]
        told = json.loads(command(during, "secrets", "reseal", "--json").stdout)
        said.append(sent_by(after, person))

        assert (told["renewed"], told["unreadable"]) == (2, [])
        assert said == ["1 events, 1 deliveries begun"] * 3
        assert len(receiver.at("/ok")) == 3
        for message in receiver.at("/ok"):
            assert [Webhook(secret).verify(message.body, message.headers)["type"] for secret in (first_secret, second_secret)] == [
                "key.revoked",
                "key.revoked",
            ]


def test_without_sealing_anew_nothing_is_sent_that_cannot_be_signed(before: Flask, after: Flask) -> None:
    """Guard: the test above would pass if secrets lay in the clear."""
    person = factories.make_person()
    with Receiver() as receiver:
        hooking.add(person, url=receiver.url(), seal=Seal(OLD, webhooks.SEALED_FOR))

        sent_by(after, person)

        assert receiver.messages == []
        assert [row["last_error"] for row in hooking.deliveries()] == [NO_SECRET]


def sent_by(app: Flask, person: Person) -> str:
    """What this deployment's worker says after something has happened to the person's key."""
    hooking.happen(person)
    wiring = wiring_of(app)
    settings = wiring.settings.model_copy(update={"webhooks_allow_loopback": True})
    return send_webhooks(Context(replace(wiring, settings=settings), Heart(app, "worker"), is_once=True))


def test_an_order_that_was_opened_under_the_old_key_is_ours(app: Flask, make_app: Callable[..., Flask]) -> None:
    """R18: also one that the database has forgotten."""
    with FakeStripe() as fake:
        old = Bank(make_app(SECRET_KEY=OLD, **fake.settings()), fake)
        new = Bank(make_app(SECRET_KEY=NEW, SECRET_KEY_PREVIOUS=OLD, **fake.settings()), fake, old.buyer)
        order = old.order("20")
        session_id = old.session_of(order)
        scenes.execute("DELETE FROM payments")
        with fake.hold_back() as events:
            fake.pay(session_id)

        assert new.tell(*events) == [200] * len(events)

        assert (new.balance, new.aside) == (20, [])


def test_several_older_keys_are_read(app: Flask) -> None:
    texts = [Seal(key, "x").close(key) for key in (OLD, "m" * 40, NEW)]

    assert [Seal((NEW, "m" * 40, OLD), "x").open(text) for text in texts] == [OLD, "m" * 40, NEW]
    with pytest.raises(Broken):
        Seal((NEW, OLD), "y").open(texts[0])


def test_every_column_that_lies_sealed_is_sealed_anew() -> None:
    """A new one must be added to reseller/domain/resealing.py."""
    sealed = {
        f"{table.name}.{column.name}" for table in Base.metadata.tables.values() for column in table.columns if "sealed" in column.name
    }

    known = {f"{column.class_.__tablename__}.{column.key}" for _, column, _ in resealing.SEALED}

    assert sealed == known
