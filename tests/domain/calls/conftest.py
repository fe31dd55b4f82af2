"""The till of the app under test."""

from typing import Any

import pytest

from reseller.domain.calls import Till
from reseller.wiring import wiring_of


@pytest.fixture
def till(app: Any) -> Till:
    """The app's own till, on a fresh database; the context acts as the operator."""
    return wiring_of(app).till
