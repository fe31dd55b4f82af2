"""/readyz: 200 when new work is welcome, else 503 and, for each thing it looks at, what is wrong."""

import shutil
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from reseller import heart
from reseller.domain.calls.till import Till
from reseller.heart import HEART, Heart
from reseller.probes import readiness as looks
from tests.domain import scenes
from tests.probes.reading import Exposition


def readiness(app: Flask) -> tuple[int, dict[str, str]]:
    answer = app.test_client().get("/readyz")
    return answer.status_code, {name: said for name, said in answer.json["checks"].items() if said != "ok"}  # type: ignore[index]


def test_a_process_that_is_well_takes_work_and_names_what_it_looked_at(app: Flask) -> None:
    answer = app.test_client().get("/readyz")

    assert (answer.status_code, answer.json["status"]) == (200, "ready")  # type: ignore[index]
    assert set(answer.json["checks"]) == {"drain", "disk", "database", "migrations", "heartbeat", "till"}  # type: ignore[index]


def test_without_a_database_it_says_so_and_goes_on_answering(make_app: Callable[..., Flask]) -> None:
    alone = make_app(DATABASE_URL="postgresql://reseller@127.0.0.1:9/none")

    status, wrong = readiness(alone)

    assert status == 503
    assert wrong["database"] == "not reachable: OperationalError"
    assert wrong["migrations"].startswith("unknown")
    assert alone.test_client().get("/healthz").status_code == 200


def test_without_a_database_metrics_tell_that_and_what_the_process_counts(make_app: Callable[..., Flask]) -> None:
    answer = make_app(DATABASE_URL="postgresql://reseller@127.0.0.1:9/none").test_client().get("/metrics")

    found = Exposition.of(answer.get_data(as_text=True))

    assert answer.status_code == 200
    assert found.fires("reseller_database_up == 0") == [{}]
    assert "reseller_open_holds" not in found.names
    assert "reseller_calls_in_flight" in found.names


def test_a_pending_migration_is_a_reason(app: Flask) -> None:
    scenes.execute("UPDATE alembic_version SET version_num = '0001_accounts_and_keys'")

    assert readiness(app) == (503, {"migrations": "pending: run flask db upgrade"})


def test_a_migration_of_newer_code_is_none(app: Flask) -> None:
    """The boxes that are not replaced yet go on when `release` has migrated; else a new release would stop them all at once."""
    scenes.execute("UPDATE alembic_version SET version_num = '9999_of_the_next_release'")

    assert readiness(app) == (200, {})


def test_who_asks_again_and_again_costs_the_database_one_look(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may ask, and nobody is throttled: a balancer asks, too."""
    asked: list[str] = []
    monkeypatch.setattr(looks, "_database", lambda: asked.append("database") or "ok")

    answers = [readiness(app) for _ in range(20)]

    assert (answers, asked) == ([(200, {})] * 20, ["database"])


def test_a_drain_is_said_at_once_all_the_same(app: Flask) -> None:
    assert readiness(app) == (200, {})
    app.extensions["live_calls"].is_leaving = True

    assert readiness(app)[0] == 503


def test_a_drain_is_a_reason(app: Flask) -> None:
    app.extensions["live_calls"].is_leaving = True

    assert readiness(app) == (503, {"drain": "draining: 0 calls still run"})


def test_a_commit_that_is_tried_for_long_is_a_reason(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Till, "stuck_seconds", 12.0)

    assert readiness(app) == (503, {"till": "halted: a commit has been tried for 12 s, 0 operations wait"})


def test_a_full_disk_is_a_reason(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=3 * 1024 * 1024))

    status, wrong = readiness(app)

    assert status == 503
    assert wrong["disk"].startswith("nearly full: 3 MiB left for ")


def test_a_heartbeat_that_nobody_hears_is_a_reason(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    beating = Heart(app, "web")
    beating.tick()
    app.extensions[HEART] = beating
    assert readiness(app) == (200, {})
    later: Any = heart.monotonic() + 40
    monkeypatch.setattr(heart, "monotonic", lambda: later)

    assert readiness(app) == (503, {"heartbeat": "not written for 40 s: others take this process for dead"})


def test_metrics_are_for_this_machine_unless_there_is_a_token(app: Flask, make_app: Callable[..., Flask]) -> None:
    guarded = make_app(METRICS_TOKEN="open sesame").test_client()

    def status(client: Any, **headers: str) -> int:
        return int(client.get("/metrics", headers=headers).status_code)

    assert status(app.test_client()) == 200
    assert status(app.test_client(), **{"X-Forwarded-For": "203.0.113.9"}) == 403
    assert status(app.test_client(), Host="shop.example") == 403
    assert [status(app.test_client(), Host=host) for host in ("127.0.0.1:8000", "[::1]:8000")] == [200, 200]
    assert status(guarded) == 401
    assert status(guarded, Authorization="Bearer wrong") == 401
    assert status(guarded, Authorization="Bearer open sesame") == 200
