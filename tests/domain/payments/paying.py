"""Orders and what Stripe says of them, made up."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from reseller.clock import now
from reseller.domain import ledger
from reseller.domain.accounts import Person
from reseller.domain.ledger import EntryKind
from reseller.domain.payments import DisputeSeen, RefundSeen, SessionSeen, learn_session, own_orders_of, topups
from reseller.domain.payments.topups import Bounds, Order
from reseller.money import to_usd
from tests.domain import scenes

BOUNDS = Bounds(Decimal(5), Decimal(1000))
OWN_ORDERS = own_orders_of("secret of the tests", is_live=False)


def order(person: Person, usd: str = "20") -> Order:
    """An order that Stripe has opened."""
    begun = topups.begin(person.account_id, person.user_id, Decimal(usd), BOUNDS)
    topups.opened(begun.payment_id, session_id=f"cs_{begun.payment_id.hex}", url="https://pay.example/", expires_at=begun.expires_at)
    return begun


def paid(begun: Order, **facts: object) -> SessionSeen:
    """What Stripe says of it when the money is there."""
    seen = SessionSeen(
        session_id=f"cs_{begun.payment_id.hex}",
        payment_id=begun.payment_id,
        account_id=begun.account_id,
        status="complete",
        payment_status="paid",
        amount_usd=begun.amount_usd,
        total_usd=begun.amount_usd,
        currency="usd",
        is_live=False,
        created_at=now() - timedelta(minutes=5),
        intent_id=intent_of(begun),
        customer_id="cus_1",
    )
    return replace(seen, **facts)  # type: ignore[arg-type]


def marked(seen: SessionSeen, bonus: str = "0") -> SessionSeen:
    """As we open it."""
    assert seen.payment_id is not None
    assert seen.account_id is not None
    bonus_usd = Decimal(bonus)
    return replace(seen, bonus_usd=bonus_usd, mark=OWN_ORDERS.mark(seen.payment_id, seen.account_id, seen.amount_usd, bonus_usd))


def buy(person: Person, usd: str = "20", **facts: object) -> Order:
    """An order that was paid."""
    begun = order(person, usd)
    learn_session(paid(begun, **facts), OWN_ORDERS)
    return begun


def intent_of(begun: Order) -> str:
    return f"pi_{begun.payment_id.hex}"


def refund(name: str, usd: str, status: str = "succeeded", *, our_id: UUID | None = None) -> RefundSeen:
    return RefundSeen(f"re_{name}", Decimal(usd), "usd", status, now(), our_id)


def dispute(name: str, usd: str, movements: int, withdrawn: str, status: str = "needs_response") -> DisputeSeen:
    return DisputeSeen(f"dp_{name}", Decimal(usd), "usd", status, movements, Decimal(withdrawn), now())


def balance(person: Person) -> Decimal:
    return to_usd(ledger.balance_now(person.account_id).settled_nano)


def moved(person: Person, kind: EntryKind) -> Decimal:
    """All that entries of this kind have moved."""
    [row] = scenes.rows(
        "SELECT coalesce(sum(amount_nano), 0) AS nano FROM ledger_entries WHERE account_id = :id AND kind = :kind",
        id=person.account_id,
        kind=kind,
    )
    return to_usd(int(row["nano"]))
