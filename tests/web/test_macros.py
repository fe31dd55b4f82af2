"""The parts of pages: what they show, and that text from outside stays text (R37)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, render_template_string
from markupsafe import Markup
from wtforms import BooleanField, Form, HiddenField, StringField
from wtforms.validators import DataRequired, Optional

from reseller.clock import now

EVIL = "<script>alert(1)</script>\"'&"


class ExampleForm(Form):
    name = StringField("Name", [DataRequired()], description="As on the invoice")
    note = StringField("Note", [Optional()])
    is_on = BooleanField("On")
    version = HiddenField(default="7")


def part(app: Flask, call: str, path: str = "/", **values: Any) -> str:
    """What a page shows for this call of a macro."""
    with app.test_request_context(path):
        return render_template_string("{% import 'web/macros.html' as ui with context %}{{ " + call + " }}", **values)


@pytest.mark.parametrize(
    "call",
    [
        "ui.tag(evil)",
        "ui.status(evil)",
        "ui.id(evil)",
        "ui.copy(evil)",
        "ui.notice(evil)",
        "ui.empty(evil, evil)",
        "ui.stat(evil, evil, note=evil)",
        "ui.facts([(evil, evil)])",
        "ui.cell(evil)",
        "ui.cell({evil: evil})",
        "ui.confirm('/x', evil, evil, {'id': evil})",
        "ui.chart('a', {'data': [{'name': evil}]}, evil)",
    ],
)
def test_text_stays_text(dry_app: Flask, call: str) -> None:
    shown = part(dry_app, call, evil=EVIL)

    assert "alert(1)" in shown
    assert "<script>alert" not in shown
    assert "</script>\"'" not in shown


@pytest.mark.parametrize(
    ("amount", "words", "digits"),
    [
        (Decimal("1234.5"), "$1,234.50", "$1234.50"),
        (1_500_000_000, "$1.50", "$1.50"),
        (Decimal("0.000000001"), "&lt;$0.000001", "$0.000000001"),
        (Decimal(0), "$0.00", "$0.00"),
    ],
)
def test_money_shows_every_digit_on_hover(dry_app: Flask, amount: Decimal | int, words: str, digits: str) -> None:
    shown = part(dry_app, "ui.money(amount)", amount=amount)

    assert f">{words}<" in shown
    assert f'title="{digits}"' in shown


def test_money_that_is_owed_is_marked_by_more_than_its_colour(dry_app: Flask) -> None:
    shown = part(dry_app, "ui.money(amount)", amount=Decimal("-3.5"))

    assert 'class="money negative"' in shown
    assert ">-$3.50<" in shown


@pytest.mark.parametrize(
    "call", ["ui.money(none)", "ui.exact(none)", "ui.number(none)", "ui.moment(none)", "ui.day(none)", "ui.id(none)", "ui.cell(none)"]
)
def test_what_is_not_there_is_a_dash(dry_app: Flask, call: str) -> None:
    assert part(dry_app, call) == '<span class="muted">–</span>'


def test_a_moment_says_how_long_ago_and_exactly_when(dry_app: Flask) -> None:
    shown = part(dry_app, "ui.moment(at)", at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))

    assert 'datetime="2026-01-02T03:04:05+00:00"' in shown
    assert 'title="2026-01-02 03:04:05 UTC"' in shown


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (True, ">yes<"),
        (False, ">no<"),
        (Decimal("0.00000125"), "0.00000125"),
        (date(2026, 3, 4), "4 Mar 2026"),
        (UUID("01900000-0000-7000-8000-0000deadbeef"), "…deadbeef"),
        (Markup("<b>made by us</b>"), "<b>made by us</b>"),
        (0, "0"),
        ("", "–"),
    ],
)
def test_a_cell_is_shown_by_its_kind(dry_app: Flask, value: Any, found: str) -> None:
    assert found in part(dry_app, "ui.cell(value)", value=value)


def test_a_cell_with_an_instant_is_a_moment(dry_app: Flask) -> None:
    assert "5 min ago" in part(dry_app, "ui.cell(value)", value=now() - timedelta(minutes=5, seconds=10))


@pytest.mark.parametrize(
    ("word", "tone"), [("completed", "good"), ("refused", "bad"), ("waiting", "warn"), ("in_force", "good"), ("whatever", "quiet")]
)
def test_a_status_has_a_fitting_tone(dry_app: Flask, word: str, tone: str) -> None:
    shown = part(dry_app, "ui.status(word)", word=word)

    assert f"tone-{tone}" in shown
    assert word.replace("_", " ") in shown


def test_a_tile_with_an_address_leads_to_what_made_its_number(dry_app: Flask) -> None:
    assert part(dry_app, "ui.stat('Calls', 7, href='/calls')").startswith('<a class="stat" href="/calls">')
    assert part(dry_app, "ui.stat('Calls', 7)").startswith('<div class="stat">')


def test_a_field_has_label_help_and_errors_tied_to_it(dry_app: Flask) -> None:
    form = ExampleForm(data={"name": ""})
    form.validate()

    shown = part(dry_app, "ui.field(form.name)", form=form)

    assert '<label for="name">Name</label>' in shown
    assert 'aria-describedby="name-help name-errors"' in shown
    assert 'aria-invalid="true"' in shown
    assert "As on the invoice" in shown
    assert "This field is required." in shown


def test_a_field_that_may_stay_empty_says_so(dry_app: Flask) -> None:
    assert "(optional)" in part(dry_app, "ui.field(form.note)", form=ExampleForm())
    assert "(optional)" not in part(dry_app, "ui.field(form.name)", form=ExampleForm())


def test_a_hidden_field_has_no_label(dry_app: Flask) -> None:
    assert "<label" not in part(dry_app, "ui.field(form.version)", form=ExampleForm())


def test_a_confirmation_is_a_form_with_a_token_behind_a_button_that_sends_nothing(dry_app: Flask) -> None:
    """R25. Without JavaScript the same form stands open."""
    shown = part(dry_app, "ui.confirm('/x', 'Revoke', 'Revoke it?', {'id': 'a'}, reason=True)")

    dialog = shown[shown.index("<dialog") : shown.index("</dialog>")]
    plain = shown[shown.index("<noscript>") :]
    assert 'type="button"' in shown[: shown.index("<dialog")]
    for form in (dialog, plain):
        assert 'method="post" action="/x"' in form
        assert 'name="csrf_token"' in form
        assert 'name="id" value="a"' in form
        assert 'name="reason" required' in form


def test_a_pager_keeps_the_filters(dry_app: Flask) -> None:
    shown = part(dry_app, "ui.pager('a', 'b')", path="/list?status=refused&model=gpt%2A&after=a")

    assert 'href="?status=refused&amp;model=gpt%2A"' in shown
    assert 'href="?status=refused&amp;model=gpt%2A&amp;after=b"' in shown


def test_a_list_of_one_page_has_no_pager(dry_app: Flask) -> None:
    assert part(dry_app, "ui.pager(none, none)") == ""


def test_a_chart_brings_its_figure_as_data(dry_app: Flask) -> None:
    shown = part(dry_app, "ui.chart('revenue', figure, 'Revenue', 'tall')", figure={"data": [{"y": [1]}]})

    assert 'class="chart tall" data-figure="revenue" role="img" aria-label="Revenue"' in shown
    assert '<script type="application/json" id="revenue">{"data": [{"y": [1]}]}</script>' in shown


@pytest.mark.parametrize(("cookie", "attribute"), [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"')])
def test_the_theme_that_was_chosen_is_there_before_any_script(dry_app: Flask, cookie: str, attribute: str) -> None:
    client = dry_app.test_client()
    client.set_cookie("theme", cookie)

    assert attribute in client.get("/").text


@pytest.mark.parametrize("cookie", ["", "blue", '" onload="x'])
def test_without_a_choice_the_system_decides(dry_app: Flask, cookie: str) -> None:
    client = dry_app.test_client()
    client.set_cookie("theme", cookie)

    assert "data-theme=" not in client.get("/").text.replace("data-toggles-theme", "")
