"""What columns of lists show beyond plain text: made by the same macros as pages, and links to other views."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import get_template_attribute, url_for
from markupsafe import Markup

from reseller.domain.usage import request_id
from reseller.web.kinds import has_page


def _macro(name: str, *values: Any) -> Markup:
    return Markup(get_template_attribute("web/macros.html", name)(*values))  # noqa: S704 - the macro has escaped its values


def money(amount_usd: Decimal | None) -> Markup:
    """Dollars, every digit on hover."""
    return _macro("money", amount_usd)


def tag(text: str, tone: str = "quiet") -> Markup:
    """A word with a tone: good, warn, bad, info, quiet."""
    return _macro("tag", text, tone)


def status(word: str | None) -> Markup:
    """A known word in its own tone."""
    return _macro("status", word)


def ident(value: object, href: str | None = None) -> Markup:
    """The end of a long id, the whole one on hover."""
    return _macro("id", value, href)


def link(href: str, text: str, *, css_class: str = "") -> Markup:
    css = Markup(' class="{}"').format(css_class) if css_class else ""
    return Markup('<a{} href="{}">{}</a>').format(css, href, text)


def to(endpoint: str, text: str, **values: Any) -> Markup | str:
    """A link to a page of the back office if it is there, else the text alone."""
    return link(url_for(endpoint, **values), text) if has_page(endpoint) else text


def account(account_id: UUID | None, name: str | None) -> Markup | str | None:
    """The customer's page, by the account's name."""
    return None if account_id is None else to("customers.show", name or str(account_id), account_id=account_id)


def call(call_id: UUID) -> Markup:
    """The page of a call, by the id that customers see."""
    shown = request_id(call_id)
    href = url_for("calls.show", call_id=shown) if has_page("calls.show") else None
    return ident(shown, href)


def span(length: timedelta | None) -> str | None:
    """A length of time for people: "40 ms", "7 s", "3 min", "5 h", "2 days"."""
    if length is None:
        return None
    if length < timedelta(seconds=1):
        return f"{length // timedelta(milliseconds=1)} ms"
    for limit, unit, name in (
        (timedelta(minutes=2), timedelta(seconds=1), "s"),
        (timedelta(hours=2), timedelta(minutes=1), "min"),
        (timedelta(days=2), timedelta(hours=1), "h"),
    ):
        if length < limit:
            return f"{length // unit} {name}"
    return f"{length // timedelta(days=1)} days"
