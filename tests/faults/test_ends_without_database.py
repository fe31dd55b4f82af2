"""The server is told to end while the database is away: what it owes is waited for as long as the drain may take (R13, R34)."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.deployment import Cluster
from tests.faults.clients import OpenCall, asking
from tests.faults.evidence import assert_holds
from tests.faults.storm import Storm, open_storm, rich_customer
from tests.waiting import wait_until

DRAIN_SECONDS = 20
AWAY_SECONDS = 12.0
"""Longer than an answer waits for its charge and a process for its till, shorter than the drain."""


@pytest.fixture
def draining(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """A storm that gives running answers as long as a real deployment does."""
    with open_storm(cluster, tmp_path_factory.mktemp("draining"), DRAIN_SECONDS=str(DRAIN_SECONDS)) as opened:
        yield opened


def test_a_server_that_ends_without_its_database_waits_for_it_as_long_as_it_may(draining: Storm) -> None:
    storm, customers = draining, [rich_customer(draining) for _ in range(4)]
    storm.fake.plans["soon"] = {"delay_ms": 500}
    calls = [OpenCall(customer, stream=index % 2 == 0, **asking("soon")) for index, customer in enumerate(customers)]
    wait_until(lambda: all(customer.holds for customer in customers) and len(storm.bills_of("soon")) == len(calls))

    storm.proxy.refuse()
    storm.proxy.cut_all()
    wait_until(lambda: all(bill["finished"] for bill in storm.bills_of("soon")))
    storm.web.signal(signal.SIGTERM)
    back_at = time.monotonic() + AWAY_SECONDS
    received = [call.join() for call in calls]
    wait_until(lambda: time.monotonic() > back_at)
    storm.proxy.pass_on()
    exit_code = storm.web.wait(DRAIN_SECONDS)

    assert exit_code == 0
    assert [result.is_whole for result in received] == [True] * len(calls)
    assert [customer.row["status"] for customer in customers] == ["completed"] * len(calls)
    assert_holds(storm, received)
