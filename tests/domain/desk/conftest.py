"""What stories and receipts of calls are told from."""

import pytest
from flask import Flask

from reseller.domain import pricing
from reseller.domain.calls import PriceTerms, Till
from reseller.wiring import wiring_of
from tests import factories


@pytest.fixture
def till(app: Flask) -> Till:
    return wiring_of(app).till


@pytest.fixture
def terms(app: Flask) -> PriceTerms:
    """The terms of a rule of 25 %, for the model that scenes ask for."""
    factories.make_model(slug="acme/one")
    rule = factories.make_rule(pattern="acme/*")
    return PriceTerms(pricing.current_version(), rule.id, rule.markup_percent, 0)
