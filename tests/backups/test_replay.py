"""What was stopped after a backup stays stopped after a restore: told by the journal, or by the database that is given up (R35, R22)."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyotp
import pytest
import time_machine
from flask import Flask

from reseller.clock import new_id, now
from reseller.database import db, transaction
from reseller.domain import accounts, keys, limits, pricing, webhooks
from reseller.domain.accounts import Role
from reseller.domain.identity import linked, passwords, recovery_codes, roles, second_factor
from reseller.domain.identity.linked import Vouched
from reseller.domain.identity.sealing import Seal
from reseller.domain.journal import Line, replay
from reseller.domain.keys import KeyTerms, SpendLimit, SpendPeriod
from reseller.domain.webhooks import EndpointTerms, OffBecause
from reseller.heart import Heart
from reseller.wiring import wiring_of
from reseller.worker.context import Context
from reseller.worker.journal import keep_journal
from tests import factories
from tests.backups.elsewhere import backed_up, command, restored, rows_at
from tests.deployment import Cluster, named
from tests.domain import scenes
from tests.domain.webhooks import hooking

SEAL = Seal("s" * 40, second_factor.PURPOSE)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def keep(make_app: Callable[..., Flask], journal: Path) -> Callable[[], str]:
    """The worker's job runs once."""
    worker = make_app(BACKUP_JOURNAL=str(journal))
    context = Context(wiring_of(worker), Heart(worker, "worker"), is_once=True)

    def run() -> str:
        return keep_journal(context)

    return run


def test_what_was_stopped_after_the_backup_is_stopped_again(
    app: Flask, keep: Callable[[], str], journal: Path, new_home: Flask, empty_url: str, tmp_path: Path
) -> None:
    """R35: each by its own verb, so that the audit log tells of it."""
    file = tmp_path / "shop.backup"
    person, other, staff_ = factories.make_person(usd="5"), factories.make_person(), factories.make_person(role=Role.ADMIN)
    factories.make_person(role=Role.ADMIN)
    (_, revoked), (_, rotated), (_, narrowed), (_, kept) = (factories.mint_key(person, name=name) for name in ("a", "b", "c", "d"))
    factories.make_model()
    backed_up(app, file)
    keys.revoke(str(revoked.id), actor="test", reason="leaked")
    keys.rotate(str(rotated.id), grace=timedelta(0), actor="test")
    terms = KeyTerms("c", now() + timedelta(hours=1), SpendLimit(Decimal(3), SpendPeriod.DAY), ("acme/*",))
    keys.change(narrowed.id, terms, actor="test", account_id=person.account_id)
    accounts.suspend(other.account_id, reason="fraud", actor="test")
    passwords.change(person.user_id, accounts.hash_password("another one of theirs"), actor="test")
    roles.change_role(staff_.user_id, Role.SUPPORT, seen_version=None, actor="test", reason="left the team")
    pricing.withdraw("acme/one", "test", reason="too dear")
    keep()

    told = restored(new_home, file, "--journal", str(journal))

    found = {row["name"]: row for row in rows_at(empty_url, "SELECT * FROM api_keys")}
    assert found["a"]["revoked_at"] is not None
    assert found["b"]["revoked_at"] is not None
    assert (found["c"]["expires_at"], found["c"]["spend_limit_nano"], found["c"]["model_patterns"]) == (
        terms.expires_at,
        3 * 10**9,
        ["acme/*"],
    )
    assert (found["d"]["revoked_at"], found["d"]["id"]) == (None, kept.id)
    assert rows_at(empty_url, "SELECT status, status_reason FROM accounts WHERE id = %s", other.account_id)[0]["status"] == "suspended"
    people = {row["id"]: row for row in rows_at(empty_url, "SELECT id, role, password_hash FROM users")}
    assert people[person.user_id]["password_hash"] is None
    assert people[other.user_id]["password_hash"] is not None
    assert people[staff_.user_id]["role"] == Role.SUPPORT
    assert rows_at(empty_url, "SELECT status FROM models") == [{"status": "withdrawn"}]
    assert {line["action"] for line in told["replayed"]} == {
        "key.revoke", "key.rotate", "key.change", "account.suspend", "user.set_password", "user.change_role", "model.withdraw"
    }  # fmt: skip
    audit = rows_at(empty_url, "SELECT action, reason FROM staff_actions WHERE actor = 'system:restore' AND action = 'key.revoke'")
    assert any("leaked" in row["reason"] for row in audit)


def test_ways_in_that_were_taken_away_do_not_come_back(
    app: Flask, keep: Callable[[], str], journal: Path, new_home: Flask, empty_url: str, tmp_path: Path
) -> None:
    """R26: an authenticator that was lost, recovery codes that were used, a sign-in that was unlinked, an address that was left."""
    file, vouched = tmp_path / "shop.backup", Vouched("https://login.example", "77", "ann@example.com")
    lost, coded, tied, moved = (factories.make_person() for _ in range(4))
    for who in (lost, coded):
        secret = second_factor.new_secret()
        second_factor.enrol(who.user_id, secret, pyotp.TOTP(secret).now(), seal=SEAL, replaces=False)
    codes = recovery_codes.make(coded.user_id, actor="test")
    linked.link(tied.user_id, vouched, actor="test")
    backed_up(app, file)
    second_factor.reset(lost.user_id, actor="test", reason="phone stolen")
    with transaction():
        accounts.record("test", "user.show_second_factor", coded.user_id, changes={"by": [None, "recovery code"]})
    assert recovery_codes.use(coded.user_id, codes[0])
    [identity] = linked.identities_of(tied.user_id)
    linked.unlink(identity.id, tied.user_id, keep=identity.id, actor="test")
    scenes.execute("UPDATE users SET email = 'new@example.com' WHERE id = :id", id=moved.user_id)
    with transaction():
        accounts.record("test", "user.change_address", moved.user_id, changes={"email": [moved.email, "new@example.com"]})
    keep()

    told = restored(new_home, file, "--journal", str(journal))

    assert len(told["replayed"]) == 4, told["replayed"]
    assert rows_at(empty_url, "SELECT user_id FROM second_factors") == [{"user_id": coded.user_id}]
    assert rows_at(empty_url, "SELECT password_hash FROM users WHERE id = %s", lost.user_id) == [{"password_hash": None}]
    assert rows_at(empty_url, "SELECT 1 FROM recovery_codes UNION ALL SELECT 1 FROM identities") == []
    assert rows_at(empty_url, "SELECT email FROM users WHERE id = %s", moved.user_id) == [{"email": "new@example.com"}]


def test_programs_that_were_cut_off_hear_nothing_again(
    app: Flask, keep: Callable[[], str], journal: Path, new_home: Flask, empty_url: str, tmp_path: Path
) -> None:
    """R33: an endpoint that was removed, left or switched off, and a secret that leaked and was replaced."""
    file, person = tmp_path / "shop.backup", factories.make_person()
    names = ("removed", "left", "off", "gone", "stopped", "silenced", "leaked", "narrowed", "kept")
    rows = {name: hooking.add(person, url=f"https://{name}.example.com/in?token=1")[1] for name in names}
    own: dict[str, Any] = {"account_id": person.account_id, "actor": "test"}
    backed_up(app, file)
    webhooks.switch_off(rows["removed"].id, because=OffBecause.REMOVED, **own)
    webhooks.switch_off(rows["off"].id, because=OffBecause.BY_OWNER, **own)
    webhooks.switch_off(rows["stopped"].id, account_id=None, because=OffBecause.BY_STAFF, actor="test", reason="removed: a nuisance")
    webhooks.switch_off(rows["silenced"].id, account_id=None, because=OffBecause.BY_STAFF, actor="test", reason="failing: too often")
    here: dict[str, Any] = {"seen_version": None, "allows_loopback": False, **own}
    webhooks.change(rows["left"].id, EndpointTerms("https://left.example.com/in?token=2"), **here)
    webhooks.change(rows["narrowed"].id, EndpointTerms(rows["narrowed"].url, "", ("key.revoked",)), **here)
    webhooks.rotate(rows["leaked"].id, seal=hooking.SEAL, overlap=timedelta(0), **own)
    hooking.tell(person)
    [told_to] = [claimed for claimed in hooking.claim() if claimed.endpoint_id == rows["gone"].id]
    hooking.ended(told_to, 410)
    keep()

    told = restored(new_home, file, "--journal", str(journal))

    found = {row["url"].split("/")[2].partition(".")[0]: row for row in rows_at(empty_url, "SELECT * FROM webhook_endpoints")}
    assert {name: row["off_because"] for name, row in found.items()} == {
        "removed": "removed", "left": "by_owner", "off": "by_owner", "gone": "gone", "stopped": "by_staff",
        "silenced": "by_staff", "leaked": None, "narrowed": None, "kept": None,
    }  # fmt: skip
    assert (found["leaked"]["sealed_secret"], found["kept"]["sealed_secret"] != "") == ("", True)
    assert (found["narrowed"]["events"], found["kept"]["events"]) == (["key.revoked"], None)
    assert len(told["replayed"]) == 8
    assert "token" not in str(told)
    again = rows_at(empty_url, "SELECT subject_id, changes FROM staff_actions WHERE action IN ('webhook.switch_off', 'webhook.remove')")
    assert {row["subject_id"]: row["changes"] for row in again} == {
        str(row["id"]): {"off": [None, row["off_because"]]} for row in found.values() if row["off_because"]
    }


def test_a_line_that_nobody_of_ours_wrote_keeps_no_other_from_being_done(app: Flask, new_home: Flask, tmp_path: Path) -> None:
    """A journal that was tampered with, or is of another version: what cannot be read is for people, and the restore ends."""
    file, (_, key) = tmp_path / "shop.backup", factories.mint_key(factories.make_person())
    backed_up(app, file)
    told = {"at": now().isoformat(), "actor": "x", "subject_kind": "x", "account_id": None, "reason": "", "changes": {}}
    lines = [
        {**told, "action": "account.suspend", "subject_id": "no id"},
        {**told, "action": "key.rotate", "subject_id": str(key.id)},
        {**told, "action": "user.change_role", "subject_id": str(key.id)},
        {**told, "action": "key.change", "subject_id": str(key.id), "changes": {"spend_limit_usd": [None, "a lot"]}},
        {
            **told,
            "id": str(new_id()),
            "action": "user.change_address",
            "subject_id": str(key.account_id),
            "changes": {"email": [None, "\x00"]},
        },
        {**told, "action": "key.revoke", "subject_id": str(key.id)},
    ]
    journal = tmp_path / "journal"
    ids = (str(new_id(now() + timedelta(milliseconds=number))) for number in range(len(lines)))
    journal.write_text("".join(json.dumps({"journal": {**line, "id": next(ids)}}) + "\n" for line in lines))

    said = restored(new_home, file, "--journal", str(journal))

    assert [line["action"] for line in said["replayed"]] == ["key.revoke"]
    assert [line["action"] for line in said["listed"]] == ["account.suspend", "key.rotate", "user.change_role", "key.change"]


def test_a_journal_of_any_length_is_replayed(app: Flask) -> None:
    """More rows than a query may have parameters: a busy day, each told several times."""
    line = Line(new_id(), now(), "test", "note.add", "account", "", None, "", {})

    told = replay(replace(line, id=new_id()) for _ in range(70_000))

    assert len(told.listed) == 70_000


def test_what_was_given_or_loosened_after_the_backup_is_listed_and_not_done(
    app: Flask, keep: Callable[[], str], journal: Path, new_home: Flask, empty_url: str, tmp_path: Path
) -> None:
    file, person = tmp_path / "shop.backup", factories.make_person(usd="5")
    accounts.suspend(person.account_id, reason="fraud", actor="test")
    backed_up(app, file)
    accounts.restore(person.account_id, actor="test", reason="it was not")
    limits.change(person.account_id, {"rpm": 5}, actor="test")
    factories.mint_key(person, name="later")
    roles.change_role(factories.make_person().user_id, Role.SUPPORT, seen_version=None, actor="test", reason="joins the team")
    roles.change_role(person.user_id, Role.SUPPORT, seen_version=None, actor="test", reason="joins the team")
    keep()

    told = restored(new_home, file, "--journal", str(journal))

    assert told["replayed"] == []
    assert [line["action"] for line in told["listed"]][:3] == ["account.restore", "limits.change", "key.create"]
    assert [line["words"] for line in told["listed"] if line["action"] == "user.change_role"] == [
        f"could not be done again: {person.email} had become support, which nobody becomes by a restore"
    ]
    assert rows_at(empty_url, "SELECT status FROM accounts") == [{"status": "suspended"}]


def test_the_journal_of_this_deployment_is_read_unasked(
    app: Flask, keep: Callable[[], str], journal: Path, make_app: Callable[..., Flask], empty_url: str, tmp_path: Path
) -> None:
    file, (_, key) = tmp_path / "shop.backup", factories.mint_key(factories.make_person())
    backed_up(app, file)
    keys.revoke(str(key.id), actor="test")
    keep()

    told = restored(make_app(DATABASE_URL=empty_url, BACKUP_JOURNAL=str(journal)), file)

    assert [line["action"] for line in told["replayed"]] == ["key.revoke"]


def test_the_database_that_is_given_up_knows_best(app: Flask, database_url: str, new_home: Flask, tmp_path: Path) -> None:
    """Also what calls were lost, which a customer has had and the upstream bills."""
    file, who = tmp_path / "shop.backup", scenes.customer(nano=1_000)
    backed_up(app, file)
    op = scenes.admission(who)
    wiring_of(app).till.admit(op)
    wiring_of(app).till.settle(scenes.settlement(op))
    keys.revoke(str(who.key_id), actor="test")

    told = restored(new_home, file, "--replay-from", database_url)

    assert [line["action"] for line in told["replayed"]] == ["key.revoke"]
    assert told["lost"] == {"calls": 1, "charged_usd": "0.00000006"}
    assert told["replayed_until"] is not None


@pytest.mark.parametrize("asked", [(), ("--revoke-all-keys",)])
def test_without_a_memory_the_operator_is_told_so_and_may_revoke_all_keys(
    app: Flask, new_home: Flask, empty_url: str, tmp_path: Path, asked: tuple[str, ...]
) -> None:
    file, (_, key) = tmp_path / "shop.backup", factories.mint_key(factories.make_person())
    backed_up(app, file)
    keys.revoke(str(key.id), actor="test")

    done = command(new_home, "restore", str(file), *asked)

    assert done.exit_code == 0, done.stderr
    [row] = rows_at(empty_url, "SELECT revoked_at FROM api_keys")
    assert (row["revoked_at"] is not None) == bool(asked)
    assert ("nobody could tell what was stopped since" in done.stdout) != bool(asked)
    assert "flask payments reconcile --days 30" in done.stdout


def test_a_log_with_other_lines_and_a_torn_one_is_read_too(
    app: Flask, keep: Callable[[], str], journal: Path, new_home: Flask, tmp_path: Path
) -> None:
    file, (_, key) = tmp_path / "shop.backup", factories.mint_key(factories.make_person())
    backed_up(app, file)
    keys.revoke(str(key.id), actor="test")
    keep()
    told = [json.loads(line)["journal"] for line in journal.read_text().splitlines()]
    log = tmp_path / "worker.log"
    lines = [{"event": "journal", "level": "info", "journal": each} for each in told]
    log.write_text("\n".join(["worker began", *map(json.dumps, lines), json.dumps(lines[0])[:40]]))

    done = command(new_home, "restore", str(file), "--json", "--journal", str(log))

    assert done.exit_code == 0, done.stderr
    assert [line["action"] for line in json.loads(done.stdout)["replayed"]] == ["key.revoke"]
    assert "1 lines" in done.stderr


def test_the_journal_holds_no_secret_is_for_its_owner_and_mends_a_torn_line(app: Flask, keep: Callable[[], str], journal: Path) -> None:
    """R37."""
    person = factories.make_person()
    token, key = factories.mint_key(person)
    keep()
    with journal.open("ab") as file:
        file.write(b'{"journal": {"id"')
    keys.revoke(str(key.id), actor="test")
    keep()

    text = journal.read_text()
    actions = [told.get("action") for line in text.splitlines() if (told := _told(line))]
    assert journal.stat().st_mode & 0o777 == 0o600
    assert token not in text
    assert "key.revoke" in actions


def test_a_row_of_a_machine_whose_clock_is_behind_is_told_and_each_row_once(
    app: Flask, keep: Callable[[], str], journal: Path, new_home: Flask, tmp_path: Path
) -> None:
    """The fault model has clocks that are an hour off; what such a machine revoked stays revoked, too."""
    file, (_, key), (_, other) = tmp_path / "shop.backup", *(factories.mint_key(factories.make_person()) for _ in range(2))
    keep()
    backed_up(app, file)
    with time_machine.travel(now() - timedelta(minutes=50), tick=True):
        keys.revoke(str(key.id), actor="test")
    scenes.execute("INSERT INTO job_runs (name, started_at, succeeded_at) VALUES ('keep journal', now(), now())")
    keys.revoke(str(other.id), actor="test")
    said = [keep(), keep()]

    told = restored(new_home, file, "--journal", str(journal))

    assert said == ["2 rows told", "0 rows told"]
    assert [line["action"] for line in told["replayed"]] == ["key.revoke"] * 2


def _told(line: str) -> Any:
    try:
        return json.loads(line)["journal"]
    except ValueError:
        return None


def test_restoring_twice_from_the_same_journal_does_nothing_twice(
    app: Flask, keep: Callable[[], str], journal: Path, new_home: Flask, tmp_path: Path, empty_url: str, make_app: Callable[..., Flask]
) -> None:
    """A backup that knows of the revocation already is not told of it again."""
    (_, key), file = factories.mint_key(factories.make_person()), tmp_path / "shop.backup"
    keys.revoke(str(key.id), actor="test")
    keep()
    backed_up(app, file)

    told = restored(new_home, file, "--journal", str(journal))

    assert (told["replayed"], told["listed"]) == ([], [])


def test_a_database_that_something_else_took_back_in_time_is_caught_up(
    app: Flask, cluster: Cluster, database_url: str, keep: Callable[[], str], journal: Path, tmp_path: Path, make_app: Callable[..., Flask]
) -> None:
    """After a host's point-in-time recovery there is no file: a copy of the database stands in for it."""
    key_id = str(factories.mint_key(factories.make_person())[1].id)
    wiring_of(app).till.close()
    db.session.remove()
    db.engine.dispose()
    name = f"recovered_{database_url[-6:]}"
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {database_url.rpartition('/')[2]} OWNER reseller".encode())
    url = named(database_url, name)
    keys.revoke(key_id, actor="test")
    keep()

    done = command(make_app(DATABASE_URL=url), "restore", "--recovered", "--json", "--journal", str(journal))

    assert done.exit_code == 0, done.stderr
    assert [line["action"] for line in json.loads(done.stdout)["replayed"]] == ["key.revoke"]
    assert rows_at(url, "SELECT revoked_at IS NOT NULL AS is_revoked FROM api_keys") == [{"is_revoked": True}]
    assert rows_at(url, "SELECT current_setting('transaction_read_only') AS said") == [{"said": "off"}]
    cluster.drop_database(url)


@pytest.mark.parametrize("words", [(), ("--recovered", "FILE")])
def test_a_restore_is_of_a_file_or_of_what_was_recovered(app: Flask, tmp_path: Path, words: tuple[str, ...]) -> None:
    file = tmp_path / "shop.backup"
    file.touch()

    assert command(app, "restore", *(str(file) if word == "FILE" else word for word in words)).exit_code == 2


def test_a_shop_that_is_open_is_not_taken_for_a_recovered_one(app: Flask) -> None:
    """A slip at the prompt would sign everybody out and lose the letters on their way."""
    heart = Heart(app, "web")
    heart.tick()

    done = command(app, "restore", "--recovered")

    assert done.exit_code == 1
    assert "1 processes work on the database" in done.stderr
    scenes.execute("UPDATE processes SET beat_at = now()")  # it was not closed


def test_an_empty_database_is_not_taken_for_a_recovered_one(new_home: Flask) -> None:
    done = command(new_home, "restore", "--recovered")

    assert done.exit_code == 1
    assert "no tables of ours" in done.stderr
