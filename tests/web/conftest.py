"""An app for tests of what pages are made of: nobody is signed in, and no database is asked."""

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.deployment import running_app, settings_over


@pytest.fixture(scope="package")
def dry_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The app over an address where no database listens."""
    settings = settings_over("postgresql://nobody@127.0.0.1:9/none", tmp_path_factory.mktemp("dry"))
    with running_app(settings) as app:
        yield app
