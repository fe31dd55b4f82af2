"""The address of each page with everything it asks for, such as the id of a row that is there."""

import re
from urllib.parse import quote, urlencode

from tests.backoffice.estate import Estate
from tests.backoffice.routes import Route

QUERIES: dict[str, dict[str, str]] = {
    "business.export": {"table": "summary"},
    "calls.find": {"id": "{call_id}"},
    "customers.search": {"q": "evil.example"},
    "health.export": {"table": "summary"},
    "performance.export": {"table": "summary"},
    "prices.tester": {"model": "{slug}", "account": "{account_id}"},
    "usage.export": {"table": "models"},
}
"""endpoint → the arguments without which the page has little to show; {names} are the estate's."""


def address_of(route: Route, estate: Estate, **given: str) -> str:
    """The route's address; `given` replaces parameters."""
    values = {name: given.get(name) or value(route, name, estate) for name in route.rule.arguments}
    path = re.sub(r"<(?:[^:>]+:)?(\w+)>", lambda found: quote(values[found[1]], safe=""), route.rule.rule)
    query = {name: text.format(**estate.ids) for name, text in QUERIES.get(route.rule.endpoint, {}).items()}
    if route.needs_row:
        query["id"] = estate.first_of(route.view)
    return f"{path}?{urlencode(query)}" if query else path


def value(route: Route, name: str, estate: Estate) -> str:
    """What stands in the address for this parameter."""
    assert name in estate.ids, f"Tell `ids_of` in tests/backoffice/estate.py what <{name}> of {route} is"
    return estate.ids[name]
