"""Pages of usage: every choice opens, CSV is what is shown, and nothing of anybody else or of our house is in them (R23)."""

import csv
import io
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.clock import new_id, now
from reseller.domain.accounts import Person
from reseller.domain.usage import request_id, rollup
from reseller.portal.usage.choices import GROUPS, MEASURES
from tests import factories, staff
from tests.domain import scenes
from tests.domain.usage import calls

EVIL = '"></script><img src=x onerror=alert(1)>'
FORMULA = "=HYPERLINK(1)"
OURS = ("openrouter", "margin", "markup", "overage", "0.00000008")  # the last is what a call of `calls.row` cost us
TABLES = ("over-time", "models", "keys", "week")


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody with three weeks of calls, the newest of which are not summed yet."""

    person: Person
    client: FlaskClient
    token: str
    rows: list[dict[str, Any]]

    def csv(self, address: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.client.get(address).text)))


@pytest.fixture
def busy(app: Flask) -> Account:
    person = factories.make_person(full_name="Ada")
    token, key = factories.mint_key(person, name=FORMULA)
    _, other = factories.mint_key(person, name=EVIL)
    chance = Random(31)
    rows = calls.random_rows(chance, [person.account_id], 240, start=now() - timedelta(days=21), days=20)
    for row in rows:
        row["api_key_id"] = chance.choice((key.id, other.id))
        row["model"] = chance.choice((*calls.MODELS, EVIL))
        row["id"] = new_id(row["created_at"])
        row["created_at"] = row["created_at"].replace(microsecond=row["created_at"].microsecond // 1000 * 1000)
    calls.write(rows[:200])
    rollup.run()
    for row in rows[200:]:
        row["settled_at"] = now()
    calls.write(rows[200:])
    return Account(person, staff.client_of(app, person=person), token, rows)


RANGES = ("", "range=today", "range=7", "range=90", "range=month", "range=last-month", "from=2026-01-01&to=2026-02-01")


def test_every_choice_opens(busy: Account) -> None:
    drawn = [f"group={group}&measure={measure}" for group in GROUPS for measure in MEASURES]
    for args in (*RANGES, *drawn, "range=7&step=hour&group=key"):
        answer = busy.client.get(f"/usage?{args}")

        assert answer.status_code == 200, args
        assert EVIL not in answer.text
        assert not [word for word in OURS if word in answer.text.lower()], args


IMPOSSIBLE = {
    "from=2026-03-01&to=2026-02-01": "The first day is after the last one.",
    "from=0001-01-01&to=2026-02-01": "at most 366 days",
    "from=2025-01-01&to=2026-02-01": "at most 366 days",
    "from=2026-02-01&to=9999-12-31": "The last day is in the future.",
    "from=10000-01-01&to=20000-01-01": "Give a first day",
    "from=2026-02-01": "Give a last day",
    "range=90&step=hour": "Hours are shown for up to 14 days",
}


def test_a_range_that_cannot_be_is_told_in_words(busy: Account) -> None:
    for args, words in IMPOSSIBLE.items():
        answer = busy.client.get(f"/usage?{args}")

        assert answer.status_code == 200
        assert words in answer.text


@pytest.mark.parametrize(
    "args", ["range=30", "range=30&group=model", "range=30&group=key&measure=latency", "range=7&step=hour&measure=errors"]
)
def test_csv_is_what_is_shown(busy: Account, args: str) -> None:
    """The same rows in the same order; cells of numbers say the same as those of the page, to the last digit."""
    page = busy.client.get(f"/usage?{args}").text

    for name in TABLES:
        section = re.search(rf'<section class="card" id="{name}".*?</section>', page, re.S)
        assert section
        shown = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S) for row in re.findall(r"<tr>(.*?)</tr>", section[0], re.S)][1:]
        exported = busy.csv(f"/usage/export?table={name}&{args}")[1:]
        assert len(exported) == len(shown) > 0, name
        for cells, values in zip(shown, exported, strict=True):
            for cell, value in zip(cells, values, strict=True):
                exact = re.search(r'title="\$?(-?[\d.]+)"', cell) or re.search(r">\s*(-?[\d,.]+)\s*<", f">{cell}<")
                if exact and re.fullmatch(r"-?[\d.]+", value):
                    assert Decimal(exact[1].replace(",", "")) == Decimal(value)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_days_tile_csv_and_api_agree(busy: Account, zone: str) -> None:
    """Sum of days = range = CSV = API, in the viewer's zone, with calls that are not summed yet."""
    scenes.execute("UPDATE users SET time_zone = :zone WHERE id = :id", zone=zone, id=busy.person.user_id)

    days = busy.csv("/usage/export?range=30")
    over_time = busy.csv("/usage/export?range=30&table=over-time")
    first, last = over_time[1][0], over_time[-1][0]
    address = f"/v1/usage?from={first}&to={last}&time_zone={zone}"
    told = busy.client.get(address, headers={"Authorization": f"Bearer {busy.token}"}).get_json()["data"]

    charge = Decimal(sum(row["charge_nano"] for row in busy.rows)).scaleb(-9)
    assert next(Decimal(row[1]) for row in days if row[0] == "Charge") == charge
    assert sum(Decimal(row[over_time[0].index("Charge")]) for row in over_time[1:]) == charge
    assert sum(Decimal(day["charge"]) for day in told) == charge
    assert {day["day"]: day["calls"] for day in told} == {row[0]: int(row[1]) for row in over_time[1:] if int(row[1]) + int(row[3])}
    listed = busy.csv(f"/usage/calls.csv?from={first}&to={last}")
    assert sum(Decimal(row[listed[0].index("charge_usd")]) for row in listed[1:]) == charge


def test_an_unknown_time_zone_is_refused_by_the_api(busy: Account) -> None:
    for zone in ("Mars/Olympus", "../../etc/passwd", "asia/kolkata", "", "UTC%00", "localtime", "Factory"):
        answer = busy.client.get(f"/v1/usage?time_zone={zone}", headers={"Authorization": f"Bearer {busy.token}"})

        assert answer.status_code == 400
        assert answer.get_json()["error"]["param"] == "time_zone"


def test_every_bar_and_row_leads_to_its_calls(busy: Account) -> None:
    page = busy.client.get("/usage?range=30").text
    figure = json.loads(re.findall(r'<script type="application/json" id="chart-over-time">(.*?)</script>', page, re.S)[0])
    columns = busy.csv("/usage/export?range=30&table=over-time")[1:]

    assert len(figure["links"]) == len(columns) == len(figure["data"][0]["x"])
    for link, row in list(zip(figure["links"], columns, strict=True))[8:14]:
        assert link.replace("&", "&amp;") in page
        listed = busy.csv(link.replace("/usage/calls?", "/usage/calls.csv?"))[1:]
        assert len(listed) == int(row[1]) + int(row[3])  # calls, and refused ones


def test_an_hour_leads_to_its_calls(busy: Account) -> None:
    scenes.execute("UPDATE users SET time_zone = 'Asia/Kolkata' WHERE id = :id", id=busy.person.user_id)
    last = max(row["created_at"] for row in busy.rows).date()
    args = f"from={last - timedelta(days=3)}&to={last}&step=hour"
    page = busy.client.get(f"/usage?{args}").text
    figure = json.loads(re.findall(r'<script type="application/json" id="chart-over-time">(.*?)</script>', page, re.S)[0])
    rows = busy.csv(f"/usage/export?table=over-time&{args}")[1:]
    found = [(link, int(row[1]) + int(row[3])) for link, row in zip(figure["links"], rows, strict=True) if int(row[1])]
    assert found

    for link, count in found[:5]:
        assert len(busy.csv(link.replace("/usage/calls?", "/usage/calls.csv?"))) - 1 == count


def test_the_list_of_calls_is_filtered_and_paged(busy: Account) -> None:
    wrong = ("refused", "failed", "partial", "voided")
    for status in ("errors", "refused", "completed", "partial"):
        wanted = [row for row in busy.rows if (row["status"] in wrong if status == "errors" else row["status"] == status)]

        seen, address = [], f"/usage/calls?status={status}"
        while address:
            page = busy.client.get(address).text
            seen += re.findall(r'data-href="/usage/calls/(req_\w+)"', page)
            following = re.search(r'href="\?([^"]+)" rel="next"', page)
            address = f"/usage/calls?{following[1].replace('&amp;', '&')}" if following else ""

        assert seen == [request_id(row["id"]) for row in sorted(wanted, key=lambda row: row["id"], reverse=True)]


def test_csv_of_calls_holds_no_formula_and_nothing_of_ours(busy: Account) -> None:
    text = busy.client.get("/usage/calls.csv").text
    rows = list(csv.reader(io.StringIO(text)))

    assert len(rows) == len(busy.rows) + 1
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert not [word for word in OURS if word in text.lower()]


def test_a_call_is_found_by_its_id_in_any_shape(busy: Account) -> None:
    row = next(row for row in busy.rows if row["status"] == "completed")
    for shape in ("req_{}", "chatcmpl-{}", "{}", "gen-{}", "REQ_{}"):
        shown = shape.format(row["id"].hex)

        found = busy.client.get("/usage/find", query_string={"id": f" {shown} "})
        page = busy.client.get(f"/usage/calls/{shown}")

        assert found.location == f"/usage/calls/{request_id(row['id'])}"
        assert page.status_code == 200
        assert request_id(row["id"]) in page.text
        assert not [word for word in OURS if word in page.text.lower()]


def test_what_is_no_call_of_yours_is_not_found(busy: Account) -> None:
    for given in ("", "req_1", "' OR 1=1", "req_" + "f" * 32, "req_01a00000000070008000000000000000", "../../admin"):
        answer = busy.client.get("/usage/find", query_string={"id": given}, follow_redirects=True)

        assert answer.status_code == 404, given


def test_nothing_of_another_account_opens(busy: Account, app: Flask) -> None:
    """R23: neither its calls, nor its keys, nor a page of its list."""
    stranger = factories.make_person()
    client = staff.client_of(app, person=stranger)
    row = busy.rows[0]

    answers = {
        path: client.get(path).status_code
        for path in (
            f"/usage/calls/{request_id(row['id'])}",
            f"/usage?key={row['api_key_id']}",
            f"/usage/calls?key={row['api_key_id']}",
            f"/usage/calls.csv?key={row['api_key_id']}",
            f"/usage/export?key={row['api_key_id']}",
        )
    }
    listed = client.get("/usage/calls").text + client.get(f"/usage/calls?after={busy.rows[-1]['id']}").text

    assert set(answers.values()) == {404}
    assert "data-href" not in listed
    assert "No calls yet" in client.get("/usage").text
    assert str(row["api_key_id"]) not in client.get("/usage?group=key").text


def test_odd_arguments_are_left_out(busy: Account) -> None:
    for args in ("model=" + "x" * 5000, "kind=x", "measure=x&group=x&step=x", "from=x&to=1", "hour=99", "status=x"):
        for page in ("/usage", "/usage/calls", "/usage/calls.csv", "/usage/export"):
            assert busy.client.get(f"{page}?{args}").status_code == 200, args


def test_a_key_or_a_page_that_is_not_there_is_not_found(busy: Account) -> None:
    for args in ("key=x", "after=x", f"key={new_id()}"):
        assert busy.client.get(f"/usage/calls?{args}").status_code == 404, args


def test_names_from_outside_stay_text_in_the_data_of_charts(busy: Account) -> None:
    for args in ("group=model", "group=key"):
        page = busy.client.get(f"/usage?range=30&{args}").text
        blocks = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.S)

        names = [trace.get("name") for block in blocks for trace in json.loads(block)["data"]]
        assert any(EVIL in (name or "") for name in names)
        assert "<img src=x" not in page


def test_a_stranger_is_sent_to_sign_in(app: Flask) -> None:
    for path in ("/usage", "/usage/export", "/usage/calls", "/usage/calls.csv", "/usage/find?id=x", "/usage/calls/x"):
        answer = app.test_client().get(path)

        assert (answer.status_code, answer.location.split("?")[0]) == (302, "/sign-in")


def test_many_models_are_drawn_as_six_and_add_up(app: Flask) -> None:
    """The table has the columns of the chart: five models, all others, and all."""
    person = factories.make_person()
    calls.write(
        [calls.row(now() - timedelta(hours=n), person.account_id, model=f"maker/{n:02}", charge_nano=100 * n) for n in range(1, 11)]
    )
    rollup.run()
    client = staff.client_of(app, person=person)

    rows = list(csv.reader(io.StringIO(client.get("/usage/export?range=7&group=model&table=over-time").text)))

    assert rows[0] == ["Day", "maker/10", "maker/09", "maker/08", "maker/07", "maker/06", "all others", "All"]
    sums = [sum(Decimal(row[column]) for row in rows[1:]) for column in range(1, 8)]
    assert sums[-1] == sum(sums[:-1]) == Decimal("0.0000055")


def test_files_name_their_columns_alike(busy: Account) -> None:
    """What is one thing in the files of calls, the ledger and prices is called the same in each."""
    calls_file, ledger_file, prices_file = (busy.csv(path)[0] for path in ("/usage/calls.csv", "/billing/entries.csv", "/prices.csv"))

    assert calls_file[0] == ledger_file[0] == "date"
    for name in {*calls_file, *ledger_file, *prices_file}:
        assert re.fullmatch("[a-z0-9_]+", name), name


def test_percentiles_are_said_to_be_about_right(busy: Account) -> None:
    """They come out of buckets: one call would have a p50 and a p95 of its own."""
    assert busy.client.get("/usage").text.count("about; of completed calls") == 2
