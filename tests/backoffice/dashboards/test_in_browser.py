"""Figures in a real browser: a call through the API is seen live, then in the charts, then in their CSV."""

import csv
import io
import re
import threading
from pathlib import Path

from playwright.sync_api import Page, expect

from reseller.domain.accounts import Role
from tests.console import Console

ROLL_UP = "roll up usage"


def figure(page: Page, label: str) -> int:
    """The number on a tile."""
    text = page.locator(".stat", has_text=label).first.locator(".stat-value").inner_text()
    return int(text.replace(",", ""))


def test_a_call_is_seen_in_the_live_tile_while_it_is_in_flight(console: Console) -> None:
    """And the tile counts it among the calls of the last minute afterwards."""
    customer = console.customer()
    page = console.page(Role.SUPPORT)
    page.goto("/admin/")
    in_flight, calls = page.locator("[data-live-value=in_flight]"), page.locator("[data-live-value=calls]")
    expect(page.locator("[data-live-state]")).to_have_text("live")
    before = int(calls.inner_text().replace(",", ""))

    # The upstream is given up after a second, the tile looks every two: one after the other, there is always one in flight.
    caller = threading.Thread(target=lambda: [customer.chat("fake/hang") for _ in range(6)])
    caller.start()
    expect(in_flight).not_to_have_text("0")
    caller.join()

    expect(calls).not_to_have_text(f"{before:,}")


def test_a_call_through_the_api_is_in_tiles_chart_and_csv_after_the_job(console: Console) -> None:
    """From the API over the clock's job to the page, its rows, and the file."""
    console.run_jobs(ROLL_UP)
    page = console.page(Role.FINANCE)
    page.goto("/admin/performance/?range=today")
    before = figure(page, "Calls")
    customer = console.customer()
    for _ in range(3):
        assert customer.chat().status == 200

    console.run_jobs(ROLL_UP)
    page.reload()

    expect(page.locator("#calls .chart svg").first).to_be_visible()
    assert figure(page, "Calls") == before + 3
    with page.expect_download() as download:
        page.locator("#calls").get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    shown = page.locator("#calls")
    shown.get_by_text("As a table").click()
    cells = [row.split("\t") for row in shown.locator("tbody tr").all_inner_texts()]
    assert [[row["When"], row["Went well"], row["Errors"], row["Refused"]] for row in rows] == cells
    assert sum(int(row["Went well"]) + int(row["Errors"]) for row in rows) == before + 3

    page.locator("#routes").get_by_role("link", name="openai/gpt-4o-mini").first.click()
    expect(page).to_have_url(re.compile(r"/admin/calls/.*model="))
    expect(page.locator("main")).to_contain_text("completed")


def test_a_top_up_is_paid_in_at_once_and_the_ledger_shows_it(console: Console) -> None:
    page = console.page(Role.FINANCE)
    page.goto("/admin/business/?range=today")
    paid_in = page.locator("a.stat", has_text="Paid in")

    expect(paid_in).to_be_visible()
    paid_in.click()

    expect(page).to_have_url(re.compile(r"/admin/ledger/\?kind=paid_in"))


def test_a_range_of_ones_own_is_chosen_by_keyboard(console: Console) -> None:
    page = console.page(Role.ADMIN)
    page.goto("/admin/usage/")

    page.get_by_label("From", exact=True).fill("2026-01-01")
    page.get_by_label("To", exact=True).fill("2026-01-31")
    page.get_by_label("To", exact=True).press("Enter")

    expect(page.locator("main")).to_contain_text("2026-01-01 to 2026-01-31, compared with 2025-12-01 to 2025-12-31")
