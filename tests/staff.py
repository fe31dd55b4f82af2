"""People who are signed in, for tests of pages: a client of Flask's, or the cookie for a real browser."""

from contextvars import copy_context
from typing import Any
from uuid import UUID

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reseller.database import acting_as_operator
from reseller.domain.accounts import Person, Role
from reseller.domain.identity import sessions
from tests import factories


def session_of(user_id: UUID, *, has_second_factor: bool = True) -> str:
    """The token of a new session, as after the sign-in page; with the second factor shown just now."""
    with acting_as_operator():
        token = sessions.begin(user_id, address="192.0.2.7", user_agent="test browser")
        found = sessions.find(token)
        assert found is not None
        return sessions.raise_to_second_factor(found.session_id) if has_second_factor else token


class ApartClient(FlaskClient):
    """Each request has contexts of its own, as on a server: neither who asked nor how long they may wait is left for the next."""

    def open(self, *args: Any, **options: Any) -> TestResponse:
        """The whole answer; of an endless one its head alone, unless `buffered=False` asks for more."""
        answer = copy_context().run(self._open, *args, **options)
        if answer.mimetype == "text/event-stream" and "buffered" not in options:
            answer.close()
        return answer

    def _open(self, *args: Any, **options: Any) -> TestResponse:
        with self.application.app_context():
            answer = super().open(*args, **({"buffered": False} | options))
            if answer.mimetype != "text/event-stream":
                answer.make_sequence()
                answer.close()
            return answer


def client_of(app: Flask, role: Role = Role.ADMIN, *, person: Person | None = None, has_second_factor: bool = True) -> FlaskClient:
    """A client of Flask's whose session belongs to this person, or to a new one of this role. Forms need no token."""
    app.config["WTF_CSRF_ENABLED"] = False
    who = person or factories.make_person(role=role)
    client = ApartClient(app, app.response_class, use_cookies=True)
    with client.session_transaction() as cookie:
        cookie["_user_id"], cookie["_fresh"] = session_of(who.user_id, has_second_factor=has_second_factor), True
    return client


def cookie_of(app: Flask, user_id: UUID, *, has_second_factor: bool = True) -> tuple[str, str]:
    """Name and value of the cookie of a signed-in browser, for a server with the same SECRET_KEY and database."""
    interface = app.session_interface
    assert isinstance(interface, SecureCookieSessionInterface)
    signer = interface.get_signing_serializer(app)
    assert signer is not None
    token = session_of(user_id, has_second_factor=has_second_factor)
    return str(app.config["SESSION_COOKIE_NAME"]), str(signer.dumps({"_user_id": token, "_fresh": True}))
