"""The storm that the tests of this folder share; each leaves it at work and all calls ended."""

from collections.abc import Iterator

import pytest

from tests.deployment import Cluster
from tests.faults.evidence import assert_proved_by_command
from tests.faults.storm import Storm, open_storm


@pytest.fixture(scope="session")
def shared_storm(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """Two web processes and a worker behind a proxy. At last the command proves the books of all tests together."""
    with open_storm(cluster, tmp_path_factory.mktemp("storm")) as opened:
        yield opened
        assert_proved_by_command(opened)


@pytest.fixture
def storm(shared_storm: Storm) -> Iterator[Storm]:
    """The shared storm, calm again afterwards."""
    shared_storm.mark()
    yield shared_storm
    shared_storm.proxy.let_all_pass()
    shared_storm.proxy.pass_on()
    with shared_storm.fake.lock:
        shared_storm.fake.scripts.clear()


@pytest.fixture
def own_storm(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """A storm of the test's own: what it does to the processes may last."""
    with open_storm(cluster, tmp_path_factory.mktemp("silent")) as opened:
        yield opened
