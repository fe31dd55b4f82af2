"""What every page shares: assets, formats, security headers, forms' protection, who is at the browser, error pages.

Not a door: portal and back office build on it, and it decides nothing about the business.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Blueprint, Flask
from flask_wtf import CSRFProtect

from config import Settings
from reseller.web import assets, branding, error_pages, formats, headers, kinds, page_turns, service_news, signed_in
from reseller.web.hooks import PageHooks, hooks_of

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

web = Blueprint("web", __name__, template_folder="templates")


def install(app: Flask, settings: Settings) -> None:
    """Pages of this app have assets, formats, headers, CSRF tokens and sessions. API blueprints ask to be exempt by `exempt`."""
    is_https = settings.base_url.startswith("https://")
    app.config.update(
        SESSION_COOKIE_NAME="__Host-session" if is_https else "session",
        SESSION_COOKIE_SECURE=is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a form left open over lunch still works
        WTF_CSRF_SSL_STRICT=False,  # TLS ends at the platform; SameSite and the token hold
    )
    app.register_blueprint(web)
    app.register_blueprint(assets.blueprint)
    assets.install(app, branding.assets_of(settings.brand))
    formats.install(app, settings)
    kinds.install(app)
    error_pages.install(app)
    service_news.install(app)
    hooks = app.extensions["page_hooks"] = PageHooks()
    with hooks.taken_over(app):
        page_turns.install(app)  # first: what comes next asks the database who is there
        headers.install(app, is_https=is_https)
        CSRFProtect(app)
        signed_in.install(app)


def exempt(app: Flask, blueprint: Blueprint) -> None:
    """Requests below this blueprint carry a key or a signature, and no form token; nothing is done for them as pages."""
    csrf = app.extensions["csrf"]
    assert isinstance(csrf, CSRFProtect)
    csrf.exempt(blueprint)
    hooks_of(app).exempt.add(blueprint.name)


def do_not_count(app: Flask, blueprints: Iterable[str]) -> None:
    """How these pages fare says nothing about the website as customers see it."""
    hooks_of(app).uncounted.update(blueprints)


def names_this_machine(host: str) -> bool:
    """Whether a Host header is what a program on this machine writes."""
    try:
        return urlsplit(f"//{host}").hostname in LOOPBACK_NAMES
    except ValueError:
        return False


def guard_pages(app: Flask, settings: Settings, blueprints: Iterable[str]) -> None:
    """Pages of these blueprints answer only under the public address, in development also under names of this machine."""
    allowed = settings.base_url.split("://", 1)[1].lower()

    def answers(host: str) -> bool:
        return host == allowed or (not settings.is_production and names_this_machine(host))

    hooks_of(app).guard(blueprints, answers)
