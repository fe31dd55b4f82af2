"""`make run`: order of start and stop, what it leaves behind, how it refuses. The programs are stubs, the rest is real."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest
from dotenv import dotenv_values

from config.run import free_port, is_free, quoted
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
START = "import sys; from pathlib import Path; from config.run import main; sys.exit(main(root=Path(sys.argv[1])))"

APP = """
import json
import click
from flask import Flask
app = Flask(__name__)

@app.cli.command("migrate")
def migrate():
    open("journal", "a").write("migrated\\n")

@app.cli.group()
def demo():
    pass

@demo.command("load")
@click.option("--json", "as_json", is_flag=True)
def load(as_json):
    open("journal", "a").write("loaded\\n")
    people = {name: {"email": name + "@test", "password": "pw-" + name} for name in ("staff", "finance", "support", "customer")}
    print(json.dumps({**people, "api_key": "sk_test_x"}))

@app.get("/readyz")
def ready():
    return "ready"
"""

STAY = """
import os, signal, sys
def end(*_):
    open("journal", "a").write(sys.argv[1] + " ended\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("started on", os.environ["PORT"], flush=True)
if sys.argv[1] == "web":
    import threading
    from wsgi import app
    threading.Thread(target=app.run, kwargs={"port": int(os.environ["PORT"])}, daemon=True).start()
while True:
    signal.pause()
"""


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Project:
    """A checkout with stub programs, and `make run` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "wsgi.py").write_text(APP)
        (folder / "stay.py").write_text(STAY)
        (folder / "Procfile").write_text("release: flask migrate\nweb: python stay.py web\nworker: python stay.py worker\n")
        self.port = unused_port()  # not the first free one from 8000 on: tests run side by side
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, **variables: str) -> subprocess.Popen[bytes]:
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{self.folder}", "PORT": str(self.port), **variables}
        with (self.folder / "printed").open("wb") as printed:
            run = subprocess.Popen(
                [sys.executable, "-c", START, str(self.folder)],
                cwd=ROOT,
                env=environ,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )
        self.started.append(run)
        return run

    def start_until_ready(self, **variables: str) -> subprocess.Popen[bytes]:
        run = self.start(**variables)
        wait_until(lambda: "curl " in self.printed() or run.poll() is not None)
        assert run.poll() is None, self.printed()
        return run

    def printed(self) -> str:
        return (self.folder / "printed").read_text()

    def journal(self) -> list[str]:
        return (self.folder / "journal").read_text().splitlines()

    def stay_processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if "stay.py" in process.cmdline() and process.cwd() == str(self.folder):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def postgres_pid(self) -> int | None:
        lock = self.folder / "instance" / "postgres" / "data" / "postmaster.pid"
        words = lock.read_text().split() if lock.exists() else []
        return int(words[0]) if len(words) > 7 and words[-1] == "ready" else None


@pytest.fixture
def project() -> Iterator[Project]:
    folder = Path(tempfile.mkdtemp(prefix="reseller-run-", dir="/tmp"))
    folder.chmod(0o755)
    project = Project(folder)
    yield project
    for run in project.started:
        if run.poll() is None:
            run.terminate()
        run.wait(60)
    shutil.rmtree(folder)


def test_it_starts_everything_and_prints_what_a_newcomer_needs(project: Project) -> None:
    project.start_until_ready()

    printed = project.printed()
    assert project.journal() == ["migrated", "loaded"]
    for name in ("staff", "finance", "support", "customer"):
        assert re.search(f"{name}@test +pw-{name}\n", printed)
    assert f"http://localhost:{project.port}/sign-in" in printed
    assert f"curl http://localhost:{project.port}/v1/chat/completions -H 'Authorization: Bearer sk_test_x'" in printed
    assert f"web    | started on {project.port}" in printed
    assert f"worker | started on {project.port}" in printed


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_web_then_worker_then_postgres(project: Project, signum: signal.Signals) -> None:
    run = project.start_until_ready()

    run.send_signal(signum)

    assert run.wait(60) == 0
    assert project.journal()[2:] == ["web ended", "worker ended"]
    assert not (project.folder / "instance" / "postgres" / "data" / "postmaster.pid").exists()
    assert project.stay_processes() == []


def test_it_leaves_its_environment_for_commands_and_nobody_else(project: Project) -> None:
    project.start_until_ready(OPENROUTER_API_KEY="sk-or-'quoted'", BRAND_NAME="Two words")

    left = project.folder / "instance" / "env"
    values = dotenv_values(left, interpolate=False)
    assert left.stat().st_mode & 0o777 == 0o600
    assert values["RESELLER_ENV"] == "development"
    assert values["PORT"] == str(project.port)
    assert values["OPENROUTER_API_KEY"] == "sk-or-'quoted'"
    assert values["BRAND_NAME"] == "Two words"
    assert str(values["DATABASE_URL"]).startswith("postgresql://reseller:")
    assert Path(str(values["SECRET_KEY_FILE"])).read_text()


def test_a_child_that_dies_ends_the_rest_and_is_named(project: Project) -> None:
    run = project.start_until_ready()
    worker = next(process for process in project.stay_processes() if "worker" in process.cmdline())

    worker.kill()

    assert run.wait(60) == 1
    assert "worker was ended by SIGKILL" in project.printed()
    assert project.journal()[2:] == ["web ended"]


def test_a_child_that_cannot_start_is_named(project: Project) -> None:
    (project.folder / "Procfile").write_text("release: flask migrate\nweb: python stay.py web\nworker: python absent.py\n")

    run = project.start()

    assert run.wait(60) == 1
    assert "worker ended with exit code 2" in project.printed()


def test_a_release_that_fails_says_what_it_said(project: Project) -> None:
    (project.folder / "Procfile").write_text("release: flask no-such-command\nweb: true\nworker: true\n")

    run = project.start()

    assert run.wait(60) == 1
    assert "`flask no-such-command` failed with exit code 2" in project.printed()
    assert "No such command" in project.printed()


def test_a_port_in_use_is_refused_in_words(project: Project) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", project.port))
        stranger.listen()

        run = project.start()

        assert run.wait(60) == 1
    assert f"port {project.port} is in use" in project.printed()


def test_a_second_run_in_the_same_folder_is_refused(project: Project) -> None:
    first = project.start_until_ready()

    second = project.start(PORT="")

    assert second.wait(60) == 1
    assert "it is running already" in project.printed()
    assert first.poll() is None


def test_production_is_refused(project: Project) -> None:
    run = project.start(RESELLER_ENV="production")

    assert run.wait(60) == 1
    assert "this is for development" in project.printed()
    assert not (project.folder / "journal").exists()


def test_killing_it_ends_its_children_and_the_next_run_goes_on(project: Project) -> None:
    first = project.start_until_ready()
    server = project.postgres_pid()
    first.kill()
    first.wait()
    wait_until(lambda: not project.stay_processes())

    project.start_until_ready()

    assert project.postgres_pid() == server, "the server that still ran should have been used"


def test_a_killed_postgres_comes_back(project: Project) -> None:
    project.start_until_ready()
    server = project.postgres_pid()
    assert server is not None

    os.kill(server, signal.SIGKILL)

    wait_until(lambda: project.postgres_pid() not in (None, server))
    assert "PostgreSQL went away" in project.printed()


def test_the_printed_key_and_addresses_belong_to_a_web_that_answers(project: Project) -> None:
    project.start_until_ready()
    connection = HTTPConnection("127.0.0.1", project.port, timeout=5)

    connection.request("GET", "/readyz")

    assert connection.getresponse().status == 200
    connection.close()


def test_a_free_port_is_free() -> None:
    assert is_free(free_port())


@pytest.mark.parametrize(
    "value", ["plain", "with space", "o'clock", 'say "hi"', "back\\slash", "dollar $HOME ${HOME}", "both ' and \"", "#no comment"]
)
def test_a_value_comes_back_as_it_was(value: str, tmp_path: Path) -> None:
    (tmp_path / "env").write_text(f"NAME={quoted(value)}\n")

    assert dotenv_values(tmp_path / "env", interpolate=False) == {"NAME": value}
