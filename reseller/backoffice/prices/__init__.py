"""Pricing: the rules with their tester, and the catalogue of models with the prices that wait for a decision."""

from collections.abc import Callable

from flask_admin.base import BaseView

from reseller.backoffice.prices.catalogue import Catalogue
from reseller.backoffice.prices.rules import Rules
from reseller.domain.pricing import Model, PricingRule

VIEWS: tuple[Callable[[], BaseView], ...] = (
    lambda: Rules(PricingRule, name="Rules", category="Pricing", endpoint="prices"),
    lambda: Catalogue(Model, name="Catalogue", category="Pricing", endpoint="catalogue"),
)
