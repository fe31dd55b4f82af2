"""The stage that all tests of this folder share."""

from collections.abc import Iterator

import pytest

from tests.bounds.stage import Stage, open_stage
from tests.deployment import Cluster


@pytest.fixture(scope="session")
def stage(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_stage(cluster, tmp_path_factory.mktemp("bounds")) as opened:
        yield opened
