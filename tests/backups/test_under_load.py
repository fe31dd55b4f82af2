"""The day it happens: a backup is taken while customers call, things go on, the database is lost, and the shop opens elsewhere (R35)."""

import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.backups.elsewhere import rows_at
from tests.deployment import Cluster
from tests.servers import WebServer, run_flask
from tests.shop import chat_body, exchange
from tests.stripe_shop import StripeShop, open_stripe_shop
from tests.waiting import wait_until

CALLERS = 4


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def busy(cluster: Cluster, tmp_path: Path, journal: Path) -> Iterator[StripeShop]:
    """A shop of two web processes with a cashier, whose worker keeps a journal. The backup slows its upstream."""
    patient = {"UPSTREAM_CONNECT_SECONDS": "30", "UPSTREAM_FIRST_BYTE_SECONDS": "30", "UPSTREAM_IDLE_SECONDS": "30"}
    with open_stripe_shop(cluster, tmp_path, WEB_CONCURRENCY="2", BACKUP_JOURNAL=str(journal), **patient) as opened:
        yield opened


class Callers:
    """Customers who call without a pause until the block ends; every answer must be a 200."""

    def __init__(self, busy: StripeShop) -> None:
        self.customers = [busy.shop.customer(limits=False) for _ in range(CALLERS)]
        self.statuses: list[int] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(each,), daemon=True) for each in self.customers]

    def _call(self, customer) -> None:  # type: ignore[no-untyped-def]
        while not self._over.is_set():
            self.statuses.append(customer.chat().status)

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)


def status_at(web: WebServer, key: str) -> int:
    connection = HTTPConnection("127.0.0.1", web.port, timeout=60)
    try:
        return exchange(connection, "/v1/chat/completions", chat_body(), headers={"Authorization": f"Bearer {key}"}).status
    finally:
        connection.close()


def test_a_shop_that_was_lost_opens_elsewhere(busy: StripeShop, journal: Path, empty_url: str, tmp_path: Path) -> None:
    """R35: the books add up, what was revoked stays revoked, what was paid at Stripe is credited once, what is lost is told."""
    env, file = busy.shop.web.environment, tmp_path / "shop.backup"
    buyer = busy.shop.customer(usd="0")
    with Callers(busy) as callers:
        wait_until(lambda: len(callers.statuses) > 20)
        done = run_flask("backup", str(file), "--json", env=env)
        assert done.returncode == 0, done.stderr
        at_backup = json.loads(done.stdout)["calls"]
        answered = len(callers.statuses)
        wait_until(lambda: len(callers.statuses) > answered + 20)
    revoked, kept = callers.customers[0], callers.customers[1]
    busy.shop.flask("keys", "revoke", revoked.key[:12])
    busy.paid(buyer, "25")
    with busy.shop.worker(tmp_path):
        wait_until(lambda: journal.exists() and "key.revoke" in journal.read_text() and '"calls"' in journal.read_text())

    told = json.loads(_done(run_flask("restore", str(file), "--json", env={**env, "DATABASE_URL": empty_url})))

    assert set(callers.statuses) == {200}
    assert [line["action"] for line in told["replayed"]] == ["key.revoke"]
    assert told["lost"]["calls"] == len(callers.statuses) - at_backup > 20
    assert told["ledger"]["mismatches"] == []
    home = {**env, "DATABASE_URL": empty_url}
    with WebServer(env=home, log=tmp_path / "home.log") as web:
        assert [status_at(web, each.key) for each in (revoked, kept)] == [401, 200]
        for _ in range(2):
            _done(run_flask("payments", "reconcile", "--days", "30", env=home))
    [bought] = rows_at(empty_url, "SELECT settled_nano FROM balances WHERE account_id = %s", buyer.person.account_id)
    assert bought["settled_nano"] == 25 * 10**9
    _done(run_flask("ledger", "verify", env=home))


def _done(command) -> str:  # type: ignore[no-untyped-def]
    assert command.returncode == 0, command.stderr
    return str(command.stdout)
