"""Lists of rows: read-only by default, paged by key and never counted, exported in slices, safe against formulas.

Columns are named one by one: what no view names (digests, hashes, sealed secrets) appears nowhere.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar
from uuid import UUID

from flask import Response, flash, request, stream_with_context
from flask_admin.contrib.sqla import ModelView
from flask_admin.form import BaseForm
from sqlalchemy import Select, select
from sqlalchemy.exc import DataError, StatementError

from reseller.backoffice.access import Guarded, exposed
from reseller.backoffice.filters import ListFilter
from reseller.clock import now
from reseller.database import acting_as_operator, db, transaction
from reseller.errors import NotFound
from reseller.web.csv_text import csv_lines, csv_text

PAGE_ROWS = 50
EXPORT_SLICE, EXPORT_ROWS = 1_000, 100_000

Formatter = Callable[[Any], Any]


def heading_of(column: str) -> str:
    """A column's name in people's words: the unit and the suffix of instants are seen in the cells."""
    return column.removesuffix("_usd").removesuffix("_at").replace("_", " ").capitalize()


class TableView(Guarded, ModelView):  # type: ignore[misc]
    """A list of one table. Set `column_list`, and what else differs from the defaults below.

    `order_key` is the column that orders and pages, newest or greatest first unless `is_ascending`.
    `cells` maps a column to a function of the row that gives what is shown (text, or Markup);
    `exports` does the same for CSV where that differs.
    """

    can_create = can_edit = can_delete = False
    can_view_details = can_export = True
    column_display_pk = True
    export_types = ("csv",)
    list_template = "admin/model/list.html"
    details_template = "admin/model/details.html"
    edit_template = "admin/model/edit.html"
    create_template = "admin/model/create.html"
    form = BaseForm  # nothing is scaffolded: a form names its own fields
    column_filters: ClassVar[tuple[ListFilter, ...]] = ()
    order_key: ClassVar[str] = "id"
    is_ascending: ClassVar[bool] = False
    cells: ClassVar[Mapping[str, Formatter]] = {}
    exports: ClassVar[Mapping[str, Formatter]] = {}
    numeric: ClassVar[frozenset[str]] = frozenset()  # columns that stand on the right
    labels: ClassVar[Mapping[str, str]] = {}
    intro: ClassVar[str] = ""  # one sentence above the list
    empty: ClassVar[str] = "Nothing here yet."

    def __init__(self, model: type, *, name: str, category: str | None = None, endpoint: str, url: str | None = None) -> None:
        super().__init__(model, db, name=name, category=category, endpoint=endpoint, url=url)

    # What is listed

    def query(self) -> Select[Any]:
        """Every row that the list may show."""
        return select(self.model)

    def list_columns(self) -> list[tuple[str, str]]:
        """(column, heading) in order."""
        return [(name, self.labels.get(name, heading_of(name))) for name in self.column_list]

    def get_list_columns(self) -> list[tuple[str, str]]:
        return self.list_columns()

    def get_sortable_columns(self) -> dict[str, Any]:
        return {}  # the order is that of the key: paging by it costs the same on every page

    def get_filters(self) -> list[ListFilter]:
        return list(self.column_filters)

    def init_search(self) -> bool:
        return False

    def scaffold_auto_joins(self) -> list[Any]:
        return []

    def _filters_given(self) -> dict[str, str]:
        """The filters of this request that mean something; others are named to the viewer and left out."""
        given = {}
        for each in self.column_filters:
            value = request.args.get(each.arg, "")
            if value and each.validate(value):
                given[each.arg] = value
            elif value:
                flash(f"“{each.name}” cannot be “{value[:60]}”; the filter was left out.", "error")
        return given

    def rows(self, filters: Mapping[str, str], *, after: str | None, limit: int) -> list[Any]:
        """At most `limit` rows that pass the filters and come after the row with that key."""
        query = self.query()
        for each in self.column_filters:
            if each.arg in filters:
                query = each.apply(query, filters[each.arg])
        key = getattr(self.model, self.order_key)
        if after:
            query = query.where(key > self.cursor(after)) if self.is_ascending else query.where(key < self.cursor(after))
        query = query.order_by(key if self.is_ascending else key.desc()).limit(limit)
        with transaction() as session:
            found = list(session.scalars(query))
            session.expunge_all()
            return self.shown(found)

    def shown(self, rows: list[Any]) -> list[Any]:
        """The rows as lists, details and CSV show them, with what else they need: read once for all, never a query a row."""
        return rows

    def cursor(self, text: str) -> Any:
        """The key behind `after=`. Raises NotFound for text that is no key."""
        try:
            if self.key_of_kind() is UUID:
                return UUID(text)
            if "\x00" in text:
                raise ValueError(text)
            return text
        except ValueError:
            raise NotFound("There is no such page of this list.") from None

    def key_of_kind(self) -> type:
        kind = self.model.__table__.c[self.order_key].type.python_type
        assert isinstance(kind, type)
        return kind

    # Pages

    @exposed("/")
    def index_view(self) -> str:
        """The list, one page of it."""
        filters = self._filters_given()
        after = request.args.get("after") or None
        found = self.rows(filters, after=after, limit=PAGE_ROWS + 1)
        shown = found[:PAGE_ROWS]
        older = str(getattr(shown[-1], self.order_key)) if len(found) > PAGE_ROWS else None
        return str(
            self.render(
                self.list_template,
                rows=shown,
                columns=self.list_columns(),
                filters=filters,
                after=after,
                older=older,
                **self.list_extras(shown),
            )
        )

    def list_extras(self, rows: list[Any]) -> dict[str, Any]:  # noqa: ARG002 - for views that add something
        """More for the template, read once for all rows: never a query a row."""
        return {}

    @exposed("/details/")
    def details_view(self) -> Any:
        """One row. 404 for an id that is not there or is none."""
        row = self.get_one(request.args.get("id", ""))
        if row is None:
            raise NotFound("There is no such row.")
        columns = [(name, self.labels.get(name, heading_of(name))) for name in (self.column_details_list or self.column_list)]
        return self.render(self.details_template, row=row, columns=columns)

    @exposed("/export/<export_type>/")
    def export(self, export_type: str) -> Response:
        """The rows that the filters leave, as CSV, slice by slice."""
        if export_type != "csv":
            raise NotFound("Lists are exported as CSV.")
        names = list(self.column_export_list or self.column_list)
        headings = [self.labels.get(name, heading_of(name)) for name in names]
        filters = self._filters_given()
        lines = csv_lines(headings, ([self.export_value(row, name) for name in names] for row in self._slices(filters)), most=EXPORT_ROWS)
        at = now().strftime("%Y-%m-%d_%H-%M-%S")
        disposition = f'attachment; filename="{self.endpoint}_{at}.csv"'
        return Response(stream_with_context(lines), mimetype="text/csv", headers={"Content-Disposition": disposition})

    def _slices(self, filters: Mapping[str, str]) -> Iterator[Any]:
        after = None
        while True:
            with acting_as_operator():
                found = self.rows(filters, after=after, limit=EXPORT_SLICE)
            yield from found
            if len(found) < EXPORT_SLICE:
                return
            after = str(getattr(found[-1], self.order_key))

    # Cells

    def cell(self, row: Any, name: str) -> Any:
        """What the list and the details show in this column."""
        return self.cells[name](row) if name in self.cells else getattr(row, name)

    def export_value(self, row: Any, name: str) -> str:
        """What CSV has in this column."""
        value = self.exports[name](row) if name in self.exports else getattr(row, name, None)
        if value is None and name in self.cells and name not in self.exports:
            value = self.cells[name](row)
        return csv_text(value)

    def get_one(self, id: Any) -> Any:
        """The row with this id, or None, whatever the id is made of."""
        try:
            key = UUID(str(id)) if self.key_of_pk() is UUID else str(id)
            with transaction() as session:
                row = session.get(self.model, key)
                return None if row is None else self.shown([row])[0]
        except (ValueError, DataError, StatementError, OverflowError):
            db.session.rollback()
            return None

    def key_of_pk(self) -> type:
        (column,) = self.model.__table__.primary_key.columns
        kind = column.type.python_type
        assert isinstance(kind, type)
        return kind

    def is_action_allowed(self, name: str) -> bool:  # noqa: ARG002
        return False

    @exposed("/ajax/update/", methods=("POST",))
    def ajax_update(self) -> Any:
        """Nothing is edited inside a list: `access` names nobody for this."""
        raise NotFound("Rows are edited on their own page.")

    @exposed("/ajax/lookup/")
    def ajax_lookup(self) -> Any:
        raise NotFound("There is nothing to look up.")

    @exposed("/action/", methods=("POST",))
    def action_view(self) -> Any:
        raise NotFound("There are no bulk actions.")
