"""CSV that says exactly what was shown and that no spreadsheet takes for a formula."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from gevent import sleep

from reseller.money import format_decimal
from reseller.silence import REQUEST_SECONDS, wait_in_all
from reseller.web.formats import iso

_SEPARATED = re.compile(r"([;\t\r\n] *)(?=[=+@-])")
"""Where a spreadsheet of a country that separates cells by semicolons begins a new one, whatever quotes stand around."""

ROWS, PAUSE_SECONDS = 100, 0.002
"""Of an export, between two looks at what others want (R31)."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(value: Any) -> str:
    """A cell of a CSV that no spreadsheet takes for a formula; numbers stay numbers, instants are UTC."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format_decimal(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return iso(value)
    text = _SEPARATED.sub(r"\1'", str(value))
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def csv_cells(*values: Any) -> list[str]:
    """A row of them."""
    return [csv_text(value) for value in values]


def pause() -> None:
    """Others have had a look in, and the next slice has a request's patience: a long export is many short questions.

    Whoever reads slices that may hold few rows, or none, pauses before each.
    """
    sleep(PAUSE_SECONDS)
    wait_in_all(REQUEST_SECONDS)


def csv_lines(headings: Sequence[str], rows: Iterable[Sequence[str]], *, most: int | None = None) -> Iterator[str]:
    """CSV text, a few rows at a time, with a pause for others after each. Cells are `csv_text` already.

    Where there are more rows than `most`, a last line says that they are missing, and `rows` is read no further.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(headings)
    for number, row in enumerate(rows, 1):
        if most is not None and number > most:
            writer.writerow([f"Cut after {most:,} rows: narrow the filters, such as the dates, to have the others."])
            break
        writer.writerow(row)
        if number % ROWS == 0:
            pause()
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()
