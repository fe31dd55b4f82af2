"""Pricing rules with their tester, and the catalogue with its quarantine."""

from collections.abc import Callable

from flask_admin.base import BaseView

VIEWS: tuple[Callable[[], BaseView], ...] = ()
