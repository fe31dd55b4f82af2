"""The database answers, and can do nothing for us: a table is locked, or no connection is free (R12, R13)."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from tests.faults.clients import Buyers, OpenCall, asking, whole_and_streamed
from tests.faults.evidence import assert_holds
from tests.faults.storm import Storm, rich_customer
from tests.shop import Customer
from tests.waiting import wait_until

SLOW = "slowly, into trouble"
AT_ONCE_SECONDS = 3.0  # R13


def start_slow_calls(storm: Storm, customers: list[Customer]) -> list[OpenCall]:
    """Streams that end in two seconds."""
    storm.fake.plans[SLOW] = {"tokens": 40, "pause_ms": 50}
    seen = len(storm.bills_of(SLOW))
    calls = [OpenCall(customer, stream=True, **asking(SLOW)) for customer in customers]
    wait_until(lambda: len(storm.bills_of(SLOW)) == seen + len(calls))
    return calls


def assert_survived(storm: Storm, buyers: Buyers, slow: list[OpenCall]) -> None:
    """What ran has ended well, what was refused was refused in time, and all adds up."""
    finished = [call.join() for call in slow]
    found = assert_holds(storm, [*buyers.results, *finished])
    refused = [result.seconds for result in buyers.results if result.status == 503]
    assert [result.is_whole for result in finished] == [True] * len(slow)
    assert {result.status for result in buyers.results} == {200, 503}
    assert max(refused) < AT_ONCE_SECONDS
    assert found.estimated == found.statuses["voided"] == 0


@contextmanager
def locked_table(storm: Storm, table: str) -> Iterator[None]:
    """Nobody else reads or writes it, as during a migration."""
    with psycopg.connect(storm.admin_url) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


@contextmanager
def no_free_connection(storm: Storm) -> Iterator[None]:
    """Whoever has a connection keeps it; nobody gets another."""
    with ExitStack() as stack:
        for _ in range(500):
            try:
                stack.enter_context(psycopg.connect(storm.database_url))
            except psycopg.OperationalError:
                break
        yield


def test_a_locked_table_stops_admissions_and_delays_settlements(storm: Storm) -> None:
    customers = [rich_customer(storm) for _ in range(4)]
    with Buyers(customers, each=2, choose=whole_and_streamed) as buyers:
        slow = start_slow_calls(storm, customers)
        with locked_table(storm, "holds"):
            wait_until(lambda: sum(result.status == 503 for result in list(buyers.results)) >= 8)
        before = buyers.whole
        wait_until(lambda: buyers.whole > before + 20, 20)

    assert_survived(storm, buyers, slow)


def test_a_database_without_a_free_connection_is_as_good_as_none(storm: Storm) -> None:
    customers = [rich_customer(storm) for _ in range(4)]
    with Buyers(customers, each=2, choose=whole_and_streamed) as buyers:
        slow = start_slow_calls(storm, customers)
        storm.proxy.refuse()
        storm.proxy.cut_all()
        with no_free_connection(storm):
            storm.proxy.pass_on()
            wait_until(lambda: sum(result.status == 503 for result in list(buyers.results)) >= 8)
        before = buyers.whole
        wait_until(lambda: buyers.whole > before + 20, 20)

    assert_survived(storm, buyers, slow)
