"""What the person at the browser may still move today without a second one: by adjustments, and by refunds of what is spent (R25)."""

from dataclasses import dataclass
from decimal import Decimal

from reseller.backoffice.access import me
from reseller.database import transaction
from reseller.domain.accounts import Role
from reseller.domain.ledger import Caps
from reseller.domain.ledger import caps as own
from reseller.money import ZERO_USD
from reseller.wiring import wiring


@dataclass(frozen=True, slots=True)
class Room:
    """In dollars; the day is that of UTC."""

    cap_usd: Decimal
    spent_usd: Decimal
    left_usd: Decimal


def caps() -> Caps:
    """What each role may move alone in a day, as this deployment says."""
    settings = wiring().settings
    return {
        Role.SUPPORT: settings.credit_cap_support_usd,
        Role.FINANCE: settings.credit_cap_finance_usd,
        Role.ADMIN: settings.credit_cap_admin_usd,
    }


def room() -> Room:
    """Of the person at the browser, now."""
    who, all_caps = me(), caps()
    with transaction():
        spent = own.spent_today(who.user_id)
    cap = all_caps.get(who.role, ZERO_USD)
    return Room(cap, spent, max(cap - spent, ZERO_USD))
