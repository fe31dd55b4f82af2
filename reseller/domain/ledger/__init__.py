"""The book: balances, entries, holds, and the audit that proves them. See `tables` for who may write what."""

from reseller.domain.ledger.adjustments import Adjustment, AdjustmentDraft, AdjustmentState
from reseller.domain.ledger.audit import AuditReport, Mismatch, unproved_days, verify
from reseller.domain.ledger.caps import Caps, CapUse
from reseller.domain.ledger.posting import (
    BalanceNow,
    EntryDraft,
    balance_locked,
    balance_now,
    chained,
    grant,
    post,
    post_usage_day,
    usage_draft,
)
from reseller.domain.ledger.tables import Balance, EntryKind, Hold, LedgerEntry

__all__ = [
    "Adjustment", "AdjustmentDraft", "AdjustmentState", "AuditReport", "Balance", "BalanceNow", "CapUse", "Caps", "EntryDraft", "EntryKind",
    "Hold", "LedgerEntry", "Mismatch", "balance_locked", "balance_now", "chained", "grant", "post", "post_usage_day", "unproved_days",
    "usage_draft", "verify",
]  # fmt: skip
