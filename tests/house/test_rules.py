"""Rules about the whole app: every refusal has its fate, every route its access, every account table its wall."""

import re
import uuid

import psycopg
import pytest
from flask import Flask
from psycopg import errors as pg
from sqlalchemy import text

from reseller import errors
from reseller.database import Base, acting_for, db, transaction
from reseller.gateway.errors import fate_of, response_of
from tests.house.source import files

ANONYMOUS = {"/", "/v1/openapi.json", "/api/v1/openapi.json", "/healthz", "/readyz", "/metrics", "/assets/<digest>/<path:name>", "/sign-in"}
ANONYMOUS |= {"/sign-in/with/<provider>", "/sign-in/with/<provider>/callback"}
ANONYMOUS |= {
    "/prices",
    "/prices.csv",
    "/prices.json",
    "/prices/<path:slug>",
    "/docs",
    "/docs/reference",
    "/docs/webhooks",
    "/status",
    "/status.json",
}  # for anybody
ANONYMOUS |= {"/sign-up", "/sign-up/sent", "/verify/<token>", "/reset", "/reset/sent", "/reset/<token>", "/address/<token>"}
ANONYMOUS |= {"/callbacks/stripe"}  # known by its signature


def leaves(cls: type[errors.Refusal]) -> list[type[errors.Refusal]]:
    return [cls] + [leaf for sub in cls.__subclasses__() if sub.__module__.startswith("reseller.") for leaf in leaves(sub)]


def made(cls: type[errors.Refusal]) -> errors.Refusal:
    """An instance of any refusal, without knowing its constructor."""
    refusal = cls.__new__(cls)
    Exception.__init__(refusal, "no")
    refusal.message, refusal.param = "no", None
    if isinstance(refusal, errors.UpstreamFailure):
        refusal.status, refusal.alarm, refusal.retry_after_seconds = 502, None, None
    if isinstance(refusal, errors.TooManyRequests):
        refusal.retry_after_seconds = 1.0
    return refusal


@pytest.mark.parametrize("cls", leaves(errors.Refusal)[1:], ids=lambda c: c.__name__)
def test_every_refusal_has_its_fate(cls: type[errors.Refusal]) -> None:
    status, kind = fate_of(made(cls))

    assert 400 <= status < 600, f"Give {cls.__name__} a line in reseller/gateway/errors.py"
    assert kind
    assert response_of(made(cls)).status_code == status


def test_the_drawn_tree_of_errors_is_the_real_one() -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or "")) | {"Refusal"}
    real = {cls.__name__ for cls in leaves(errors.Refusal) if cls.__module__ == "reseller.errors"}

    assert drawn == real, "Draw the new refusal into the docstring of reseller/errors.py"


def test_every_route_demands_a_key_or_is_openly_anonymous(app: Flask) -> None:
    """R24: a route without a declared access rule fails here."""
    app.config["WTF_CSRF_ENABLED"] = False  # the access rule itself is asked, not the form's token
    client = app.test_client()
    open_routes = []
    for rule in app.url_map.iter_rules():
        if rule.rule in ANONYMOUS:
            continue
        path = re.sub(r"<[^>]+>", "x", re.sub(r"<(?:uuid|string\(minlength=32\)):[^>]+>", str(uuid.uuid4()), rule.rule))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            answer = client.open(path, method=method)
            is_sent_to_sign_in = answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in")
            if answer.status_code != 401 and not is_sent_to_sign_in:
                open_routes.append(f"{method} {path} → {answer.status_code}")

    assert not open_routes, f"Identify the caller or the person first, or add the route to ANONYMOUS: {open_routes}"


def test_every_table_of_an_account_is_walled_and_the_wall_is_forced(app: Flask) -> None:
    """R23: row-level security on every table with an account_id, also for the owner of the tables."""
    tables = {t.name for t in Base.metadata.tables.values() if "account_id" in t.columns} | {"accounts"}
    rows = db.session.execute(
        text(
            "SELECT c.relname FROM pg_class c JOIN pg_policies p ON p.tablename = c.relname "
            "WHERE c.relrowsecurity AND c.relforcerowsecurity"
        )
    )

    missing = tables - {row[0] for row in rows}

    assert not missing, f"Add the table to a migration as 0007_row_level_security does: {missing}"


def test_a_forgotten_filter_finds_nothing_under_the_real_role(database_url: str, app: Flask) -> None:
    """R23: the app's role is neither superuser nor exempt, and a transaction that says nothing sees nothing."""
    role = db.session.execute(text("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")).one()
    with psycopg.connect(database_url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True) as silent:
        seen = {
            table: silent.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # type: ignore[index]
            for table in ("accounts", "api_keys", "balances", "ledger_entries", "holds", "usage_logs", "rate_limits")
        }
        with pytest.raises(pg.InsufficientPrivilege):
            silent.execute("INSERT INTO accounts (id, name, status, created_at) VALUES (gen_random_uuid(), 'x', 'active', now())")

    assert tuple(role) == (False, False)
    assert set(seen.values()) == {0}


def test_acting_for_one_account_hides_the_others(app: Flask) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    with transaction() as session:
        for account_id in (first, second):
            session.execute(
                text("INSERT INTO accounts (id, name, status, created_at) VALUES (:id, 'x', 'active', now())"), {"id": account_id}
            )

    with acting_for(first), transaction() as session:
        seen = list(session.scalars(text("SELECT id FROM accounts")))

    assert seen == [first]


def test_migration_files_are_numbered_and_named_by_their_revision() -> None:
    wrong = []
    for number, path in enumerate(files("migrations/versions"), 1):
        content = path.read_text(encoding="utf-8")
        if f'revision = "{path.stem}"' not in content or not path.stem.startswith(f"{number:04}_"):
            wrong.append(path.name)
        if "reseller" in re.sub(r"reseller[._](acting_for|refuse_changes|expect)", "", content):
            wrong.append(f"{path.name} names the product's code")

    assert not wrong, f"The file name is the revision; a migration imports nothing of reseller: {wrong}"
