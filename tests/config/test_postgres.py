"""The private PostgreSQL: made, shared, killed, found again."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from config.postgres import Binaries, PostgresFailed, Running, find_binaries, temporary
from config.postgres import instance as instances
from tests.config.notes import note, notes
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]

USE_UNTIL_TOLD = """
import sys
from pathlib import Path
from config.postgres import ensure
running = ensure(Path(sys.argv[1]))
print(running.url, running.started_here, flush=True)
sys.stdin.read()
running.stop()
"""


def user_of(instance: Path) -> subprocess.Popen[str]:
    """Another process that uses the instance's server until its stdin closes."""
    command = [sys.executable, "-c", USE_UNTIL_TOLD, str(instance)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def kill_server(running: Running) -> int:
    pid = running.server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: running.server.pid() is None)
    return pid


def test_the_first_start_makes_a_role_that_bypasses_nothing(start: Callable[..., Running]) -> None:
    running = start()

    with psycopg.connect(running.url) as connection:
        row = connection.execute(
            "SELECT current_user, current_database(), rolsuper, rolbypassrls, rolcreatedb, rolcreaterole"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        connection.execute("CREATE TABLE owned (id int)")
    assert row == ("reseller", "reseller", False, False, False, False)
    assert running.started_here
    assert urlsplit(running.url).hostname == "127.0.0.1"


def test_the_admin_url_may_make_databases_for_the_role(start: Callable[..., Running]) -> None:
    running = start()

    with psycopg.connect(running.admin_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE another OWNER reseller")

    with psycopg.connect(running.url.replace("/reseller", "/another").replace("//another", "//reseller")) as connection:
        assert connection.execute("SELECT current_database(), current_user").fetchone() == ("another", "reseller")


def test_a_wrong_password_is_refused(start: Callable[..., Running]) -> None:
    running = start()
    wrong = running.url.replace(str(urlsplit(running.url).password), "guess")

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_passwords_are_readable_by_the_owner_only_and_not_in_representations(instance: Path, start: Callable[..., Running]) -> None:
    running = start()

    assert (instance / "postgres.json").stat().st_mode & 0o777 == 0o600
    assert str(urlsplit(running.url).password) not in repr(running)


def test_it_is_durable_and_large_enough(start: Callable[..., Running]) -> None:
    running = start()

    with psycopg.connect(running.url) as connection:
        row = connection.execute("SELECT current_setting('fsync'), current_setting('max_connections'), current_setting('server_encoding')")
        assert row.fetchone() == ("on", "200", "UTF8")


def test_a_second_start_keeps_the_data(start: Callable[..., Running]) -> None:
    first = start()
    note(first, "kept")
    first.stop()
    assert not first.is_alive()

    second = start()

    assert second.started_here
    assert notes(second) == ["kept"]


def test_a_port_that_was_taken_meanwhile_is_replaced(start: Callable[..., Running]) -> None:
    first = start()
    first.stop()
    port = urlsplit(first.url).port
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port or 0))
        stranger.listen()

        second = start()

        assert urlsplit(second.url).port != port
        with psycopg.connect(second.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_killed_server_recovers_what_was_committed(start: Callable[..., Running]) -> None:
    first = start()
    note(first, "committed")
    kill_server(first)

    second = start()

    assert second.started_here
    assert notes(second) == ["committed"]


def test_a_lock_file_whose_process_id_went_to_a_stranger_is_no_obstacle(start: Callable[..., Running]) -> None:
    first = start()
    note(first, "committed")
    kill_server(first)
    lock = first.server.data / "postmaster.pid"
    lock.write_text("\n".join([str(os.getpid()), *lock.read_text().splitlines()[1:]]) + "\n")

    second = start()

    assert notes(second) == ["committed"]


def test_a_killed_server_is_revived_at_its_port(start: Callable[..., Running]) -> None:
    running = start()
    note(running, "committed")
    kill_server(running)

    running.revive()

    assert notes(running) == ["committed"]


def test_the_last_process_that_uses_it_stops_it(start: Callable[..., Running]) -> None:
    starter, other = start(), start()
    starter.stop()
    alive_between = other.is_alive()

    other.stop()

    assert alive_between
    assert not other.started_here
    assert not other.is_alive()


def test_stopping_again_does_not_stop_it_for_others(start: Callable[..., Running]) -> None:
    starter, other = start(), start()

    starter.stop()
    starter.stop()

    assert other.is_alive()


def test_a_server_whose_starter_was_killed_is_used_again_and_stopped(instance: Path, start: Callable[..., Running]) -> None:
    starter = user_of(instance)
    assert starter.stdout
    assert starter.stdin
    url, started_here = starter.stdout.readline().split()
    starter.kill()
    starter.wait()
    starter.stdin.close()
    starter.stdout.close()

    found = start()
    found_alive = found.is_alive()
    found.stop()

    assert started_here == "True"
    assert (found.url, found.started_here, found_alive) == (url, False, True)
    assert not found.is_alive()


def test_processes_that_start_at_once_share_one_server(instance: Path, start: Callable[..., Running]) -> None:
    users = [user_of(instance) for _ in range(4)]

    told = [user.stdout.readline().split() for user in users if user.stdout]
    for user in users:
        user.communicate()

    assert len({url for url, _ in told}) == 1
    assert sorted(started_here for _, started_here in told) == ["False", "False", "False", "True"]
    assert [user.returncode for user in users] == [0, 0, 0, 0]
    probe = start()
    assert probe.started_here, "the last of them should have stopped it"


def test_a_half_made_cluster_is_made_anew(instance: Path, start: Callable[..., Running]) -> None:
    start().stop()
    data = instance / "postgres" / "data"
    data.rename(data.with_name("data.draft"))

    running = start()

    note(running, "fresh")
    assert notes(running) == ["fresh"]


def test_data_of_a_version_that_is_gone_are_not_touched(start: Callable[..., Running]) -> None:
    running = start()
    running.stop()
    version = running.server.data / "PG_VERSION"
    told = version.read_text()
    version.write_text("9\n")

    with pytest.raises(PostgresFailed, match="was made by PostgreSQL 9"):
        start()

    version.write_text(told)


@pytest.mark.parametrize("binaries", find_binaries(), ids=lambda found: f"postgres-{found.version}")
def test_a_temporary_one_forgets_and_leaves_nothing(binaries: Binaries) -> None:
    with temporary(binaries) as running:
        home = running.server.home
        with psycopg.connect(running.url) as connection:
            row = connection.execute("SELECT current_setting('fsync'), current_setting('server_version_num')::int / 10000").fetchone()

    assert row == ("off", binaries.major)
    assert not home.exists()
    assert not running.is_alive()


def test_a_temporary_one_ends_with_a_killed_starter() -> None:
    program = (
        "import sys\nfrom config.postgres import temporary\n"
        "with temporary() as running:\n print(running.server.pid(), running.server.home, flush=True)\n sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout
        pid, home = starter.stdout.readline().split()

        starter.kill()

        wait_until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes())
        shutil.rmtree(home)


def test_all_that_are_found_are_ones_that_we_support() -> None:
    assert min(found.major for found in find_binaries()) >= 15


def test_one_in_memory_is_gone_afterwards_and_clears_what_a_killed_starter_left(monkeypatch: pytest.MonkeyPatch, instance: Path) -> None:
    memory = instance.parent
    memory.chmod(0o1777)
    monkeypatch.setattr(instances, "IN_MEMORY", memory)
    monkeypatch.setattr(instances, "ROOM_BYTES", 1)
    left, in_use = (memory / f"{instances.PREFIX}{name}" / "users" for name in ("left", "in-use"))
    for users in (left, in_use):
        users.parent.mkdir()
        users.touch()
        os.utime(users, (0, 0))

    with in_use.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        with temporary(in_memory=True) as running:
            home = running.server.home

    assert home.parent == memory
    assert list(memory.iterdir()) == [in_use.parent]


def test_without_room_in_memory_a_temporary_one_lies_where_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "ROOM_BYTES", 1 << 60)

    with temporary(in_memory=True) as running:
        assert running.is_alive()
        assert running.server.home.parent != instances.IN_MEMORY
