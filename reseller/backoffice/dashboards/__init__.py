"""Figures: API performance, business, finance, usage, health, and the live tile."""

from collections.abc import Callable

from flask_admin.base import BaseView

from reseller.backoffice.dashboards.live import Live
from reseller.backoffice.dashboards.pages import Business, Finance, Health, Performance, Usage

CATEGORY = "Figures"

VIEWS: tuple[Callable[[], BaseView], ...] = (
    lambda: Live(name="Live", endpoint="live", url="/admin/live"),
    lambda: Performance(name="Performance", category=CATEGORY, endpoint="performance", url="/admin/performance"),
    lambda: Business(name="Business", category=CATEGORY, endpoint="business", url="/admin/business"),
    lambda: Finance(name="Finance", category=CATEGORY, endpoint="finance", url="/admin/finance"),
    lambda: Usage(name="Usage", category=CATEGORY, endpoint="usage", url="/admin/usage"),
    lambda: Health(name="Health", category=CATEGORY, endpoint="health", url="/admin/health"),
)
