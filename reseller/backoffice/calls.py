"""Calls: the list, and one call with its story: why it was charged, or why it was refused."""

from collections.abc import Callable

from flask_admin.base import BaseView

VIEWS: tuple[Callable[[], BaseView], ...] = ()
