"""The books: ledger, holds, payments, adjustments, overage, and the proof that they add up."""

from collections.abc import Callable

from flask_admin.base import BaseView

VIEWS: tuple[Callable[[], BaseView], ...] = ()
