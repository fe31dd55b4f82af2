"""The address of each page with everything it asks for, such as the id of a row that is there."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from tests.backoffice.estate import Estate
from tests.backoffice.routes import Route

PARAMETERS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("", "account_id"): ("accounts", "id"),
    ("", "user_id"): ("users", "id"),
    ("", "key_id"): ("api_keys", "id"),
    ("", "call_id"): ("usage_logs", "id"),
    ("", "rule_id"): ("pricing_rules", "id"),
    ("", "slug"): ("models", "slug"),
}
"""(endpoint of the view, or "" for all; parameter) → the column that it names a value of."""

QUERIES: Mapping[str, tuple[str, str, str]] = {
    "calls.find": ("id", "usage_logs", "id"),
    "prices.tester": ("model", "models", "slug"),
}
"""endpoint → the argument without which the page is empty, and the column that it names a value of."""


def address_of(route: Route, estate: Estate, **given: str) -> str:
    """The route's address; `given` replaces parameters."""
    values = {name: given.get(name) or value(route, name, estate) for name in route.rule.arguments}
    path = re.sub(r"<(?:[^:>]+:)?(\w+)>", lambda found: quote(values[found[1]], safe=""), route.rule.rule)
    asked = QUERIES.get(route.rule.endpoint)
    if asked:
        return f"{path}?{asked[0]}={quote(estate.newest(asked[1], asked[2]))}"
    return f"{path}?id={quote(estate.first_of(route.view))}" if route.needs_row else path


def value(route: Route, name: str, estate: Estate) -> str:
    """What stands in the address for this parameter."""
    if name == "export_type":
        return "csv"
    found = PARAMETERS.get((route.view.endpoint, name)) or PARAMETERS.get(("", name))
    assert found is not None, f"Tell PARAMETERS which column <{name}> of {route} is"
    return estate.newest(*found)
