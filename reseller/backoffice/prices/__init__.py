"""Pricing: the rules with their tester, packs and bonuses, and the catalogue of models with the prices that wait for a decision."""

from collections.abc import Callable

from flask_admin.base import BaseView

from reseller.backoffice.prices.catalogue import Catalogue
from reseller.backoffice.prices.packs import Bonuses, Packs
from reseller.backoffice.prices.rules import Rules
from reseller.domain.payments import BonusTier, Pack
from reseller.domain.pricing import Model, PricingRule

PRICING = "Pricing"

VIEWS: tuple[Callable[[], BaseView], ...] = (
    lambda: Rules(PricingRule, name="Rules", category=PRICING, endpoint="prices"),
    lambda: Catalogue(Model, name="Catalogue", category=PRICING, endpoint="catalogue"),
    lambda: Packs(Pack, name="Packs", category=PRICING, endpoint="packs", url="/admin/packs"),
    lambda: Bonuses(BonusTier, name="Bonuses", category=PRICING, endpoint="bonuses", url="/admin/bonuses"),
)
