"""config/observe: what is watched exists, is written as Prometheus wants it, and has its entry in the runbook."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from tests.house.source import ROOT
from tests.probes.reading import Exposition
from tests.shop import Shop

OBSERVE = ROOT / "config/observe"
RULES: list[dict[str, Any]] = yaml.safe_load((OBSERVE / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
RUNBOOK = (OBSERVE / "runbook.md").read_text(encoding="utf-8")
DASHBOARD = json.loads((OBSERVE / "dashboard.json").read_text(encoding="utf-8"))
VARIABLES = {"$__rate_interval": "5m"}


def shown() -> list[str]:
    """Every expression of the dashboard, as Grafana sends it."""
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    for variable, value in VARIABLES.items():
        found = [expression.replace(variable, value) for expression in found]
    return found


def alerts() -> dict[str, str]:
    return {rule["alert"]: rule["expr"] for rule in RULES}


def selectors(node: Any) -> Iterator[Any]:
    """Every series that an expression asks for."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for part in ("lhs", "rhs", "expr", "vector_selector", "param"):
        inner = getattr(node, part, None)
        if inner is not None:
            yield from selectors(inner)
    for inner in getattr(node, "args", None) or ():
        yield from selectors(inner)


@pytest.fixture(scope="module")
def told(shop: Shop) -> Exposition:
    """What a running shop tells after a call of each kind and a round of its clock."""
    customer = shop.customer()
    assert customer.chat().status == 200
    assert customer.chat("fake/burst", stream=True).status == 200
    assert shop.customer(usd="0").chat().status == 402
    shop.flask("worker", "--once")
    return Exposition.of(shop.call("/metrics").body.decode())


@pytest.mark.parametrize("expression", [*alerts().values(), *shown()])
def test_every_series_that_is_watched_exists(told: Exposition, expression: str) -> None:
    """A counter with labels exists from its first count on, so its name alone is looked for in what the code declares."""
    wanted = {selector.name for selector in selectors(promql_parser.parse(expression))} - {"up"}
    undeclared = {name for name in wanted if name not in told.names and name not in declared()}

    assert wanted or "up" in expression, "this expression looks at nothing"
    assert not undeclared, f"nobody tells {undeclared}"


def declared() -> set[str]:
    """Labelled counters, which have no series before something happened: by their declaration."""
    source = (ROOT / "reseller/metrics.py").read_text(encoding="utf-8")
    return set(re.findall(r'Counter\(\s*"(\w+_total)"[^)]*\[', source))


def test_labels_that_are_asked_for_are_told(told: Exposition) -> None:
    """`up` is Prometheus' own, `instance` and `job` of it are added by the scrape."""
    wrong = []
    for expression in [*alerts().values(), *shown()]:
        for selector in selectors(promql_parser.parse(expression)):
            for matcher in selector.matchers.matchers:
                if selector.name in told.names and not told.labels(selector.name, matcher.name):
                    wrong.append(f"{selector.name} has no label {matcher.name}")

    assert not wrong


def test_every_alert_says_how_urgent_it_is_and_has_its_entry_in_the_runbook() -> None:
    entries = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))

    assert set(entries) == set(alerts()), "config/observe/alerts.yml and runbook.md name the same alerts"
    for rule in RULES:
        entry = entries[rule["alert"]]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert "**Means:** " in entry
        assert "**Do:** " in entry
        assert rule["annotations"]["summary"] + "." in entry
        assert rule["annotations"]["runbook"] == f"config/observe/runbook.md#{rule['alert'].lower()}"


def test_the_example_of_a_scrape_asks_for_what_is_there() -> None:
    config = yaml.safe_load((OBSERVE / "prometheus.yml").read_text(encoding="utf-8"))

    assert config["rule_files"] == ["alerts.yml"]
    assert config["scrape_configs"][0]["metrics_path"] == "/metrics"
    assert f'up{{job="{config["scrape_configs"][0]["job_name"]}"}} == 0' == alerts()["ResellerDown"]


def test_panels_of_the_dashboard_do_not_lie_on_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
