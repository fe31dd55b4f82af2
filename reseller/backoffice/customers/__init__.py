"""Customers: search, one page for everything about one, and what staff may do for them."""

from collections.abc import Callable

from flask_admin.base import BaseView

from reseller.backoffice.customers.adjustments import Adjustments
from reseller.backoffice.customers.view import Customers

VIEWS: tuple[Callable[[], BaseView], ...] = (Customers,)
APPROVALS: tuple[Callable[[], BaseView], ...] = (Adjustments,)
"""Stands among the books, where those who approve look."""
