"""Who may import whom. Data goes one way: doors → domain | clients → ground."""

import ast
import re

from reseller import domain
from tests.house.source import ROOT, files, functions, imports, module, short, tree

GROUND = (
    "money", "clock", "errors", "metering", "batching", "database", "schema", "metrics", "silence", "turns", "digest", "tally", "alarms",
    "addresses", "by_itself", "slow_senders",
)  # fmt: skip
DOORS = ("callbacks", "gateway", "portal", "backoffice", "worker", "cli", "pages", "probes")
PROCESS = ("cashier", "buyer", "backups", "reader", "wiring", "upstreams", "live", "heart", "sampling", "serving", "telemetry", "web")
DOMAIN_ORDER = (
    "staff", "outbox", "accounts", "company", "letters", "alarms", "identity", "notes", "keys", "limits", "pricing", "ledger", "notices",
    "usage", "alerts", "standing", "calls", "payments", "webhooks", "books", "registration", "clock_alarms", "journal", "proofs",
    "resealing", "jobs", "supplier", "uptime", "retention", "desk", "demo",
)  # fmt: skip
FLASK = ("flask", "flask_login", "flask_admin", "flask_wtf", "werkzeug")
OUTSIDE = ("requests", "authlib", "joserfc", "stripe", "geventhttpclient", "urllib3", "http.client", "smtplib")


def floor_of(name: str) -> str:
    """reseller.gateway.relay → gateway"""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def ours(name: str) -> bool:
    return name.startswith("reseller.")


def test_the_domain_imports_only_from_its_left() -> None:
    wrong = []
    for path in files("reseller/domain"):
        here = module(path).split(".")
        if len(here) < 3:
            continue
        for name, line in imports(path):
            there = name.split(".")
            is_ours = there[:2] == ["reseller", "domain"] and len(there) > 2 and there[2] in DOMAIN_ORDER
            if is_ours and DOMAIN_ORDER.index(there[2]) > DOMAIN_ORDER.index(here[2]):
                wrong.append(f"{short(path)}:{line} imports {name}")

    assert not wrong, f"A domain module imports only from its left ({' → '.join(DOMAIN_ORDER)}); move the code right: {wrong}"


def test_every_domain_module_has_its_place_in_the_order() -> None:
    known = {module(path).split(".")[2] for path in files("reseller/domain") if len(module(path).split(".")) > 2}

    assert known == set(DOMAIN_ORDER), "Give the new domain module its place in DOMAIN_ORDER and in reseller/domain/__init__.py"


def test_the_process_floor_is_told_as_it_is() -> None:
    """In README's map, where it may have neighbours in its row, in its decision, and in the domain's first law."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \|", readme[readme.index("## Map") : readme.index("**Where to add**")], re.MULTILINE)
    mapped = {name for row in rows for name in re.findall(r"`(?:reseller/)?([a-z_]+)(?:\.py|/)`", row)}
    decided = readme[readme.index("- **Process floor.**") :].partition("\n- ")[0]
    law = re.search(r"the floor that makes a process \(([^)]+)\)", domain.__doc__ or "")

    assert law is not None
    assert set(re.findall(r"`([a-z]+)`", law[1])) == set(PROCESS)
    assert set(re.findall(r"`([a-z]+)`", decided)) == set(PROCESS)
    assert set(PROCESS) <= mapped


def test_domain_and_clients_are_strangers_and_ground_knows_neither() -> None:
    forbidden = {
        "reseller/domain": (*DOORS, *PROCESS, "clients"),
        "reseller/clients": (*DOORS, *PROCESS, "domain"),
        **{f"reseller/{name}.py": (*DOORS, *PROCESS, "domain", "clients") for name in GROUND},
    }
    wrong = []
    for where, floors in forbidden.items():
        for path in files(where) or [p for p in files("reseller") if short(p) == where]:
            wrong += [f"{short(path)}:{line} imports {name}" for name, line in imports(path) if ours(name) and floor_of(name) in floors]

    assert not wrong, f"Data goes one way: a door asks the domain, asks a client, tells the domain. Climbing imports: {wrong}"


def test_doors_never_import_one_another() -> None:
    allowed = {("cli", "worker")}  # `flask worker` starts the clock
    wrong = []
    for path in files("reseller"):
        here = floor_of(module(path))
        for name, line in imports(path):
            there = floor_of(name)
            if here in DOORS and ours(name) and there in DOORS and there != here and (here, there) not in allowed:
                wrong.append(f"{short(path)}:{line} imports {name}")

    assert not wrong, f"Two doors need the same thing: put it into the domain or beside wiring.py. {wrong}"


def test_only_doors_import_flask() -> None:
    may = (*DOORS, *PROCESS, "", "database")
    wrong = [
        f"{short(path)}:{line} imports {name}"
        for path in files("reseller")
        for name, line in imports(path)
        if name.split(".")[0] in FLASK and floor_of(module(path)) not in may
    ]

    assert not wrong, f"The domain and the clients know no Flask; pass in what they need. {wrong}"


def test_only_clients_reach_outside() -> None:
    wrong = [
        f"{short(path)}:{line} imports {name}"
        for path in files("reseller")
        for name, line in imports(path)
        if (name in OUTSIDE or name.split(".")[0] in OUTSIDE) and floor_of(module(path)) != "clients"
    ]

    assert not wrong, f"HTTP to the outside belongs into reseller/clients. {wrong}"


def test_config_imports_nothing_of_ours() -> None:
    hooks = "config/gunicorn.py"  # runs in the worker process, after the app is there
    wrong = [f"{short(p)}:{line}" for p in files("config") if short(p) != hooks for name, line in imports(p) if ours(f"{name}.")]

    assert not wrong, f"config is read before the product and knows nothing of it. {wrong}"


def test_no_import_hides_inside_a_function() -> None:
    allowed = {"config/gunicorn.py"}  # its hooks run in the worker, where the app exists
    wrong = [
        f"{short(path)}:{node.lineno}"
        for path in files("reseller", "config")
        if short(path) not in allowed
        for function in functions(path)
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]

    assert not wrong, f"An import inside a function confesses a cycle; break the cycle. {wrong}"


def test_nothing_is_global() -> None:
    wrong = [
        f"{short(path)}:{node.lineno}"
        for path in files("reseller", "config")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Global)
    ]

    assert not wrong, f"State belongs to an object that create_app makes. {wrong}"


def test_only_the_ledger_writes_money_tables() -> None:
    """R2: entries, balances and holds have few writers, and they are named here."""
    may = ("reseller/domain/ledger/", "reseller/domain/calls/", "reseller/domain/demo/")
    wrong = []
    for path in files("reseller"):
        if short(path).startswith(may):
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = " ".join(node.value.split()).lower()
                for table in ("ledger_entries", "balances", "holds"):
                    if f"update {table}" in text or f"insert into {table}" in text or f"delete from {table}" in text:
                        wrong.append(f"{short(path)}:{node.lineno} writes {table}")

    assert not wrong, f"Money moves through the verbs of domain/ledger and domain/calls alone. {wrong}"
