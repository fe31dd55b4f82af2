"""Customers: search, one page for everything about one, and what staff may do for them."""

from collections.abc import Callable

from flask_admin.base import BaseView

VIEWS: tuple[Callable[[], BaseView], ...] = ()
