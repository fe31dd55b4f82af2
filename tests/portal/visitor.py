"""Somebody at a browser, without a browser: keeps cookies, fills in forms with their tokens, goes where it is sent."""

import re
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests import factories
from tests.authenticator import Authenticator

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
SECRET = re.compile(r"<code>((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})</code>")
RECOVERY_CODE = re.compile(r"<code>((?:[a-z2-7]{4}-){3}[a-z2-7]{4})</code>")


class Visitor:
    """One browser. `post` looks at a page first, as people do, and sends that page's token."""

    def __init__(self, app: Flask, address: str = "192.0.2.1", *, origin: str = "http://localhost") -> None:
        self.app = app
        self._origin = origin
        self.client = app.test_client()
        self._environ = {
            "REMOTE_ADDR": address,
            "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        }

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, environ_base=self._environ, base_url=self._origin, **more)

    def post(self, path: str, *, seen: str | None = None, **fields: str) -> TestResponse:
        """The form on `seen`, or on the page itself, sent to `path`."""
        return self.send(path, self.token_on(seen or path), **fields)

    def token_on(self, path: str) -> str:
        """The token of the form that is there."""
        page = self.get(path).get_data(as_text=True)
        token = TOKEN.search(page)
        assert token, f"no form on {path}: {page[-600:]}"
        return token[1]

    def send(self, path: str, token: str, **fields: str) -> TestResponse:
        """A form that was looked at before."""
        return self.client.post(path, data={"csrf_token": token, **fields}, environ_base=self._environ, base_url=self._origin)

    def sign_in(self, email: str, password: str = factories.PASSWORD, *, path: str = "/sign-in") -> TestResponse:
        """The first step."""
        return self.post(path, email=email, password=password)

    def enrol(self, path: str = "/sign-in/enrol", *, steps: int = 0) -> tuple[Authenticator, list[str]]:
        """An authenticator with this page's secret, confirmed, and the recovery codes it came with."""
        shown = SECRET.search(self.get(path).get_data(as_text=True))
        assert shown
        phone = Authenticator(shown[1])
        answer = self.post(path, code=phone.code(steps=steps))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return phone, RECOVERY_CODE.findall(answer.get_data(as_text=True))

    def show(self, code: str, *, path: str = "/sign-in/code") -> TestResponse:
        """The second step."""
        return self.post(path, code=code)

    def cookie(self, *, known: bool = False) -> str | None:
        """The session's cookie, or the one by which the browser is known."""
        name = self.app.config["SESSION_COOKIE_NAME"] + ("-known" if known else "")
        found = self.client.get_cookie(name, domain=self._origin.partition("://")[2])
        return found.value if found else None

    def put_cookie(self, value: str) -> None:
        """As if it had been copied here from another browser."""
        self.client.set_cookie(self.app.config["SESSION_COOKIE_NAME"], value, domain=self._origin.partition("://")[2])

    def is_in(self, path: str = "/settings") -> bool:
        """Whether a page for people who are signed in opens."""
        return self.get(path).status_code == 200
