"""The Procfile itself, run by a Procfile runner with settings of production: an empty database becomes a shop that sells (R40, R34)."""

import contextlib
import json
import re
import secrets
import signal
import sys
from collections.abc import Iterator
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from openai import OpenAI
from psycopg.rows import dict_row

from tests.deployment import UPSTREAM_KEY, Cluster
from tests.fakes.openrouter import FakeOpenRouter
from tests.servers import ROOT, ServerProcess, environment, free_port, run_flask
from tests.shop import SLUG, charge_for
from tests.waiting import wait_until

RUNNER = [sys.executable, "-m", "honcho.command", "-f", str(ROOT / "Procfile"), "-d", str(ROOT)]
PUBLIC_HOST = "shop.example.com"
PROCESSES = 2
SLOW_WORDS = 30
HELLO: Any = [{"role": "user", "content": "hello"}]
DUE_AT_FIRST = {"sync catalogue", "verify ledger", "make partitions", "recover holds", "roll up usage", "send letters"}


@pytest.fixture
def fake() -> Iterator[FakeOpenRouter]:
    with FakeOpenRouter(api_key=UPSTREAM_KEY) as opened:
        yield opened


@pytest.fixture
def production(cluster: Cluster, fake: FakeOpenRouter, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What a platform's environment says; the database is empty and its role may do no more than own it."""
    database_url = cluster.create_empty_database()
    more = {
        "RESELLER_ENV": "production",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "PUBLIC_URL": f"https://{PUBLIC_HOST}",
        "PORT": str(free_port()),
        "WEB_CONCURRENCY": str(PROCESSES),
        "TRUSTED_PROXIES": "1",
        "DRAIN_SECONDS": "3",
        "OPENROUTER_API_KEY": UPSTREAM_KEY,
        "OPENROUTER_BASE_URL": fake.base_url,
        "TMPDIR": str(tmp_path),
    }
    given = environment(database_url, tmp_path / "instance", **more)
    yield {**given, "PATH": f"{Path(sys.executable).parent}:{given['PATH']}"}
    cluster.drop_database(database_url)


class Platform:
    """What the runner started, as customers and operators reach it."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self.port = int(env["PORT"])

    def page(self, path: str) -> tuple[int, str]:
        """Status and text as the platform's router would get it: TLS ended there, the public host asked for."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Host": PUBLIC_HOST, "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def flask(self, *words: str) -> str:
        done = run_flask(*words, env=self.env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows as the product's own role sees them."""
        with psycopg.connect(self.env["DATABASE_URL"].replace("+psycopg", ""), row_factory=dict_row) as connection:
            return connection.execute(sql).fetchall()


@contextlib.contextmanager
def runner(*processes: str, env: dict[str, str], log: Path) -> Iterator[ServerProcess]:
    """The runner at work; whatever becomes of the test, it and what it started are gone afterwards."""
    process = ServerProcess([*RUNNER, "start", *processes], env=env, log=log)
    try:
        yield process
    finally:
        if process.exit_code is None:  # its children are in groups of their own, and it ends them within seconds
            with contextlib.suppress(Exception):
                process.signal(signal.SIGTERM)
                process.wait()
        process.kill()


def ends(log: str) -> dict[str, int]:
    """Process → exit code, as the runner saw them end."""
    return {name: int(code) for name, code in re.findall(r"(\w+)\.1 stopped \(rc=(-?\d+)\)", log)}


def test_the_procfile_names_what_platforms_run() -> None:
    names = [line.partition(":")[0] for line in (ROOT / "Procfile").read_text().splitlines()]

    assert names == ["release", "web", "worker"]


def test_without_a_release_web_refuses_and_takes_the_worker_along(production: dict[str, str], tmp_path: Path) -> None:
    """R40: a pending migration."""
    with runner("web", env=production, log=tmp_path / "runner.log") as started:
        wait_until(lambda: started.exit_code is not None)

    assert "refusing to start: run `flask db upgrade`" in started.log
    assert ends(started.log)["web"] != 0


def test_release_then_web_and_worker_make_a_shop_that_sells_and_ends_in_order(
    production: dict[str, str], fake: FakeOpenRouter, tmp_path: Path
) -> None:
    platform = Platform(production)
    with runner("release", env=production, log=tmp_path / "release.log") as release:
        released = release.wait(120)

    with runner("web", "worker", env=production, log=tmp_path / "runner.log") as started:
        started.await_answer(platform.port, "/readyz")
        wait_until(lambda: "worker_began" in started.log)
        key = stock(platform)
        bought = sells(platform, key, fake)
        statuses = {path: platform.page(path)[0] for path in ("/", "/sign-in", "/sign-up", "/docs", "/healthz", "/overview")}
        wait_until(lambda: done_jobs(platform) >= DUE_AT_FIRST)
        family = psutil.Process(started.pid).children(recursive=True)
        with running_stream(platform, key, fake) as stream:
            started.signal(signal.SIGTERM)
            ended = started.wait()
            last = "".join(stream)
        wait_until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family))

    assert (released, ends(release.log)) == (0, {"release": 0})
    assert bought == ["The quick brown fox", "The quick brown fox"]
    assert statuses == {"/": 200, "/sign-in": 200, "/sign-up": 200, "/docs": 200, "/healthz": 200, "/overview": 302}
    assert started.log.count("Booting worker with pid") == PROCESSES
    assert ended == 128 + signal.SIGTERM, "the runner's own code for an end that was asked for"
    assert len(last.split()) == SLOW_WORDS - 1, "the stream that ran when SIGTERM came"
    assert platform.query("SELECT count(*) AS left FROM processes") == [{"left": 0}], "each process takes its row away"
    assert "0 open holds: all agree" in platform.flask("ledger", "verify")


def stock(platform: Platform) -> str:
    """An operator sells and makes a customer with the commands; the customer's key."""
    platform.flask("users", "create", "ann@example.com", "--password", "correct horse battery")
    platform.flask("credits", "grant", "ann@example.com", "5", "--reason", "to begin")
    platform.flask("prices", "add", "openai/*", "--markup", "25")
    return platform.flask("keys", "create", "ann@example.com", "--name", "first").splitlines()[-1]


def client_of(platform: Platform, key: str) -> OpenAI:
    return OpenAI(base_url=f"http://127.0.0.1:{platform.port}/v1", api_key=key, max_retries=0, timeout=60)


@contextlib.contextmanager
def running_stream(platform: Platform, key: str, fake: FakeOpenRouter) -> Iterator[Iterator[str]]:
    """A stream that has begun and takes a second and a half more; inside, its words."""
    fake.plans["slowly"] = {"tokens": SLOW_WORDS, "pause_ms": 50}
    asked: Any = [{"role": "user", "content": "slowly"}]
    with client_of(platform, key).chat.completions.create(model=SLUG, messages=asked, stream=True) as chunks:
        words = (chunk.choices[0].delta.content or "" for chunk in chunks)
        next(words)
        yield words


def sells(platform: Platform, key: str, fake: FakeOpenRouter) -> list[str]:
    """The worker brings the models and openai-python buys; the beginnings of what came."""
    client = client_of(platform, key)
    wait_until(lambda: SLUG in {model.id for model in client.models.list()})

    whole = client.chat.completions.create(model=SLUG, messages=HELLO)
    streamed = "".join(
        chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(model=SLUG, messages=HELLO, stream=True)
    )

    balance = json.loads(platform.flask("credits", "show", "ann@example.com", "--json"))
    with fake.lock:
        charged = sum(charge_for(bill["cost"]) for bill in fake.billed)
    assert Decimal(balance["balance"]) == 5 - Decimal(charged).scaleb(-9)
    return [(whole.choices[0].message.content or "")[:19], streamed[:19]]


def done_jobs(platform: Platform) -> set[str]:
    """The jobs that a worker has done without an error."""
    return {row["name"] for row in platform.query("SELECT name FROM job_runs WHERE succeeded_at IS NOT NULL AND last_error IS NULL")}
