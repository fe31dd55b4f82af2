"""What Stripe's client has read, as the books learn it."""

from reseller.clients.stripe_api import DisputeFacts, MoneyFacts, RefundFacts, SessionFacts
from reseller.domain.payments import DisputeSeen, MoneySeen, RefundSeen, SessionSeen


def session_seen(facts: SessionFacts, *, has_failed: bool = False) -> SessionSeen:
    return SessionSeen(
        session_id=facts.session_id,
        payment_id=facts.payment_id,
        account_id=facts.account_id,
        status=facts.status,
        payment_status=facts.payment_status,
        amount_usd=facts.amount_usd,
        total_usd=facts.total_usd,
        tax_usd=facts.tax_usd,
        bonus_usd=facts.bonus_usd,
        mark=facts.mark,
        currency=facts.currency,
        is_live=facts.is_live,
        created_at=facts.created_at,
        intent_id=facts.intent_id,
        customer_id=facts.customer_id,
        invoice_url=facts.invoice_url,
        has_failed=has_failed,
    )


def money_seen(facts: MoneyFacts) -> MoneySeen:
    return MoneySeen(
        intent_id=facts.intent_id,
        charge_id=facts.charge_id,
        receipt_url=facts.receipt_url,
        fee_usd=facts.fee_usd,
        refunds=tuple(map(refund_seen, facts.refunds)),
        disputes=tuple(map(dispute_seen, facts.disputes)),
    )


def refund_seen(facts: RefundFacts) -> RefundSeen:
    return RefundSeen(
        facts.refund_id, facts.amount_usd, facts.currency, facts.status, facts.created_at, facts.metadata_id, facts.reason or ""
    )


def dispute_seen(facts: DisputeFacts) -> DisputeSeen:
    return DisputeSeen(
        facts.dispute_id,
        facts.amount_usd,
        facts.currency,
        facts.status,
        facts.movements,
        facts.net_withdrawn_usd,
        facts.created_at,
        facts.fee_usd,
        facts.reason or "",
        facts.evidence_due_at,
    )
