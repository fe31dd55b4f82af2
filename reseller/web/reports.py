"""What a page of figures is made of: tiles and tables whose values are shown, charted and exported from the same objects."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal

from reseller.web.csv_text import csv_lines, csv_text

Kind = Literal["text", "number", "decimal", "money", "percent", "ms", "moment"]
TENTH = Decimal("0.1")


def tenth(value: Decimal | None) -> Decimal | None:
    """To one place: what is shown is what is exported."""
    return None if value is None else value.quantize(TENTH, ROUND_HALF_EVEN)


def milliseconds(value: float | None) -> Decimal | None:
    """Whole milliseconds from ten on, tenths below."""
    if value is None:
        return None
    return Decimal(value).quantize(TENTH if value < 10 else Decimal(1), ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure, the one of the range before (None where there is none), and the way to the rows behind it.

    `is_better_up`: whether growth is good news; None where it is neither.
    """

    label: str
    value: Any
    kind: Kind = "number"
    before: Any = None
    href: str | None = None
    note: str = ""
    is_better_up: bool | None = None

    @property
    def change(self) -> Decimal | None:
        """How much more than before, in percent; of percentages the difference. None where that says nothing."""
        if self.value is None or self.before is None:
            return None
        value, before = Decimal(self.value), Decimal(self.before)
        if self.kind == "percent":
            return tenth(value - before)
        return tenth(100 * (value - before) / abs(before)) if before else None

    @property
    def tone(self) -> str | None:
        change = self.change
        if not change or self.is_better_up is None:
            return None
        return "good" if (change > 0) == self.is_better_up else "bad"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """`hrefs` has the way to the rows behind each row, or None; `figure` is the same as a chart of Plotly's."""

    name: str  # in addresses and file names
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    hrefs: tuple[str | None, ...] = ()
    figure: dict[str, Any] | None = None
    caption: str = ""  # what the chart draws
    note: str = ""
    empty: str = "Nothing happened in this range."

    @property
    def is_blank(self) -> bool:
        """Whether a chart of it would be an empty frame: no row, or nothing but zeros in every one."""
        return not any(value for row in self.rows for value in row[1:])

    def href(self, number: int) -> str | None:
        return self.hrefs[number] if number < len(self.hrefs) else None


@dataclass(frozen=True, slots=True)
class Report:
    """A page of figures."""

    tiles: tuple[Tile, ...]
    tables: tuple[Table, ...] = field(default=())

    def table(self, name: str) -> Table | None:
        """The table of this name; "summary" are the tiles."""
        if name == "summary":
            return summary(self.tiles)
        return next((table for table in self.tables if table.name == name), None)


def summary(tiles: tuple[Tile, ...]) -> Table:
    """The tiles as a table."""
    columns = (Column("Figure"), Column("This range", "decimal"), Column("Range before", "decimal"), Column("Change", "percent"))
    return Table("summary", "Summary", columns, tuple((t.label, t.value, t.before, t.change) for t in tiles))


def csv_of(table: Table) -> Iterator[str]:
    """The table as CSV: the same rows in the same order, every digit."""
    return csv_lines([column.name for column in table.columns], ([csv_text(value) for value in row] for row in table.rows))
