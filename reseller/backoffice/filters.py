"""Filters of a list: one field each, in the address under its own name (`?status=refused&model=gpt*`), so that links can carry them."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from flask_admin.model.filters import BaseFilter
from sqlalchemy import ColumnElement, and_, false

from reseller.clock import first_id
from reseller.domain.desk import naming
from reseller.web.formats import viewer_zone

MAX_CHARACTERS = 200
SKEW = timedelta(hours=1)  # between the time in an id and the instant in its row
Where = Callable[[Any], ColumnElement[bool]]


class ListFilter(BaseFilter):  # type: ignore[misc]
    """`arg` is its name in the address; `clean` raises ValueError for text that cannot be meant; `kind` is the input's type."""

    kind = "text"

    def __init__(self, arg: str, label: str, where: Where, *, options: Iterable[tuple[str, str]] | None = None) -> None:
        super().__init__(label, options=tuple(options) if options is not None else None)
        self.arg = arg
        self._where = where

    def clean(self, value: str) -> Any:
        text = value.strip()
        if not text or len(text) > MAX_CHARACTERS or "\x00" in text:
            raise ValueError(value)
        return text

    def apply(self, query: Any, value: str) -> Any:
        return query.where(self._where(self.clean(value)))

    def operation(self) -> str:
        return "is"


class Choice(ListFilter):
    """One of a fixed set of values, in a drop-down."""

    kind = "choice"

    def clean(self, value: str) -> str:
        if value not in {option for option, _ in self.options}:
            raise ValueError(value)
        return value


class Id(ListFilter):
    """A UUID."""

    def clean(self, value: str) -> UUID:
        return UUID(value.strip())


class AccountIs(ListFilter):
    """An account: its id, or the e-mail address of somebody in it."""

    def __init__(self, column: Any, *, arg: str = "account", label: str = "Account") -> None:
        super().__init__(arg, label, lambda text: column.in_(naming.accounts_named(text)))


class ActorIs(ListFilter):
    """Whoever did it: the e-mail address of a person, or the name in the row (`system:settlement`, `cli:root`)."""

    def __init__(self, column: Any, *, arg: str = "actor", label: str = "By whom") -> None:
        super().__init__(arg, label, lambda text: column == naming.actor_named(text))


class Day(ListFilter):
    """A day in the viewer's time zone; `where` gets the instant it begins, or the instant after it has ended for `is_end`."""

    kind = "date"

    def __init__(self, arg: str, label: str, where: Where, *, is_end: bool = False) -> None:
        super().__init__(arg, label, where)
        self._is_end = is_end

    def clean(self, value: str) -> datetime:
        day = date.fromisoformat(value.strip())
        if not date(2000, 1, 1) <= day <= date(2199, 12, 31):
            raise ValueError(value)
        return datetime.combine(day + timedelta(days=self._is_end), time(), viewer_zone()).astimezone(UTC)


def contains(column: Any) -> Where:
    """The column has the text somewhere, whatever its case; % and _ mean themselves."""
    return lambda text: column.icontains(text, autoescape=True)


def begins(column: Any) -> Where:
    """The column begins with the text."""
    return lambda text: column.startswith(text, autoescape=True)


def equals(column: Any) -> Where:
    return lambda value: column == value


def wildcard(column: Any) -> Where:
    """The column matches a pattern with `*` for any characters."""

    def where(pattern: str) -> ColumnElement[bool]:
        literal = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return column.like(literal.replace("*", "%"), escape="\\") if pattern.strip("*") else ~false()

    return where


def between_days(ids: Any, created_at: Any, *, skew: timedelta = SKEW) -> tuple[Day, Day]:
    """The days `from` and `to`, both whole and included, of rows whose ids carry their time.

    The bound of the ids lets their index find the span; the instant itself decides. `skew`: what may lie between the two.
    """
    return (
        Day("from", "From", lambda at: and_(ids >= first_id(at - skew), created_at >= at)),
        Day("to", "To", lambda at: and_(ids < first_id(at + skew), created_at < at), is_end=True),
    )
