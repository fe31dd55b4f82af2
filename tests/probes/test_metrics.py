"""/metrics: what happens in one process is told by any other, and what the clock does by any web process, on whatever machine."""

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import gevent
import pytest

from reseller import metrics
from reseller.domain import letters
from reseller.domain.keys import SpendPeriod
from reseller.domain.letters import LetterKind
from reseller.sampling import watch_lag
from tests import factories
from tests.deployment import Cluster
from tests.gateway.raw import RawClient
from tests.probes.reading import Exposition
from tests.servers import WorkerProcess
from tests.shop import SLUG, Shop, open_shop
from tests.waiting import wait_until

SCRAPES = 12
"""Each over a connection of its own, so that either of two processes answers some of them."""
NO_MAIL = {"MAIL_URL": "smtp://127.0.0.1:9", "MAIL_FROM": "shop@example.com"}


@pytest.fixture(scope="module")
def two(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop of two web processes whose mail server is not there."""
    with open_shop(cluster, tmp_path_factory.mktemp("two"), WEB_CONCURRENCY="2", **NO_MAIL) as opened:
        yield opened


def scrape(shop: Shop) -> Exposition:
    answer = shop.call("/metrics")
    assert answer.status == 200, answer.body
    return Exposition.of(answer.body.decode())


def told_by_all(shop: Shop, name: str, **labels: str) -> float:
    """The value, once every process tells the same."""

    def same() -> list[float]:
        values = {scrape(shop).value(name, **labels) for _ in range(SCRAPES)}
        return list(values) if len(values) == 1 else []

    return wait_until(same)[0]


def test_a_call_and_its_limit_in_one_process_are_told_by_every_process(two: Shop) -> None:
    before = {
        "hit": told_by_all(two, "reseller_limit_hits_total", limit="minute"),
        "bought": told_by_all(two, "reseller_upstream_calls_total", model=SLUG, outcome="completed"),
    }
    customer = two.customer()
    with two.at_work():
        factories.set_limits(customer.person, rpm=1)

    statuses = [customer.chat().status for _ in range(3)]

    assert statuses == [200, 429, 429]
    wait_until(lambda: told_by_all(two, "reseller_limit_hits_total", limit="minute") == before["hit"] + 2)
    assert told_by_all(two, "reseller_upstream_calls_total", model=SLUG, outcome="completed") == before["bought"] + 1
    assert told_by_all(two, "reseller_calls_total", outcome="rate_limit_exceeded") >= 2


def test_a_balance_that_is_too_low_and_a_key_that_is_spent_are_told_apart(two: Shop) -> None:
    poor = two.customer(usd="0")
    spent = two.customer(spend=(Decimal("0.000001"), SpendPeriod.LIFETIME))

    assert (poor.chat().status, spent.chat().status) == (402, 402)

    wait_until(lambda: told_by_all(two, "reseller_balance_refusals_total", reason="insufficient_credits") == 1)
    assert told_by_all(two, "reseller_limit_hits_total", limit="key_spend") == 1


def test_what_the_upstream_takes_is_not_what_we_add(two: Shop) -> None:
    """`fake/slow-start` waits 300 ms before it answers."""
    added, first = (told_by_all(two, f"reseller_{name}_seconds_sum") for name in ("added_latency", "first_byte"))

    assert two.customer().chat("fake/slow-start").status == 200

    wait_until(lambda: told_by_all(two, "reseller_first_byte_seconds_sum") >= first + 0.3)
    assert told_by_all(two, "reseller_added_latency_seconds_sum") < added + 0.3
    assert told_by_all(two, "reseller_settle_seconds_count") >= 1


def test_a_failing_upstream_is_told_by_model(two: Shop) -> None:
    assert two.customer().chat("fake/status-502").status == 502

    wait_until(lambda: told_by_all(two, "reseller_upstream_calls_total", model="fake/status-502", outcome="failed") == 1)


def test_a_call_in_flight_is_told_while_it_runs(two: Shop) -> None:
    with RawClient(two.customer()) as client:
        client.ask("fake/stall-mid-stream", stream=True)
        client.read_until(b"data: ")

        wait_until(lambda: told_by_all(two, "reseller_calls_in_flight") == 1)
        wait_until(lambda: told_by_all(two, "reseller_open_holds") >= 1 and told_by_all(two, "reseller_held_usd") > 0)

    wait_until(lambda: told_by_all(two, "reseller_calls_in_flight") == 0)


def test_each_process_has_gauges_that_are_summed(two: Shop) -> None:
    assert told_by_all(two, "reseller_db_pool_most") == 2 * 30
    assert scrape(two).labels("reseller_breaker_open", "upstream") == {"sandbox", "openrouter"}


def test_an_alarm_of_the_clock_is_told_by_web(two: Shop, tmp_path: Path) -> None:
    """A letter waits, and the mail server is not there: the worker's error line is an alarm, the job fails, the queue grows.

    Each process asks the database anew every few seconds, so of two scrapes the later one may tell less.
    """
    with two.at_work():
        letters.write(LetterKind.PASSWORD_CHANGED, "ann@example.com")

    with WorkerProcess(env=two.web.environment, log=tmp_path / "worker.log"):
        for name, labels in (
            ("reseller_alarms_total", {"alarm": "mail_server_failed", "process": "worker"}),
            ("reseller_alarms_total", {"alarm": "job_failed", "process": "worker"}),
            ("reseller_job_failures_total", {"job": "send letters"}),
            ("reseller_queue_length", {"queue": "letters"}),
        ):
            wait_until(lambda name=name, labels=labels: scrape(two).value(name, **labels) >= 1)  # type: ignore[misc]


def test_a_long_sleep_of_the_loop_is_lag() -> None:
    watch = watch_lag()
    gevent.sleep(0)
    try:
        time.sleep(0.3)
        gevent.sleep(0.01)
    finally:
        watch.kill()
    before = metrics.LOOP_LAG_SECONDS._sum.get()

    metrics.flush()

    assert metrics.LOOP_LAG_SECONDS._sum.get() - before > 0.15


def test_a_label_never_grows_for_ever() -> None:
    names = metrics.Names(2)

    assert [names.of(name) for name in ("a", "b", "c", "a", "d")] == ["a", "b", "other", "a", "other"]
