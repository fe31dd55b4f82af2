"""A database to restore into."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from tests.backups.elsewhere import empty_database
from tests.deployment import Cluster


@pytest.fixture
def empty_url(cluster: Cluster) -> Iterator[str]:
    """The URL of an empty database, as the app's role."""
    with empty_database(cluster) as url:
        yield url


@pytest.fixture
def new_home(empty_url: str, make_app: Callable[..., Flask]) -> Flask:
    """The app on that database."""
    return make_app(DATABASE_URL=empty_url)
