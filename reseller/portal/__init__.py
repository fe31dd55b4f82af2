"""DOOR for people with a browser: signing in and out, their own account. Pages for customers."""

from flask import Flask

from config import Settings
from reseller import web
from reseller.portal.billing import billing
from reseller.portal.docs import docs
from reseller.portal.keys import keys
from reseller.portal.overview import overview
from reseller.portal.price_list import price_list
from reseller.portal.providers import install as install_providers
from reseller.portal.providers import providers
from reseller.portal.settings import settings as settings_pages
from reseller.portal.sign_in import sign_in
from reseller.portal.sign_up import sign_up
from reseller.portal.status import status
from reseller.portal.usage import own_usage
from reseller.portal.view_as import view_as
from reseller.portal.viewing import only_look
from reseller.portal.webhooks import webhooks

PAGES = (
    sign_in,
    sign_up,
    providers,
    overview,
    keys,
    own_usage,
    settings_pages,
    billing,
    webhooks,
    price_list,
    docs,
    status,
    view_as,
)


def install(app: Flask, settings: Settings) -> None:
    """The pages are there, under the public address only; staff who view as a customer only look at them."""
    for blueprint in PAGES:
        app.register_blueprint(blueprint)
        app.before_request_funcs.setdefault(blueprint.name, []).append(only_look)
    install_providers(app, settings)
    web.do_not_count(app, [status.name])  # whoever watches it asks all day, and is no visitor
    web.guard_pages(app, settings, [blueprint.name for blueprint in PAGES])
