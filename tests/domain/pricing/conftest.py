"""Builders for pricing: sensible alone, changed by keyword."""

from collections.abc import Iterator
from typing import Any

import pytest

from reseller.database import acting_as_operator
from reseller.domain import pricing
from reseller.domain.pricing import UpstreamKind


@pytest.fixture
def operator(app: Any) -> Iterator[None]:
    """A fresh database, acting as the operator, with one upstream."""
    with acting_as_operator():
        pricing.register_upstream("openrouter", UpstreamKind.OPENROUTER, base_url="https://openrouter.example/api/v1")
        yield
