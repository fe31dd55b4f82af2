"""How a deployment knows its own orders again at Stripe.

Ids alone prove nothing: whatever else sells through the same Stripe account can write them into a session. So we write a mark beside
them that nobody without our key can make (R18).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from reseller.domain.identity.sealing import Seal
from reseller.domain.payments.facts import SessionSeen
from reseller.money import format_decimal


@dataclass(frozen=True, slots=True)
class OwnOrders:
    """`is_live`: whether real money moves for them."""

    is_live: bool
    seal: Seal

    def mark(self, payment_id: UUID, account_id: UUID, amount_usd: Decimal, bonus_usd: Decimal) -> str:
        """What the order's session is opened with."""
        return self.seal.mark(_told(payment_id, account_id, amount_usd, bonus_usd))

    def has_marked(self, seen: SessionSeen) -> bool:
        """Whether we have opened this session, for just this."""
        if seen.payment_id is None or seen.account_id is None or seen.bonus_usd is None or seen.mark is None:
            return False
        return self.seal.is_marked(_told(seen.payment_id, seen.account_id, seen.amount_usd, seen.bonus_usd), seen.mark)


def own_orders_of(secret_keys: Sequence[str], *, is_live: bool) -> OwnOrders:
    """How the deployment with this SECRET_KEY, and those before it, knows them."""
    return OwnOrders(is_live, Seal(secret_keys, "orders"))


def _told(payment_id: UUID, account_id: UUID, amount_usd: Decimal, bonus_usd: Decimal) -> str:
    return f"{payment_id} {account_id} {format_decimal(amount_usd)} {format_decimal(bonus_usd)}"
