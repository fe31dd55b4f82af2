"""/overview: where a customer lands: their money, their day, what is in the way, and what to do next."""

from reseller.portal.overview import live, page
from reseller.portal.overview.blueprint import overview

__all__ = ["live", "overview", "page"]
