"""Many calls at once on one account and two web processes: never a nano-dollar more than there is (R3, R4, R5)."""

import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from tests import factories
from tests.deployment import Cluster
from tests.shop import Customer, Shop, charge_for, in_threads, open_shop
from tests.waiting import wait_until

CALLS = 500


@pytest.fixture(scope="module")
def crowded(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with two web processes and a patient upstream."""
    folder = tmp_path_factory.mktemp("crowded")
    with open_shop(cluster, folder, WEB_CONCURRENCY="2", UPSTREAM_FIRST_BYTE_SECONDS="30") as shop:
        yield shop


class Lowest:
    """The smallest that settled − held ever was, looked at as often as can be."""

    def __init__(self, customer: Customer) -> None:
        self._customer = customer
        self._stop = threading.Event()
        self.nano = 10**30
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._stop.wait(0.005):
            self.nano = min(self.nano, self._customer.books.available_nano)

    def __enter__(self) -> "Lowest":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(10)


def test_of_500_calls_at_once_exactly_the_ten_that_can_be_paid_are_made(crowded: Shop) -> None:
    """R3. Every call holds and costs the minimum, one dollar, so ten dollars are ten calls whatever the timing."""
    customer = crowded.customer(usd="10", markup="25", min_cost="1", limits=False)
    before = len(crowded.billed)

    with Lowest(customer) as lowest:
        statuses = Counter(in_threads(CALLS, lambda index: customer.chat(stream=index % 2 == 0).status))

    wait_until(lambda: not customer.holds)
    assert statuses == {200: 10, 402: CALLS - 10}
    assert len(crowded.billed) - before == 10
    assert lowest.nano >= 0
    assert (customer.books.settled_nano, customer.books.held_nano, customer.books.open_calls) == (0, 0, 0)
    assert Counter(row["status"] for row in customer.rows) == {"completed": 10, "refused": CALLS - 10}
    assert {row["charge_nano"] for row in customer.rows if row["status"] == "completed"} == {10**9}
    assert "0 open holds: all agree" in crowded.flask("ledger", "verify")


def test_calls_of_any_size_never_cost_more_than_there_is(crowded: Shop) -> None:
    """R3, with holds larger than charges: what is given back is spent again."""
    customer = crowded.customer(usd="0.0006", limits=False)

    with Lowest(customer) as lowest:
        answers = in_threads(200, lambda index: customer.chat("fake/default", stream=index % 2 == 0, max_tokens=16))

    wait_until(lambda: not customer.holds)
    charged = sum(row["charge_nano"] for row in customer.rows)
    completed = [row for row in customer.rows if row["status"] == "completed"]
    assert {answer.status for answer in answers} == {200, 402}
    assert len(completed) == sum(answer.status == 200 for answer in answers) >= 8
    assert all(row["charge_nano"] == charge_for(row["cost_usd"]) for row in completed)
    assert lowest.nano >= 0
    assert customer.books.settled_nano == 600_000 - charged >= 0
    assert customer.bill == sum(row["cost_usd"] for row in completed)


def test_a_window_is_one_window_in_all_processes(crowded: Shop) -> None:
    """R30."""
    customer = crowded.customer()
    with crowded.at_work():
        factories.set_limits(customer.person, rpm=20)

    statuses = Counter(in_threads(60, lambda _: customer.chat().status))

    assert statuses == {200: 20, 429: 40}
    assert customer.books.held_nano == 0


def test_a_key_that_is_revoked_is_refused_by_every_process_at_once(crowded: Shop) -> None:
    """R22."""
    customer = crowded.customer(limits=False)
    assert {answer.status for answer in in_threads(20, lambda _: customer.chat())} == {200}

    crowded.flask("keys", "revoke", customer.key[:12])
    statuses = Counter(in_threads(40, lambda _: customer.chat().status))

    assert statuses == {401: 40}
