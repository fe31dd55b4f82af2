"""The demo data: exact books over a made-up past, and secrets that stay the same."""

import json
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from reseller.clock import instant_of, now
from reseller.database import acting_as_operator, db
from reseller.domain import accounts, books, keys, ledger, pricing
from reseller.domain.accounts import User
from reseller.domain.demo import PEOPLE, cast, traffic
from reseller.domain.demo.goods import Good
from reseller.domain.keys import ApiKey
from reseller.domain.limits import DEFAULT_LIMITS, limits_of
from reseller.domain.pricing import ModelStatus
from reseller.metering import Usage
from reseller.money import NANO
from reseller.wiring import wiring_of
from tests.conftest import running_app, settings_over

TABLES = ("users", "accounts", "api_keys", "ledger_entries", "usage_logs", "pricing_rules", "price_versions", "models", "staff_actions")


def load(app: Flask) -> dict[str, Any]:
    """What the command prints."""
    result = app.test_cli_runner().invoke(args=["demo", "load", "--json"])
    assert result.exit_code == 0, result.output
    printed: dict[str, Any] = json.loads(result.stdout)
    return printed


def kept_file(app: Flask) -> Path:
    return Path(wiring_of(app).settings.instance_path) / "demo.json"


def counts() -> dict[str, int]:
    db.session.rollback()
    return {table: db.session.scalar(text(f"SELECT count(*) FROM {table}")) or 0 for table in TABLES}


@pytest.fixture(scope="module")
def shop(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The app with demo data, for tests that only look."""
    settings = settings_over(module_database_url, tmp_path_factory.mktemp("demo"))
    with running_app(settings) as app, app.app_context(), acting_as_operator():
        load(app)
        yield app


def customer_account() -> Any:
    return accounts.find_person(cast.CUSTOMER.email).account_id


def test_the_books_of_the_demo_pass_the_audit(shop: Flask) -> None:
    """R1, R2."""
    report = books.verify()

    assert report.mismatches == ()
    assert report.accounts == len(cast.CUSTOMERS) + len(cast.STAFF)
    assert report.entries > 400


def test_the_customer_has_about_25_dollars_and_the_default_limits(shop: Flask) -> None:
    balance = ledger.balance_now(customer_account())
    limits = limits_of(customer_account())

    assert 24 * NANO < balance.available_nano < 28 * NANO
    assert balance.held_nano == 0
    assert limits.requests_per_minute == DEFAULT_LIMITS["minute"]


def test_no_account_of_the_demo_was_ever_below_zero(shop: Flask) -> None:
    """R3: payments and charges in the order of their instants, not only at the end of a day. What went back alone may do that (R19)."""
    untouched = "account_id NOT IN (SELECT account_id FROM payment_disputes UNION SELECT account_id FROM payment_refunds)"
    query = f"""
        SELECT min(left_nano) FROM (
            SELECT sum(moved) OVER (PARTITION BY account_id ORDER BY at, moved DESC, id) AS left_nano FROM (
                SELECT id, account_id, created_at AS at, amount_nano AS moved FROM ledger_entries WHERE kind <> 'usage'
                UNION ALL SELECT id, account_id, settled_at, -charge_nano FROM usage_logs WHERE charge_nano > 0) moves
                 WHERE {untouched}) running
    """

    assert (db.session.scalar(text(query)) or 0) >= 0
    assert (db.session.scalar(text(f"SELECT min(balance_after_nano) FROM ledger_entries WHERE {untouched}")) or 0) >= 0


def test_every_charge_of_the_demo_follows_from_its_own_row(shop: Flask) -> None:
    """R7: tokens × rates of the row's price version, the row's markup, rounded up once."""
    rows = db.session.execute(text("SELECT * FROM usage_logs WHERE charge_nano > 0 ORDER BY id LIMIT 3000")).mappings().all()
    book = wiring_of(shop).book

    for row in rows:
        usage = Usage(prompt_tokens=row["prompt_tokens"], completion_tokens=row["completion_tokens"], cached_tokens=row["cached_tokens"])
        rates = book.rates_at(row["price_version"], row["model"]).at(usage.prompt_tokens, row["created_at"])
        assert pricing.cost_of(usage, rates) == row["cost_usd"]
        assert pricing.charge_nano(row["cost_usd"], row["markup_percent"], min_cost_nano=row["min_cost_nano"]) == row["charge_nano"]
        assert row["charge_nano"] <= row["hold_nano"]
    assert len(rows) == 3000


def test_calls_of_the_demo_carry_their_instant_in_their_id_and_end_today(shop: Flask) -> None:
    rows = db.session.execute(text("SELECT id, created_at FROM usage_logs")).all()

    assert all(instant_of(row.id) == row.created_at for row in rows)
    assert max(row.created_at for row in rows) > now() - timedelta(days=2)
    assert timedelta(days=cast.DAYS - 3) < now() - min(row.created_at for row in rows) < timedelta(days=cast.DAYS + 1)


def test_the_demo_has_every_way_a_call_can_end_and_a_rhythm(shop: Flask) -> None:
    statuses = set(db.session.scalars(text("SELECT DISTINCT status FROM usage_logs")))
    codes = set(db.session.scalars(text("SELECT DISTINCT error_code FROM usage_logs WHERE status = 'refused'")))
    weekday = text("SELECT count(*) FILTER (WHERE extract(isodow FROM created_at) = :day) FROM usage_logs")

    assert statuses == {"completed", "partial", "abandoned", "failed", "refused", "voided"}
    assert {"rate_limit_exceeded", "insufficient_credits"} <= codes
    assert db.session.scalar(text("SELECT sum(charge_nano) FROM usage_logs WHERE is_test")) == 0
    assert (db.session.scalar(weekday, {"day": 3}) or 0) > (db.session.scalar(weekday, {"day": 7}) or 0)


def test_counters_of_keys_agree_with_their_calls(shop: Flask) -> None:
    query = """
        SELECT count(*) FROM api_keys k LEFT JOIN (SELECT api_key_id, count(*) AS n, sum(charge_nano) AS charged FROM usage_logs
            WHERE status <> 'refused' GROUP BY 1) u ON u.api_key_id = k.id
         WHERE k.calls <> coalesce(n, 0) OR k.total_nano <> coalesce(charged, 0) OR k.spent_nano > k.total_nano
    """

    assert db.session.scalar(text(query)) == 0


def test_invented_models_are_not_offered(shop: Flask) -> None:
    """A model that no upstream here can serve has a past and no future."""
    query = text("SELECT DISTINCT status FROM models WHERE upstream = 'openrouter'")
    offered = {offer.model for offer in wiring_of(shop).book.refresh().models_for(None)}

    assert list(db.session.scalars(query)) == [ModelStatus.WITHDRAWN]
    assert offered == {"sandbox/echo", "sandbox/lorem", "sandbox/embed"}


def test_a_true_list_takes_the_invented_models_over(app: Flask) -> None:
    load(app)
    entry = {
        "id": cast.MINI,
        "name": "True",
        "pricing": {"prompt": "0.0000002", "completion": "0.0000006", "input_cache_read": "0.0000001"},
    }

    report = pricing.sync("openrouter", [entry], actor="test")

    assert report.changed == [cast.MINI]
    assert wiring_of(app).book.refresh().offer(cast.MINI, None).sell_prices()["prompt"] == "0.00000025"


def test_loading_again_changes_nothing_and_prints_the_same_secrets(app: Flask) -> None:
    first = load(app)
    before = counts()

    second = load(app)

    assert first["loaded"] is True
    assert second == {**first, "loaded": False}
    assert counts() == before
    assert stat.S_IMODE(kept_file(app).stat().st_mode) == 0o600


def test_secrets_that_were_lost_or_no_longer_work_are_made_anew(app: Flask) -> None:
    first = load(app)
    keys.revoke(str(wiring_of(app).directory.identify(first["test_key"]).key_id), actor="test")
    with_revoked_key = load(app)
    kept_file(app).unlink()

    after_loss = load(app)

    assert with_revoked_key["test_key"] != first["test_key"]
    assert with_revoked_key["api_key"] == first["api_key"]
    assert with_revoked_key["staff"] == first["staff"]
    assert after_loss["api_key"] != first["api_key"]
    for login in (after_loss[name] for name in PEOPLE):
        user = db.session.query(User).filter_by(email=login["email"]).one()
        assert accounts.password_matches(user.password_hash or "", login["password"])
    key = db.session.query(ApiKey).filter_by(key_hash=keys.digest_of(after_loss["api_key"])).one()
    assert keys.is_usable(key)
    assert load(app) == after_loss


def test_a_file_of_secrets_from_before_everybody_had_a_login_keeps_the_rest(app: Flask) -> None:
    first = load(app)
    kept = json.loads(kept_file(app).read_text())
    kept_file(app).write_text(json.dumps({name: kept[name] for name in ("staff", "customer", "api_key", "test_key")}))

    second = load(app)

    assert {name: second[name] for name in ("staff", "customer", "api_key", "test_key")} == {
        name: first[name] for name in ("staff", "customer", "api_key", "test_key")
    }
    assert second["finance"]["password"] != first["finance"]["password"]


def test_the_logins_have_their_roles(shop: Flask) -> None:
    roles = dict(db.session.execute(text("SELECT email, role FROM users WHERE role <> 'customer'")).all())

    assert roles == {"admin@demo.example": "admin", "support@demo.example": "support", "finance@demo.example": "finance"}


def test_production_refuses_demo_data(make_app: Callable[..., Flask]) -> None:
    app = make_app(RESELLER_ENV="production", SECRET_KEY="s" * 40, PUBLIC_URL="https://shop.example")

    with app.app_context(), acting_as_operator():
        result = app.test_cli_runner().invoke(args=["demo", "load"])
        people = counts()["users"]

    assert result.exit_code == 1
    assert "production" in result.stderr
    assert people == 0


def test_the_same_day_draws_the_same_calls() -> None:
    terms: Any = None
    goods = {cast.MINI: Good(cast.MINI, "openrouter", False, pricing.Rates(), terms)}
    until = now()

    drawn = [traffic.attempts(cast.CUSTOMER, goods, until=until, chance=traffic.chance_of(cast.CUSTOMER)) for _ in range(2)]

    assert drawn[0] == drawn[1]
    assert len(drawn[0]) > 1000
