"""A customer of the shared shop for each test, and the shop's clock for those whose calls end later."""

from collections.abc import Iterator

import pytest

from tests.servers import WorkerProcess
from tests.shop import Customer, Shop


@pytest.fixture
def customer(shop: Shop) -> Customer:
    return shop.customer()


@pytest.fixture(scope="session")
def clock(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    """`flask worker` beside the shop: asks the upstream what calls cost that did not say so."""
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
