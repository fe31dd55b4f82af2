"""What axe-core finds wrong with a page for people who cannot see it, or not well, or who use the keyboard.

The library is test-only, vendored as published (tests/vendor), and evaluated by the browser's debugger: the page's own
policy stays as strict as it is.
"""

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

SOURCE = Path(__file__).resolve().parent / "vendor/axe-core-4.14.1/axe.min.js"
GRAVE = ("serious", "critical")
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
RUN = "() => axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})"


@cache
def source() -> str:
    return SOURCE.read_text(encoding="utf-8")


def grave_faults(page: Page) -> list[str]:
    """Each serious or critical fault and where it is."""
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(source())
    page.evaluate(SETTLED)
    found: dict[str, Any] = page.evaluate(RUN)
    return [
        f"{fault['id']} at {node['target'][0]}: {node['failureSummary'].splitlines()[-1].strip()}"
        for fault in found["violations"]
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]
