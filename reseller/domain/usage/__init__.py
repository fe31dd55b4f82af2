"""Facts about calls: one row each, their months, their ids, and sums over them. The book is `ledger`, not this."""

from reseller.domain.usage.call_ids import call_id_of, request_id
from reseller.domain.usage.habits import ModelUse, use_by_model, usual_completion_tokens
from reseller.domain.usage.pace import Pace, Today, has_called, pace_of, today_of
from reseller.domain.usage.reports import UsageSum, call_of, labels_of_keys, sums
from reseller.domain.usage.tables import CallStatus, CostSource, UsageLog

__all__ = [
    "CallStatus", "CostSource", "ModelUse", "Pace", "Today", "UsageLog", "UsageSum", "call_id_of", "call_of", "has_called",
    "labels_of_keys", "pace_of", "request_id", "sums", "today_of", "use_by_model", "usual_completion_tokens",
]  # fmt: skip
