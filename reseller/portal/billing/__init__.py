"""/billing: the balance, every movement of it with what made it, and statements of months."""

from reseller.portal.billing import book, buying, statements
from reseller.portal.billing.blueprint import billing

__all__ = ["billing", "book", "buying", "statements"]
