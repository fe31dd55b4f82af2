"""/settings: what a person says about themselves, and what they say about the account that they own."""

from reseller.portal.settings import company, own
from reseller.portal.settings.blueprint import settings

__all__ = ["company", "own", "settings"]
