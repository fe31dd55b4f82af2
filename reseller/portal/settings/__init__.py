"""/settings: what a person says about themselves, and what they say about the account that they own."""

from reseller.portal.settings import alerts, company, first_password, notifications, own
from reseller.portal.settings.blueprint import settings

__all__ = ["alerts", "company", "first_password", "notifications", "own", "settings"]
