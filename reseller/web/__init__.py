"""What every page shares: assets, formats, security headers, forms' protection, who is at the browser, error pages.

Not a door: portal and back office build on it, and it decides nothing about the business.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Blueprint, Flask, abort, request
from flask_wtf import CSRFProtect

from config import Settings
from reseller.web import assets, error_pages, formats, headers, kinds, signed_in

MAX_FORM_BYTES = 262_144
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

web = Blueprint("web", __name__, template_folder="templates")


def install(app: Flask, settings: Settings) -> None:
    """Pages of this app have assets, formats, headers, CSRF tokens and sessions. API blueprints ask to be exempt by `exempt`."""
    is_https = settings.base_url.startswith("https://")
    app.config.update(
        SESSION_COOKIE_NAME="__Host-reseller" if is_https else "reseller",
        SESSION_COOKIE_SECURE=is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a form left open over lunch still works
        WTF_CSRF_SSL_STRICT=False,  # TLS ends at the platform; SameSite and the token hold
    )
    app.register_blueprint(web)
    app.register_blueprint(assets.blueprint)
    assets.install(app)
    formats.install(app, settings)
    kinds.install(app)
    headers.install(app)
    CSRFProtect(app)
    signed_in.install(app)
    error_pages.install(app)


def exempt(app: Flask, blueprint: Blueprint) -> None:
    """Requests below this blueprint carry a key or a signature and no form token."""
    csrf = app.extensions["csrf"]
    assert isinstance(csrf, CSRFProtect)
    csrf.exempt(blueprint)


def guard_pages(app: Flask, settings: Settings, blueprints: Iterable[str]) -> None:
    """Pages of these blueprints answer only under the public address and read small forms only."""
    names = frozenset(blueprints)
    allowed = settings.base_url.split("://", 1)[1].lower()

    @app.before_request
    def check() -> None:
        if request.blueprint not in names:
            return
        request.max_content_length = MAX_FORM_BYTES
        host = request.host.lower()
        is_local = not settings.is_production and urlsplit(f"//{host}").hostname in LOOPBACK_NAMES
        if host != allowed and not is_local:
            abort(400, "This address is not ours.")
