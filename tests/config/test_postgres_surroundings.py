"""The private PostgreSQL in its surroundings: settings, patched processes, accounts, closed folders."""

import multiprocessing
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from config import settings_for
from config.postgres import Running, database_url_for, ensure, find_binaries
from config.postgres.binaries import carried_to
from tests.config.notes import note, notes

ROOT = Path(__file__).parents[2]
only_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root meets this")

USE_SETTINGS = """
import sys
from config import settings_for
from config.postgres import database_url_for
print(database_url_for(settings_for()), flush=True)
"""

PATCHED = """
from gevent import monkey
monkey.patch_all()
import sys
from pathlib import Path
import psycopg
from config.postgres import ensure
running = ensure(Path(sys.argv[1]))
with psycopg.connect(running.url) as connection:
    print(connection.execute("SELECT 41 + 1").fetchone()[0])
running.stop()
"""


def test_a_named_database_is_left_alone(instance: Path) -> None:
    environ = {"RESELLER_ENV": "testing", "RESELLER_INSTANCE": str(instance), "DATABASE_URL": "postgres://me:pw@db.internal/mine"}

    assert database_url_for(settings_for(environ)) == "postgresql+psycopg://me:pw@db.internal/mine"
    assert not (instance / "postgres.json").exists()


def test_the_url_of_a_private_one_that_has_stopped_starts_it(instance: Path, start: Callable[..., Running]) -> None:
    first = start()
    note(first, "kept")
    first.stop()
    environ = {"RESELLER_ENV": "development", "RESELLER_INSTANCE": str(instance), "DATABASE_URL": first.url}
    program = USE_SETTINGS

    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout

    assert told.startswith("postgresql+psycopg://reseller:")
    assert urlsplit(told).password == urlsplit(first.url).password
    assert not first.is_alive(), "the process that started it has ended"


def test_a_terminated_process_lets_go_of_the_server(instance: Path, start: Callable[..., Running]) -> None:
    environ = {"RESELLER_ENV": "testing", "RESELLER_INSTANCE": str(instance)}
    program = USE_SETTINGS + "sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()

        process.terminate()

        assert process.wait(20) == 128 + signal.SIGTERM
    probe = start()
    assert probe.started_here


def test_it_works_in_a_patched_process(instance: Path) -> None:
    program = PATCHED

    done = subprocess.run([sys.executable, "-c", program, str(instance)], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.returncode) == ("42", 0), done.stderr


def live_as(uid: int, gid: int, instance: Path) -> None:
    """In a child process: become another account and use a server of one's own."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    os.chdir("/")
    running = ensure(instance, binaries=find_binaries()[0])
    note(running, "mine")
    assert notes(running) == ["mine"]
    assert running.server.data.stat().st_uid == uid
    running.stop()
    assert not running.is_alive()


@only_as_root
def test_an_ordinary_user_has_one_too(instance: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(instance.parent, nobody.pw_uid, nobody.pw_gid)

    child = multiprocessing.get_context("fork").Process(target=live_as, args=(nobody.pw_uid, nobody.pw_gid, instance))
    child.start()
    child.join(60)

    assert child.exitcode == 0


@only_as_root
def test_under_root_the_data_belong_to_nobody_and_no_parent_is_opened(instance: Path, start: Callable[..., Running]) -> None:
    running = start()

    assert running.server.data == instance / "postgres" / "data"
    assert running.server.data.stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert instance.parent.stat().st_mode & 0o777 == 0o755


@only_as_root
def test_under_a_closed_parent_the_data_lie_outside_and_are_found_again(instance: Path, start: Callable[..., Running]) -> None:
    instance.parent.chmod(0o700)
    first = start()
    note(first, "kept")
    first.stop()

    second = start()

    assert notes(second) == ["kept"]
    assert not second.server.data.is_relative_to(instance)
    assert second.server.data.parent.stat().st_mode & 0o777 == 0o700
    assert instance.parent.stat().st_mode & 0o777 == 0o700, "a parent folder was opened"


@only_as_root
def test_programs_that_nobody_can_reach_are_carried_with_their_libraries(instance: Path, start: Callable[..., Running]) -> None:
    original = find_binaries()[-1]
    closed = instance.parent / "closed"
    closed.mkdir(mode=0o700)
    unreachable = carried_to(closed, original, 0, 0)

    running = start(binaries=unreachable)

    note(running, "carried")
    assert notes(running) == ["carried"]
    assert running.server.binaries.folder.is_relative_to(instance / "postgres")
    assert closed.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_can_be_given_an_empty_database_and_its_exit_code_comes_back(code: int) -> None:
    program = f"import os, sys, psycopg; psycopg.connect(os.environ['DATABASE_URL']).close(); sys.exit({code})"

    done = subprocess.run(
        [sys.executable, "-m", "config.postgres", sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False
    )

    assert done.returncode == code, done.stderr
