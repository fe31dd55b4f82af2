"""Everything that one benchmark needs, up and running: PostgreSQL that keeps its promises, the fake upstream, ours, the bare view.

All of it is private, listens on this machine only, and is gone afterwards with its data.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from config.postgres import Running, ensure
from tests.bench.answers import MARKUP_PERCENT
from tests.bench.generator import Generator, Target
from tests.bench.processes import Tree, start, stop
from tests.servers import ROOT, free_port, status_of
from tests.waiting import wait_until

DISK = Path("/var/tmp")  # a folder on a disk, where /tmp may be memory
SMALL, GROWN = "reseller", "grown"  # databases
EMAIL = "bench@example.com"
GRANTED_USD = "1000000"
CONNECTIONS = 4000  # of the bare view; ours sets its own


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs. `environments` are those of the product's processes and commands, by the name of their database."""

    folder: Path
    environments: Mapping[str, Mapping[str, str]]
    postgres: Running
    generator: Generator
    targets: tuple[Target, ...]

    def target(self, name: str) -> Target:
        return next(target for target in self.targets if target.name == name)

    def flask(self, book: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the product, run to its end on that database."""
        command = [_program("flask"), *arguments]
        return subprocess.run(command, env=dict(self.environments[book]), cwd=ROOT, capture_output=True, text=True, check=False)

    def end_of_log(self, name: str) -> str:
        """The last that a process had to say."""
        return _end_of_log(self.folder, name)


@contextmanager
def running_stack(*, with_grown: bool) -> Iterator[Stack]:
    """Everything answers. Raises RuntimeError with the end of a log if something does not start.

    `with_grown`: beside the small shop, another one with many accounts and a past, in a database of its own.
    """
    with ExitStack() as ends:
        folder = Path(tempfile.mkdtemp(prefix="reseller-bench-", dir=DISK if os.access(DISK, os.W_OK) else None))
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)
        postgres = ensure(folder / "instance")
        ends.callback(shutil.rmtree, postgres.server.home, ignore_errors=True)
        ends.callback(postgres.stop)
        upstream_port, our_port, bare_port, grown_port = (free_port() for _ in range(4))
        upstream_url = f"http://127.0.0.1:{upstream_port}/api/v1"
        server = postgres.url.rpartition("/")[0]
        environments = {
            SMALL: _environment(folder, f"{server}/{SMALL}", upstream_url, our_port),
            GROWN: _environment(folder, f"{server}/{GROWN}", upstream_url, grown_port),
        }

        def launch(name: str, command: list[str], port: int, path: str, book: str = SMALL, **more: str) -> Tree:
            process = start(command, {**environments[book], **more}, cwd=ROOT, log=folder / f"{name}.log")
            ends.callback(stop, process)
            _await(name, process, lambda: 0 < status_of(port, path) < 500, folder)
            return Tree(process.pid)

        upstream = launch("upstream", [sys.executable, "-m", "tests.bench.upstream", str(upstream_port)], upstream_port, "/api/v1/models")
        key = _prepare(environments[SMALL])
        ten = _fill(environments[SMALL], accounts=10, rows=0) if with_grown else ()
        serve = [_program("gunicorn"), "-c", "config/gunicorn.py", "wsgi:app"]
        web = launch("web", serve, our_port, "/readyz")
        bind = ["-k", "gevent", "--worker-connections", str(CONNECTIONS), "-b", f"127.0.0.1:{bare_port}"]
        view = launch("bare", [_program("gunicorn"), *bind, "tests.bench.bare:app"], bare_port, "/", BARE_UPSTREAM=upstream_url)
        generator = Generator(ROOT)
        ends.callback(generator.stop)
        pid = postgres.server.pid()
        assert pid is not None
        database, path = Tree(pid), "/v1/chat/completions"
        targets = [
            Target("ours", our_port, path, (key,), is_charged=True, web=web, database=database, book=SMALL),
            Target("bare", bare_port, path, (key,), is_charged=False, web=view),
            Target("direct", upstream_port, "/api" + path, (key,), is_charged=False, web=upstream),
        ]
        if with_grown:
            _create_database(postgres, GROWN)
            _prepare(environments[GROWN])
            thousand = _fill(environments[GROWN], accounts=1000, rows=100_000)
            grown = launch("grown", serve, grown_port, "/readyz", GROWN)
            targets.append(Target("ten", our_port, path, ten, is_charged=True, web=web, database=database, book=SMALL))
            targets.append(Target("thousand", grown_port, path, thousand, is_charged=True, web=grown, database=database, book=GROWN))
        yield Stack(folder, environments, postgres, generator, tuple(targets))


def _create_database(postgres: Running, name: str) -> None:
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER reseller").format(sql.Identifier(name)))


def _fill(environment: Mapping[str, str], *, accounts: int, rows: int) -> tuple[str, ...]:
    """The shop has that many more accounts and usage rows; the keys of the accounts."""
    command = [sys.executable, "-m", "tests.bench.fill", str(accounts), str(rows)]
    done = subprocess.run(command, env=dict(environment), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-3000:])
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def _environment(folder: Path, database_url: str, upstream_url: str, port: int) -> dict[str, str]:
    """Of the environment outside only what programs need: a setting left there must not change a figure."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    return {
        **kept,
        "RESELLER_ENV": "testing",
        "RESELLER_INSTANCE": str(folder / "product"),  # not the one that our PostgreSQL is in: the database is named by its URL
        "DATABASE_URL": database_url,
        "SECRET_KEY": "for-one-benchmark-and-never-again-0123456789",
        "OPENROUTER_API_KEY": "sk-or-v1-benchmark",
        "OPENROUTER_BASE_URL": upstream_url,
        "PORT": str(port),
        "WEB_CONCURRENCY": "1",
        "TMPDIR": str(folder),
    }


def _prepare(environment: Mapping[str, str]) -> str:
    """Tables, prices and a rich account without limits are there; answers its key."""
    lifted = [word for limit in ("rpm", "rph", "rpd", "max-tokens", "concurrent") for word in (f"--{limit}", "none")]
    commands = [
        ["db", "upgrade"],
        ["catalog", "sync"],
        ["prices", "add", "*", "--markup", str(MARKUP_PERCENT)],
        ["users", "create", EMAIL],
        ["users", "limits", EMAIL, *lifted],
        ["credits", "grant", EMAIL, GRANTED_USD, "--reason", "benchmark"],
        ["keys", "create", EMAIL, "--name", "benchmark"],
    ]
    command = [sys.executable, "-m", "tests.bench.commands"]
    done = subprocess.run(command, input=json.dumps(commands), env=dict(environment), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-3000:])
    printed: list[str] = json.loads(done.stdout.splitlines()[-1])
    return printed[-1].split()[-1]


def _await(name: str, process: subprocess.Popen[bytes], answers: Callable[[], bool], folder: Path) -> None:
    wait_until(lambda: process.poll() is not None or answers(), 30)
    if process.poll() is not None:
        raise RuntimeError(f"{name} did not start:\n{_end_of_log(folder, name)}")


def _end_of_log(folder: Path, name: str) -> str:
    return (folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")[-3000:]


def _program(name: str) -> str:
    """A console script of the running environment."""
    return str(Path(sys.executable).parent / name)


def database_dsn(postgres: Running, book: str) -> str:
    """A database of the product, as the superuser."""
    return urlsplit(postgres.admin_url)._replace(path=f"/{book}").geturl()
