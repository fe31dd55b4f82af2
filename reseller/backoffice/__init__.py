"""DOOR for staff: Flask-Admin under /admin. `VIEWS` is the menu, in order; `access` says who may do what."""

from collections.abc import Callable

from flask import Blueprint, Flask
from flask_admin import Admin
from flask_admin.base import BaseView
from flask_admin.theme import Theme

from config import Settings
from reseller import web
from reseller.backoffice import books, calls, customers, dashboards, operations, prices
from reseller.backoffice.dashboards.home import Dashboard

VIEWS: tuple[Callable[[], BaseView], ...] = (
    *operations.ALARMS,
    *customers.VIEWS,
    *calls.VIEWS,
    *prices.VIEWS,
    *books.VIEWS,
    *customers.APPROVALS,
    *dashboards.VIEWS,
    *operations.VIEWS,
)
"""One maker for each view, in the order of the menu; views of one category stand together."""


def install(app: Flask, settings: Settings) -> None:
    """Staff find the back office under /admin."""
    app.register_blueprint(Blueprint("backoffice", __name__, template_folder="templates"))
    index = Dashboard(name="Dashboard", endpoint="admin", url="/admin")
    theme = Theme(folder="none", base_template="admin/base.html")  # every template is ours
    admin = Admin(app, name=settings.brand_name, theme=theme, index_view=index)
    for make in VIEWS:
        admin.add_view(make())
    endpoints = [view.endpoint for view in admin._views]
    web.guard_pages(app, settings, endpoints)
    web.do_not_count(app, endpoints)
