"""/keys: the account's API keys: listed, made, shown once, changed, rotated, revoked, and tried."""

from reseller.portal.keys.pages import keys

__all__ = ["keys"]
