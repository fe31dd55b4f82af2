"""The prices and fees that this process works with, as pages of prices show them."""

from config import Settings
from reseller.domain import pricing
from reseller.domain.pricing import Fees, PriceBook
from reseller.wiring import wiring


def book() -> PriceBook:
    """The price book of this moment: a change made by anybody a moment ago is in it."""
    book = wiring().book
    book.refresh_if_moved(pricing.current_version())
    return book.snapshot


def fees() -> Fees:
    """The fees of the settings."""
    settings: Settings = wiring().settings
    return Fees(settings.card_fee_percent, settings.card_fee_fixed_usd, settings.upstream_fee_percent, settings.typical_top_up_usd)
