"""Who may do what in the back office, as README's table. `python -m tests.roles` writes it there anew.

Made from what the views declare, so it can say nothing else than what the app does.
"""

import inspect
import re
import sys
import tempfile
from pathlib import Path

from flask import Flask

from reseller.domain.accounts import Role
from tests.backoffice.routes import Route, routes_of
from tests.deployment import running_app, settings_over

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- who may do what: python -m tests.roles -->", "<!-- end of who may do what -->"
STAFF = (Role.SUPPORT, Role.FINANCE, Role.ADMIN)
WORDS = {
    "index": "see",
    "index_view": "see",
    "details_view": "see one",
    "show": "see one",
    "day": "see a day",
    "find": "find by id",
    "search": "search",
    "tester": "test",
    "queue": "see what waits",
    "export": "export",
    "create_view": "add",
    "edit_view": "change",
    "delete_view": "delete",
    "note": "add a note",
    "credit": "adjust credit",
    "limits": "change limits",
}
ALWAYS, SOMETIMES, NEVER = "✓✓", "✓(✓)", "✓"


def table(app: Flask) -> str:
    """A line for each view and set of roles, in the order of the menu."""
    views = [view for admin in app.extensions["admin"] for view in admin._views]
    routes = routes_of(app)
    lines = ["| page | what | support | finance | admin |", "|---|---|---|---|---|"]
    for view in views:
        lines += lines_of(view.name, [route for route in routes if route.view is view and route.roles])
    return "\n".join(lines)


def lines_of(name: str, routes: list[Route]) -> list[str]:
    """What the same people may do to the same page stands in one line, what most may do first."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for route in sorted(
        routes,
        key=lambda route: (-len(route.roles), asks_again(route) != NEVER, list(WORDS).index(route.page) if route.page in WORDS else 99),
    ):
        cells = tuple(asks_again(route) if role in route.roles else "–" for role in STAFF)
        words = WORDS.get(route.page, route.page.removesuffix("_view").replace("_", " "))
        if words not in groups.setdefault(cells, []):
            groups[cells].append(words)
    return [f"| {name} | {' · '.join(what)} | {' | '.join(cells)} |" for cells, what in groups.items()]


def asks_again(route: Route) -> str:
    """Whether the page asks for the second factor again: always, in some cases, never."""
    if route.is_confirmed:
        return ALWAYS
    return SOMETIMES if re.search(r"require_confirmation\(|\.is_confirmed\b", source_of(route)) else NEVER


def source_of(route: Route) -> str:
    """The text of the page's method and of its view's own that it calls."""
    view = type(route.view)
    text = inspect.getsource(getattr(view, route.page))
    return text + "".join(inspect.getsource(getattr(view, name)) for name in set(re.findall(r"self\.(_\w+)\(", text)))


def in_readme() -> str:
    """The table as README has it."""
    text = README.read_text(encoding="utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()


def of_the_app() -> str:
    """The table as the app has it. No database is asked."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(settings_over("postgresql+psycopg://nobody@127.0.0.1:9/none", Path(folder))) as app,
    ):
        return table(app)


def main() -> int:
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{of_the_app()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
