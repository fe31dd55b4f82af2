"""`flask backup --prove`: a backup counts once it was restored elsewhere and its books added up (R35)."""

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from reseller.backups import proving, taking
from reseller.backups.archive import BackupRefused
from reseller.clock import now
from reseller.domain import proofs
from reseller.domain.desk import conditions, readiness, set_up
from reseller.domain.desk.readiness import Deployment, PointState
from tests.backups.elsewhere import rows_at
from tests.deployment import Cluster
from tests.domain import scenes
from tests.servers import environment, run_flask

HERE = Deployment(
    is_production=False,
    secret_characters=40,
    public_url="http://localhost",
    has_stripe=False,
    takes_real_money=False,
    has_mail=False,
    trusted_proxies=0,
    watches_upstream=False,
)
SILENT = lambda words: None  # noqa: E731


@pytest.fixture(autouse=True)
def for_commands(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof starts a process of its own, which reads this environment."""
    for name, value in environment(database_url, tmp_path).items():
        monkeypatch.setenv(name, value)


def test_a_backup_that_was_proved_is_known_to_staff(app: Flask, database_url: str, tmp_path: Path) -> None:
    scenes.customer(nano=1_000)

    done = run_flask("backup", str(tmp_path / "shop.backup"), "--prove", env=environment(database_url, tmp_path))

    assert done.returncode == 0, done.stderr
    assert "all agree" in done.stderr
    proof = proofs.last()
    assert proof is not None
    assert (proof.accounts, proof.entries) == (1, 1)
    [point] = [each for each in readiness.points(HERE) if each.name == set_up.BACKUP]
    assert (point.state, point.is_confirmable) == (PointState.DONE, False)


def test_a_backup_whose_books_do_not_add_up_is_not_proved(app: Flask, database_url: str, superuser_url: str, tmp_path: Path) -> None:
    scenes.customer(nano=1_000)
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute("UPDATE balances SET settled_nano = settled_nano + 5")
    file = tmp_path / "shop.backup"
    taken = taking.take(database_url, file, may_replace=False, tell=SILENT)

    with pytest.raises(BackupRefused, match="does not prove itself"):
        proving.prove(database_url, file, taken, tell=SILENT)

    assert proofs.last() is None


def test_without_servers_programs_it_is_proved_in_a_database_of_the_same_server(
    app: Flask, database_url: str, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the role may make one; the database is gone afterwards."""
    monkeypatch.setattr(proving, "_own_server", lambda major: None)
    file, said = tmp_path / "shop.backup", list[str]()
    taken = taking.take(database_url, file, may_replace=False, tell=SILENT)

    with pytest.raises(BackupRefused, match="CREATEDB"):
        proving.prove(database_url, file, taken, tell=SILENT)
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute("ALTER ROLE reseller CREATEDB")
        try:
            proving.prove(database_url, file, taken, tell=said.append)
        finally:
            admin.execute("ALTER ROLE reseller NOCREATEDB")

    assert "of the same server" in said[0]
    assert rows_at(database_url, "SELECT 1 FROM pg_database WHERE datname LIKE 'proof_%%'") == []


def test_an_old_proof_alarms_and_opens_the_point_again(app: Flask) -> None:
    before = conditions.look()["backup_stale"]
    proofs.record(proofs.Proof(now() - timedelta(days=9), "x", 1, 1, 1))

    told = conditions.look()["backup_stale"]

    assert not before
    assert "the newest proved backup is of" in told[""]
    [point] = [each for each in readiness.points(HERE) if each.name == set_up.BACKUP]
    assert point.state == PointState.OPEN
    proofs.record(proofs.Proof(now(), "y", 1, 1, 1))
    assert not conditions.look()["backup_stale"]
