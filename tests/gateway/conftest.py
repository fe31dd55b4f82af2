"""A customer of the shared shop for each test, and the shop's clock for those whose calls end later."""

from collections.abc import Iterator

import pytest

from tests.deployment import Cluster
from tests.servers import WorkerProcess
from tests.shop import Customer, Shop, open_shop


@pytest.fixture
def customer(shop: Shop) -> Customer:
    return shop.customer()


@pytest.fixture(scope="package")
def clock(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    """`flask worker` beside the shop: asks the upstream what calls cost that did not say so. Gone before other tests look at its jobs."""
    with shop.worker(tmp_path_factory.mktemp("clock")) as running:
        yield running


@pytest.fixture
def calm(shop: Shop) -> Iterator[None]:
    """Two good calls go with each bad one, so that the circuit breaker sees a healthy upstream (R32)."""
    bystander = shop.customer(limits=False)
    for _ in range(2):
        assert bystander.chat().status == 200
    yield
    with shop.fake.lock:
        shop.fake.scripts.clear()


@pytest.fixture(scope="package")
def rough(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop of its own, with its clock, for upstreams that misbehave: no other test's breaker hears of it. Answers end after 3 s.

    Dozens of calls at once share a processor with the fake that answers them: a good one may take a second to begin.
    """
    folder = tmp_path_factory.mktemp("rough")
    with open_shop(cluster, folder, UPSTREAM_FIRST_BYTE_SECONDS="2", UPSTREAM_TOTAL_SECONDS="3") as opened, opened.worker(folder):
        yield opened
