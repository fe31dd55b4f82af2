"""`flask keys rotate`: a successor from the command line (R21, R37)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from reseller.clock import now
from reseller.domain.keys import Directory, has_key_shape
from tests import factories
from tests.domain import scenes


def command(app: Flask, *words: str) -> Any:
    return app.test_cli_runner().invoke(args=["keys", *words])


def test_the_new_key_stands_alone_on_the_last_line_and_the_old_one_ends_after_the_grace(app: Flask) -> None:
    token, key = factories.mint_key(factories.make_person())

    done = command(app, "rotate", token[:12], "--grace", "12h")

    successor = done.stdout.splitlines()[-1]
    assert done.exit_code == 0
    assert has_key_shape(successor)
    [row] = scenes.rows("SELECT expires_at FROM api_keys WHERE id = :id", id=key.id)
    assert abs(row["expires_at"] - now() - timedelta(hours=12)) < timedelta(minutes=1)
    assert Directory().identify(successor).account_id == key.account_id
    assert scenes.rows("SELECT actor FROM staff_actions WHERE action = 'key.rotate'")[0]["actor"].startswith("cli:")


def test_the_old_key_is_named_in_json(app: Flask) -> None:
    token, key = factories.mint_key(factories.make_person(), expires_in=timedelta(days=9))
    ends_at = key.expires_at

    printed = json.loads(command(app, "rotate", str(key.id), "--json").stdout)

    assert printed["replaces"] == str(key.id)
    assert datetime.fromisoformat(printed["expires_at"]).astimezone(UTC) == ends_at
    assert printed["key"] != token


@pytest.mark.parametrize(("grace", "status"), [("0", 0), ("never", 2), ("-1h", 2), ("31d", 1)])
def test_a_grace_of_nothing_revokes_at_once_and_one_that_cannot_be_is_refused(app: Flask, grace: str, status: int) -> None:
    token, key = factories.mint_key(factories.make_person())

    done = command(app, "rotate", token[:12], "--grace", grace)

    assert done.exit_code == status
    assert (scenes.rows("SELECT revoked_at FROM api_keys WHERE id = :id", id=key.id)[0]["revoked_at"] is not None) == (status == 0)


def test_a_key_is_rotated_once(app: Flask) -> None:
    token, _ = factories.mint_key(factories.make_person())
    command(app, "rotate", token[:12])

    again = command(app, "rotate", token[:12])

    assert again.exit_code == 1
    assert "has been replaced by" in again.stderr
    assert len(scenes.rows("SELECT 1 FROM api_keys")) == 2
