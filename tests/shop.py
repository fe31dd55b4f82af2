"""A whole shop for tests that buy something: database, fake upstream, web server, customers with money and keys.

Customers are made in this process through the domain; they buy through real HTTP from the server's own process.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson
import psycopg
from flask import Flask
from psycopg.rows import dict_row

from reseller.clock import now
from reseller.database import acting_as_operator
from reseller.domain import ledger, pricing
from reseller.domain.accounts import Person
from reseller.domain.ledger import BalanceNow
from reseller.wiring import wiring_of
from tests import factories
from tests.deployment import UPSTREAM_KEY, Cluster, running_app, settings_over
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.openrouter_catalogue import MODELS, entry
from tests.fakes.openrouter_scenarios import MESSAGES, SCENARIOS
from tests.servers import Listener, WebServer, WorkerProcess, environment, run_flask
from tests.waiting import wait_until

MARKUP = Decimal(25)
SLUG = "openai/gpt-4o-mini"
IMPATIENT = {
    "UPSTREAM_CONNECT_SECONDS": "2",
    "UPSTREAM_FIRST_BYTE_SECONDS": "1",
    "UPSTREAM_IDLE_SECONDS": "1",
    "UPSTREAM_TOTAL_SECONDS": "30",
}
_decoder = json.JSONDecoder(parse_float=Decimal)
FAKE_PRICES = {"prompt": "0.000001", "completion": "0.000001"}  # the fake bills its scripted models at these


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's JSON with exact decimals."""
        return loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        error = self.json["error"]
        assert isinstance(error, dict)
        return error

    @property
    def frames(self) -> list[Any]:
        """The JSON of each data line of a stream, [DONE] as a string."""
        lines = [line[6:] for line in self.body.split(b"\n") if line.startswith(b"data: ")]
        return [line.decode() if line == b"[DONE]" else loads(line) for line in lines]


def loads(raw: bytes) -> Any:
    """JSON whose numbers with a point are exact."""
    return _decoder.decode(raw.decode())


@dataclass(frozen=True, slots=True)
class Customer:
    """A person with an account and a key, and what they can do over HTTP."""

    shop: "Shop"
    person: Person
    key: str

    def call(self, path: str, body: Any = None, *, method: str | None = None, headers: dict[str, str] | None = None) -> Answer:
        """One request with this customer's key; a body that is not bytes is sent as JSON."""
        return self.shop.call(path, body, method=method, headers={"Authorization": f"Bearer {self.key}", **(headers or {})})

    def chat(self, model: str = SLUG, **more: Any) -> Answer:
        return self.call("/v1/chat/completions", chat_body(model, **more))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The account's usage rows, oldest first."""
        return self.shop.query("SELECT * FROM usage_logs WHERE account_id = %s ORDER BY id", self.person.account_id)

    @property
    def row(self) -> dict[str, Any]:
        """The account's only usage row, once it is there: a call may end after its answer."""
        rows = wait_until(lambda: self.rows)
        assert len(rows) == 1, rows
        return rows[0]

    @property
    def books(self) -> BalanceNow:
        with self.shop.at_work():
            return ledger.balance_now(self.person.account_id)

    @property
    def holds(self) -> list[dict[str, Any]]:
        return self.shop.query("SELECT * FROM holds WHERE account_id = %s", self.person.account_id)

    @property
    def bill(self) -> Decimal:
        """What the fake upstream has billed for all calls of this account, in dollars."""
        ids = {row["generation_id"] for row in self.rows}
        return sum((Decimal(bill["cost"]) for bill in self.shop.billed if bill["id"] in ids), Decimal(0))


class Shop:
    """Everything of one deployment. `app` is a further process of it inside this one, for making and looking."""

    def __init__(self, *, app: Flask, admin_url: str, fake: FakeOpenRouter, web: Listener) -> None:
        self.app = app
        self.admin_url = admin_url
        self.fake = fake
        self.web = web
        self.mark()

    def mark(self) -> None:
        """What happened before this moment is not counted in later evidence, though it must still add up."""
        self.marked_at, self.marked_bills = now(), len(self.billed)

    def bills_of(self, words: str) -> list[dict[str, Any]]:
        """The upstream's records of the calls that say these words, begun or ended."""
        return [bill for bill in self.billed if bill["body"]["messages"][0]["content"] == words]

    def wait_for_quiet(self, seconds: float) -> None:
        """Every call has ended."""
        wait_until(lambda: not self.query("SELECT id FROM holds"), seconds)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Inside, domain verbs and factories work on the shop's database as the operator."""
        with self.app.app_context(), acting_as_operator():
            yield

    def customer(self, *, usd: str = "10", markup: str | None = None, min_cost: str = "0", limits: bool = True, **key: Any) -> Customer:
        """A new customer; with `markup` under a rule of their own, without `limits` as fast as they like."""
        with self.at_work():
            person = factories.make_person(usd=usd if Decimal(usd) else None)
            if markup is not None:
                factories.make_rule(markup_percent=markup, min_cost_usd=min_cost, priority=10, account_id=person.account_id)
            if not limits:
                factories.lift_limits(person)
            return Customer(self, person, factories.make_key(person, **key))

    def call(self, path: str, body: Any = None, *, method: str | None = None, headers: dict[str, str] | None = None) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.web.port, timeout=60)
        try:
            return exchange(connection, path, body, method=method, headers=headers)
        finally:
            connection.close()

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows as a superuser sees them."""
        with psycopg.connect(self.admin_url, row_factory=dict_row, autocommit=True) as connection:
            return connection.execute(sql, values).fetchall()

    @property
    def billed(self) -> list[dict[str, Any]]:
        with self.fake.lock:
            return [dict(bill) for bill in self.fake.billed]

    def bill_of(self, generation_id: str) -> dict[str, Any]:
        """The fake's record of one call."""
        return next(bill for bill in self.billed if bill["id"] == generation_id)

    def flask(self, *words: str) -> str:
        """The stdout of a command that must succeed."""
        done = run_flask(*words, env=self.web.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def worker(self, folder: Path) -> WorkerProcess:
        """The clock of this shop; the caller ends it."""
        return WorkerProcess(env=self.web.environment, log=folder / "worker.log")


@contextlib.contextmanager
def open_shop(cluster: Cluster, folder: Path, **environ: str) -> Iterator[Shop]:
    """A shop whose fake upstream sells every scripted model, under one rule of 25 %. Keywords are environment variables."""
    with contextlib.ExitStack() as stack:
        database_url = cluster.create_database()
        stack.callback(cluster.drop_database, database_url)
        fake = stack.enter_context(FakeOpenRouter(api_key=UPSTREAM_KEY))
        fake.models = [*MODELS, *(entry(slug, FAKE_PRICES) for slug in scripted_models())]
        ours = {**IMPATIENT, "OPENROUTER_API_KEY": UPSTREAM_KEY, "OPENROUTER_BASE_URL": fake.base_url, **environ}
        processes = int(ours.pop("WEB_CONCURRENCY", "1"))
        app = stack.enter_context(running_app(settings_over(database_url, folder, **ours)))
        with app.app_context(), acting_as_operator():
            stock(app)
        web = WebServer(env=environment(database_url, folder, **ours), log=folder / "web.log", processes=processes)
        stack.enter_context(web)
        yield Shop(app=app, admin_url=cluster.admin_url_of(database_url), fake=fake, web=web)


def stock(app: Flask) -> None:
    """Everything that the upstreams list is for sale at our markup."""
    upstreams = wiring_of(app).upstreams
    upstreams.register()
    for name in pricing.active_upstreams():
        pricing.sync(name, upstreams[name].list_models(), actor=factories.ACTOR)
    factories.make_rule(markup_percent=str(MARKUP))


def scripted_models() -> list[str]:
    """The fake's scenarios as models, save those that its own list has already."""
    listed = {model["id"] for model in MODELS}
    names = [f"fake/{name}" for name in SCENARIOS] + [f"fake/status-{status}" for status in MESSAGES]
    return [name for name in names if name not in listed]


def chat_body(model: str = SLUG, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], **more}


def exchange(
    connection: HTTPConnection, path: str, body: Any = None, *, method: str | None = None, headers: dict[str, str] | None = None
) -> Answer:
    """One request and its whole answer over a connection that may be kept."""
    raw = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
    sent = {"Content-Type": "application/json", **(headers or {})} if raw is not None else headers or {}
    connection.request(method or ("GET" if raw is None else "POST"), path, body=raw, headers=sent)
    response = connection.getresponse()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def in_threads(count: int, work: Any) -> list[Any]:
    """work(0) … work(count - 1), all at once; their results in order. Raises what one of them raised, and if one takes over a minute."""
    results: list[Any] = [None] * count
    gate = threading.Barrier(count)

    def run(index: int) -> None:
        gate.wait(30)
        try:
            results[index] = work(index)
        except BaseException as error:  # noqa: BLE001 - raised again below, in the test's own thread
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 60
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
    assert not any(thread.is_alive() for thread in threads), "not all of them ended within a minute"
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def charge_for(cost_usd: Decimal | str, *, markup: Decimal = MARKUP, min_cost: str = "0") -> int:
    """Nano-dollars that promise R7 asks for, worked out here on its own."""
    with localcontext() as context:
        context.prec = 80
        exact = Decimal(cost_usd) * (100 + markup) / 100
        return int(max(exact, Decimal(min_cost)).scaleb(9).to_integral_value(ROUND_CEILING))
