"""The shop as staff have it."""

import pytest

from tests.browser import Windows
from tests.console import Console
from tests.shop import Shop


@pytest.fixture
def console(shop: Shop, windows: Windows) -> Console:
    """The shop's back office in a browser."""
    return Console(shop, windows)
