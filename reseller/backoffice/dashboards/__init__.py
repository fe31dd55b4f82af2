"""Figures: API performance, business, usage, health, and the live tile."""

from collections.abc import Callable

from flask_admin.base import BaseView

VIEWS: tuple[Callable[[], BaseView], ...] = ()
