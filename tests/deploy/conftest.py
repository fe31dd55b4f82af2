"""Two boxes behind nginx that the tests of a module share."""

from collections.abc import Iterator

import pytest

from tests.deploy.boxes import Fleet, open_fleet
from tests.deploy.nginx import HOST
from tests.deployment import Cluster
from tests.system_packages import needed

NOTICE = {"DRAIN_NOTICE_SECONDS": "5"}
"""Longer than config/nginx.conf keeps an idle connection to a box."""


@pytest.fixture(scope="module")
def behind_nginx(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two boxes with one process each. Tests leave both at work."""
    folder = tmp_path_factory.mktemp("fleet")
    with open_fleet(cluster, folder, nginx=needed("nginx"), PUBLIC_URL=f"https://{HOST}", DRAIN_SECONDS="10", **NOTICE) as fleet:
        yield fleet
