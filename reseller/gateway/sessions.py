"""Sessions are for pages. A program that calls the API has a key and pays for no cookie's signature."""

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from reseller.gateway.routes import is_api


class PageSessions(SecureCookieSessionInterface):
    """Flask's signed cookies, except below the API: there the session is empty, and nothing can be put into it."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if is_api(request.path) else super().open_session(app, request)
