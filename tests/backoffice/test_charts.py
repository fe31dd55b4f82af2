"""Charts in a real browser: drawn under the strict policy, in the colours of the theme, and names from data stay text (R37)."""

import json
import re
from decimal import Decimal
from typing import Any

from playwright.sync_api import Page, expect

from reseller.web import figures
from reseller.web.assets import asset
from tests.browser import PHONE
from tests.console import Console

PLOTLY = "vendor/plotly.js-basic-dist-min-4.1.1/"
EVIL = "<b>bold</b> <a href='https://example.com'>x</a> &amp; token:bad"
FIGURE = {
    "data": [
        {"type": "bar", "name": EVIL, "x": ["2026-11-01", "2026-11-02"], "y": [3, 4], "marker": {"color": "token:good"}},
        {"type": "bar", "name": "other", "x": ["2026-11-01", "2026-11-02"], "y": [1, 2]},
    ],
    "layout": {"barmode": "stack"},
}
PLACE = """
(figure) => {
  const chart = document.createElement("div");
  chart.className = "chart";
  chart.dataset.figure = "figure";
  const data = document.createElement("script");
  data.type = "application/json";
  data.id = "figure";
  data.textContent = figure;
  document.querySelector("main").append(chart, data);
}
"""
STYLES = """
(address) => {
  const link = document.createElement("link");
  Object.assign(link, { id: "plotly.js-style-global", className: "no-inline-styles", rel: "stylesheet", href: address });
  document.head.append(link);
}
"""
FIRST_BAR = "() => getComputedStyle(document.querySelector('.chart .bars .point path')).fill"


def draw(console: Console, figure: dict[str, Any], **window: Any) -> Page:
    """A page of ours with this chart on it, loaded as `ui.chart` and `ui.chart_scripts` do."""
    with console.shop.app.test_request_context():
        styles, plotly, charts = (asset(name) for name in (f"{PLOTLY}plotly.css", f"{PLOTLY}plotly-basic.min.js", "charts.js"))
    page = console.stranger(**window)
    page.goto("/")
    page.evaluate(PLACE, json.dumps(figure))
    page.evaluate(STYLES, styles)
    page.add_script_tag(url=plotly)
    page.add_script_tag(url=charts, type="module")
    expect(page.locator(".chart .bars .point").first).to_be_visible()
    return page


def test_a_chart_is_drawn_and_names_stay_text(console: Console) -> None:
    page = draw(console, FIGURE)

    names = page.locator(".chart .legendtext").all_text_contents()

    assert set(names) == {EVIL, "other"}
    assert page.locator(".chart a").count() == 0
    assert page.locator(".chart .modebar-btn").count() == 0


def test_a_chart_changes_its_colours_with_the_theme(console: Console) -> None:
    page = draw(console, FIGURE)
    before = page.evaluate(FIRST_BAR)

    page.get_by_role("button", name="Switch between light and dark").click()

    page.wait_for_function(f"(before) => ({FIRST_BAR})() !== before", arg=before)
    assert before == "rgb(31, 138, 79)"  # the light side of --good-solid
    assert page.evaluate(FIRST_BAR) == "rgb(79, 184, 125)"  # its dark side


def test_long_names_beside_bars_leave_half_of_a_phone_to_the_bars(console: Console) -> None:
    names = ["meta-llama/llama-3.3-70b-instruct-turbo-preview", "acme/one"]
    page = draw(console, figures.ranking(names, [2000, 1000]), size=PHONE)

    assert page.locator(".chart .ytick text").all_text_contents() == ["acme/one", "meta-llama/lla…bo-preview"]
    widest = page.evaluate(
        "() => Math.max(...[...document.querySelectorAll('.chart .point')].map((bar) => bar.getBoundingClientRect().width))"
    )
    assert widest > PHONE[0] / 3


def test_small_charges_stand_at_the_axis_in_digits(console: Console) -> None:
    """Not as $200n, which nobody reads as dollars."""
    charges = [Decimal("0.0000002"), Decimal("0.0000004")]

    page = draw(console, figures.bars(["2026-11-01", "2026-11-02"], {"Charge": charges}, unit="$"))

    ticks = page.locator(".chart .ytick text").all_text_contents()
    assert "$0.0000002" in ticks
    assert [tick for tick in ticks if not re.fullmatch(r"\$[0-9.,]+", tick)] == []
