"""Pages of figures: ranges, roles, and CSV that says exactly what is shown."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import pytest
from flask import Flask

from reseller.backoffice.dashboards import business, finance, health, performance, usage
from reseller.clock import now
from reseller.database import acting_as_operator
from reseller.domain.accounts import Role
from reseller.domain.desk.figures import Period
from reseller.domain.usage import rollup
from reseller.web import figures
from reseller.web.reports import Report
from tests import factories, staff
from tests.domain import scenes
from tests.domain.payments import paying
from tests.domain.usage import calls

PAGES = ("performance", "business", "finance", "usage", "health")
REPORTS = {
    "performance": performance.report,
    "business": business.report,
    "finance": finance.report,
    "usage": usage.report,
    "health": health.report,
}


@pytest.fixture(scope="module")
def filled(module_app: Flask) -> Flask:
    """Three weeks of calls of every kind."""
    with module_app.app_context(), acting_as_operator():
        people = [factories.make_person(full_name=f"<b>{name}</b> & sons") for name in ("Ada", "Bob", "=Eve")]
        accounts = [person.account_id for person in people]
        paying.buy(people[0], "50")
        calls.write(calls.random_rows(Random(21), accounts, 300, start=now() - timedelta(days=21), days=21))
        rollup.run()
    return module_app


@pytest.fixture
def busy(filled: Flask) -> Iterator[Flask]:
    """The same, inside its context."""
    with filled.app_context(), acting_as_operator():
        yield filled


def report_of(app: Flask, page: str, days: int = 30) -> Report:
    with app.test_request_context():
        return REPORTS[page](Period.latest(days, ZoneInfo("UTC")))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("args", ["", "?range=today", "?range=7", "?range=90", "?from=2026-01-01&to=2026-02-01"])
def test_every_page_opens_for_every_range(busy: Flask, page: str, args: str) -> None:
    answer = staff.client_of(busy).get(f"/admin/{page}/{args}")

    assert answer.status_code == 200
    assert "<b>Ada" not in answer.text


@pytest.mark.parametrize(
    "args", ["?from=2026-02-01&to=2026-01-01", "?from=x&to=y", "?from=2999-01-01&to=2999-01-02", "?from=1999-01-01&to=2026-01-01"]
)
def test_a_range_that_cannot_be_is_told_and_left_out(busy: Flask, args: str) -> None:
    answer = staff.client_of(busy).get(f"/admin/usage/{args}")

    assert answer.status_code == 200
    assert "Showing the last 30 days" in answer.text


def test_a_chart_of_nothing_but_zeros_is_not_drawn(busy: Flask) -> None:
    empty = staff.client_of(busy).get("/admin/business/?from=2020-01-01&to=2020-01-07").text
    full = staff.client_of(busy).get("/admin/business/?range=30").text

    assert "Nothing happened in this range." in empty
    assert "data-figure" not in empty
    assert 'data-figure="chart-money"' in full


@pytest.mark.parametrize("page", PAGES)
def test_csv_is_what_is_shown(busy: Flask, page: str) -> None:
    """The same rows in the same order; cells of numbers say the same as those of the page."""
    client = staff.client_of(busy)
    text = client.get(f"/admin/{page}/?range=30").text
    tables = re.findall(r'<section class="card" id="(\w+)".*?</section>', text, re.S)
    assert tables

    for name in tables:
        section = re.search(rf'<section class="card" id="{name}".*?</section>', text, re.S)
        assert section
        shown = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.S) for row in re.findall(r"<tr>(.*?)</tr>", section[0], re.S)]
        shown = [row for row in shown if row]
        exported = list(csv.reader(io.StringIO(client.get(f"/admin/{page}/export/?table={name}&range=30").text)))[1:]
        assert len(exported) == len(shown), name
        for cells, values in zip(shown, exported, strict=True):
            for cell, value in zip(cells, values, strict=True):
                exact = re.search(r'title="\$?(-?[\d.]+)"', cell) or re.search(r">\s*(-?[\d,.]+)%?\s*<", f">{cell}<")
                if exact and re.fullmatch(r"-?[\d.]+", value):
                    assert Decimal(exact[1].replace(",", "")) == Decimal(value), (name, cell, value)


def test_cells_of_strangers_are_no_formulas(busy: Flask) -> None:
    answer = staff.client_of(busy).get("/admin/usage/export/?table=accounts&range=90")

    assert answer.mimetype == "text/csv"
    assert not re.search(r"^=", answer.text, re.M)


def test_tiles_are_exported_as_they_are_shown(busy: Flask) -> None:
    answer = staff.client_of(busy).get("/admin/business/export/?table=summary&range=7")

    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["Figure", "This range", "Range before", "Change"]
    assert [row[0] for row in rows[1:4]] == ["Paid in", "Charges", "Cost"]


def test_there_is_no_csv_of_a_table_that_is_not_there(busy: Flask) -> None:
    assert staff.client_of(busy).get("/admin/usage/export/?table=secrets").status_code == 404


@pytest.mark.parametrize(("role", "page", "status"), [
    (Role.SUPPORT, "performance", 200), (Role.SUPPORT, "health", 200), (Role.SUPPORT, "business", 403), (Role.SUPPORT, "usage", 403),
    (Role.FINANCE, "business", 200), (Role.FINANCE, "usage", 200), (Role.CUSTOMER, "performance", 403),
])  # fmt: skip
def test_money_is_for_those_who_work_with_it(busy: Flask, role: Role, page: str, status: int) -> None:
    """R24."""
    client = staff.client_of(busy, role)

    assert client.get(f"/admin/{page}/").status_code == status
    assert client.get(f"/admin/{page}/export/?table=summary").status_code == status


def test_support_sees_no_money_on_the_first_page(busy: Flask) -> None:
    support, finance = (staff.client_of(busy, role).get("/admin/").text for role in (Role.SUPPORT, Role.FINANCE))

    assert "Paid in" not in support
    assert "Paid in" in finance
    assert "Waits for somebody" in support


@pytest.mark.parametrize("page", PAGES)
def test_figures_are_ones_that_plotly_knows(busy: Flask, page: str) -> None:
    """Plotly's own schema refuses what it does not know. Colours of ours stand for real ones until the page draws them."""
    drawn = [table.figure for table in report_of(busy, page).tables if table.figure]

    assert drawn
    for figure in drawn:
        go.Figure(_with_colours(figure))


def _with_colours(value: object) -> object:
    if isinstance(value, dict):
        return {key: _with_colours(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_colours(each) for each in value]
    return "#123456" if isinstance(value, str) and value.startswith("token:") else value


def test_money_in_figures_is_text() -> None:
    """R16: no float touches money; Plotly reads decimal text as a number."""
    found = figures.lines(["a"], {"x": [Decimal("0.1")]}, unit="$")

    assert found["data"][0]["y"] == ["0.1"]
    assert figures.ranking(["a"], [1])["data"][0]["x"] == [1]


def test_the_first_page_counts_what_waits(busy: Flask) -> None:
    scenes.execute("INSERT INTO job_runs (name, last_error) VALUES ('tidy', 'no')")

    text = staff.client_of(busy).get("/admin/").text

    assert re.search(r"Failing jobs</span><span class=\"stat-value tone-bad\">1<", text)
