"""What templates may ask: of which kind a value is, and which pages this app has."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Flask, current_app

from reseller.money import format_decimal


def is_moment(value: Any) -> bool:
    """`value is moment`: an instant."""
    return isinstance(value, datetime)


def is_day(value: Any) -> bool:
    """`value is day`: a date without a time."""
    return isinstance(value, date) and not isinstance(value, datetime)


def is_decimal(value: Any) -> bool:
    """`value is decimal`"""
    return isinstance(value, Decimal)


def is_uuid(value: Any) -> bool:
    """`value is uuid`"""
    return isinstance(value, UUID)


def has_page(endpoint: str) -> bool:
    """Whether this app answers at the endpoint; templates link to pages of other doors only then."""
    return endpoint in current_app.view_functions


def install(app: Flask) -> None:
    """Templates have the tests above, `has_page` and the filter `plain_decimal`."""
    app.add_template_test(is_moment, "moment")
    app.add_template_test(is_day, "day")
    app.add_template_test(is_decimal, "decimal")
    app.add_template_test(is_uuid, "uuid")
    app.add_template_global(has_page)
    app.add_template_filter(format_decimal, "plain_decimal")
